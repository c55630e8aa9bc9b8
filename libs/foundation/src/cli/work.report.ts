/**
 * Pure: how often methods, handlers and jobs run and how long they take → lines for a terminal.
 * Called by `top`.
 */
import type { WorkSeen } from '../telemetry/figures.report.js';
import { latency, rate } from './format.js';
import type { Snapshot } from './snapshot.js';
import { paint, type Terminal } from './terminal.js';
import { type Column, drawTable, wrap } from './text.table.js';

const COLUMNS: readonly Column[] = [
  { title: 'IN THE LAST MINUTE', shrinks: true },
  { title: 'KIND' },
  { title: 'RATE', align: 'right' },
  { title: 'ERRORS', align: 'right' },
  { title: 'P50', align: 'right' },
  { title: 'P95', align: 'right' },
  { title: 'P99', align: 'right' },
  { title: 'NODES', align: 'right' },
];

/** The lines, the busiest first; none where nothing has run within the hour. */
export function workLines({ work = [], silent = [] }: Snapshot, look: Pick<Terminal, 'width' | 'hasColor'>): string[] {
  const [titles = '', ...lines] = work.length === 0 ? [] : drawTable(COLUMNS, work.map(cellsOf), look.width);
  const table = lines.map((line, index) => paint(look, work[index]!.failedPerSecond > 0 ? 'yellow' : undefined, line));
  const said = silent.length === 0 ? [] : wrap(`Without ${silent.join(', ')}: no answer in time.`, look.width);
  return [...(work.length === 0 ? [] : ['', paint(look, 'bold', titles), ...table]), ...said];
}

function cellsOf({ kind, of, work, perSecond, failedPerSecond, p50, p95, p99, nodes }: WorkSeen): string[] {
  const name = work === '' ? of : kind === 'call' ? `${of}.${work}` : `${of} ${work}`;
  const times = [p50, p95, p99].map((ms) => (ms === undefined ? '' : latency(ms)));
  return [name, kind, rate(perSecond), failedPerSecond === 0 ? '' : rate(failedPerSecond), ...times, String(nodes)];
}
