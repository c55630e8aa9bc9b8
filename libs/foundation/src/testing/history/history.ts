/**
 * The event history of a process: one JSON line per event, stamped with a clock that all processes of a machine share.
 * Written by the nodes of a test, read by `checkHistory`.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import type { Telemetry } from '../../telemetry/telemetry.js';

/** A line of the history. */
export interface HistoryEvent {
  /** Microseconds of CLOCK_MONOTONIC, which is the same clock in every process of a machine. */
  at: number;
  node: string;
  bootId: string;
  pid: number;
  /** An event of `FoundationEvents`, or one that a test application records (`test.effect`, `test.lookup`, …). */
  event: string;
  payload: Readonly<Record<string, unknown>>;
}

/** Takes one line, without its newline. */
export type HistorySink = (line: string) => void;

/** Adds events of the application's own, and ends the recording. */
export interface HistoryRecorder {
  record(event: string, payload: Readonly<Record<string, unknown>>): void;
  stop(): void;
}

/** Microseconds of CLOCK_MONOTONIC. Exact as a number for 285 years after the boot of the machine. */
export function historyNow(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/**
 * Writes every telemetry event to the sink, in the turn in which it is emitted.
 *
 * Underneath: `telemetry.attach('*', …)`.
 */
export function recordHistory(
  telemetry: Pick<Telemetry, 'attach'>,
  sink: HistorySink,
  node: { name: string; bootId: string },
): HistoryRecorder {
  const record = (event: string, payload: Readonly<Record<string, unknown>>): void => {
    const line: HistoryEvent = {
      at: historyNow(),
      node: node.name,
      bootId: node.bootId,
      pid: process.pid,
      event,
      payload,
    };
    sink(JSON.stringify(line));
  };
  const stop = telemetry.attach('*', (event, payload) => record(event, { ...payload }));
  return { record, stop };
}

/**
 * A sink that appends to a file with one synchronous write per line: what was recorded before a SIGKILL is in the file,
 * because the kernel has it.
 */
export function historyFile(path: string): HistorySink & { close(): void } {
  const file = openSync(path, 'a');
  return Object.assign((line: string) => void writeSync(file, `${line}\n`), { close: () => closeSync(file) });
}

/**
 * Reads a history. A last line without newline is ignored: its writer was killed in the middle of it.
 *
 * @throws Error with the number of a line that is not an event; ArgumentError for what is no text.
 */
export function parseHistory(text: string): HistoryEvent[] {
  if (typeof text !== 'string') throw new ArgumentError('parseHistory', 'text', show(text), 'the text of a history');
  const lines = text.split('\n');
  lines.pop();
  return lines.flatMap((line, index) => (line === '' ? [] : [parseLine(line, index + 1)]));
}

function parseLine(line: string, number: number): HistoryEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  const { at, node, bootId, pid, event, payload } = (value ?? {}) as Partial<HistoryEvent>;
  const valid =
    // JSON has numbers that are read as infinite.
    Number.isFinite(at) &&
    Number.isFinite(pid) &&
    [node, bootId, event].every((text) => typeof text === 'string') &&
    typeof payload === 'object' &&
    payload !== null;
  if (!valid) throw new Error(`Line ${number} of the history is not an event: ${line.slice(0, 200)}`);
  return value as HistoryEvent;
}
