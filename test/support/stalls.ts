/**
 * Pure: when processes stood still by themselves, read from their histories. A node of `chaos:history` says something
 * every 150 ms and acts every 50 ms; one that says nothing for long did not run, as if it had been frozen: the machine
 * gave its processor, or its disk, to others.
 */
import type { HistoryEvent } from 'nestjs-foundation/testing';

/** So long nothing was said, in microseconds. */
const SILENT = 500_000;

export interface Stall {
  pid: number;
  from: number;
  until: number;
}

/** The events in the order of their time. */
export function stallsOf(events: readonly HistoryEvent[]): Stall[] {
  const last = new Map<number, number>();
  const stalls: Stall[] = [];
  for (const { pid, at } of events) {
    const from = last.get(pid);
    if (from !== undefined && at - from >= SILENT) stalls.push({ pid, from, until: at });
    last.set(pid, at);
  }
  return stalls;
}
