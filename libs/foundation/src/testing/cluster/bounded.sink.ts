/**
 * A history that ends before it fills the disk. The last line says so, and the checker then refuses to judge.
 */
import type { HistorySink } from '../history/history.js';

/** The most that one node writes, in characters. */
export const MAX_HISTORY = 256 * 1024 * 1024;

/** The event of the line that ends a history which has become too long. */
export const HISTORY_FULL = 'test.history_full';

/** Passes lines on until they are `limit` characters together. */
export function boundedSink(sink: HistorySink, limit = MAX_HISTORY): HistorySink {
  let written = 0;
  return (line) => {
    if (written > limit) return;
    written += line.length + 1;
    if (written <= limit) return sink(line);
    const { at, node, bootId, pid } = JSON.parse(line) as Record<string, unknown>;
    sink(JSON.stringify({ at, node, bootId, pid, event: HISTORY_FULL, payload: {} }));
  };
}
