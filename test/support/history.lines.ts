// Histories written by hand, for the specs of the checker. Times are in milliseconds; everything is about the process
// `job` unless the payload says otherwise.
import { checkHistory, type HistoryEvent, type HistoryFacts } from 'nestjs-foundation/testing';

export const PIDS: Record<string, number> = { a: 11, b: 22, c: 33 };

type Payload = Record<string, unknown>;
export type Line = [ms: number, node: string, event: string, payload?: Payload];

export const us = (ms: number): number => ms * 1000;

export function history(...lines: Line[]): HistoryEvent[] {
  return lines.map(([ms, node, event, payload = {}]) => ({
    at: us(ms),
    node,
    bootId: `boot-${node}`,
    pid: PIDS[node]!,
    event,
    payload: { name: 'job', ...payload },
  }));
}

/** The invariants that the lines break. */
export const broken = (lines: Line[], facts: HistoryFacts = {}): string[] =>
  checkHistory(history(...lines), facts).map(({ invariant }) => invariant);

export const acquired = (ms: number, node: string, epoch: number): Line => [ms, node, 'lease.acquired', { epoch }];
export const lost = (ms: number, node: string, epoch: number): Line => [
  ms,
  node,
  'lease.lost',
  { epoch, reason: 'deadline' },
];
export const released = (ms: number, node: string, epoch: number): Line => [ms, node, 'lease.released', { epoch }];
export const effect = (ms: number, node: string, epoch: number): Line => [ms, node, 'test.effect', { epoch }];
