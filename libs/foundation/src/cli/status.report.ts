/**
 * Pure: a snapshot of the cluster → lines for a terminal.
 * Called by `status` and `top`.
 */
import { processOf } from '../cluster/slot.names.js';
import type { HealthStatus } from '../health/health.reasons.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import type { ServiceInfo } from '../services/service.js';
import { count, duration } from './format.js';
import type { NodeSeen, Snapshot } from './snapshot.js';
import { type Color, paint, type Terminal } from './terminal.js';
import { type Column, drawTable, wrap } from './text.table.js';

/** Of a table of instances at most this many lines per process are shown, those that do not run first. */
const INSTANCES = 3;

const HEALTH: Record<HealthStatus, Color> = { healthy: 'green', degraded: 'yellow', critical: 'red' };

type Look = Pick<Terminal, 'width' | 'hasColor'>;

/** The lines. */
export function overviewLines(snapshot: Snapshot, look: Look): string[] {
  const { app, now, nodes, processes, services, health } = snapshot;
  const counts = [count(nodes.length, 'node'), count(processes.length, 'process', 'processes')];
  const head = `${app}: ${paint(look, HEALTH[health.status], health.status)}, ${counts.join(', ')}`;
  const reasons = health.reasons.flatMap(({ severity, message, detail }) =>
    wrap(
      detail === undefined ? message : `${message} (${detail})`,
      look.width === undefined ? undefined : look.width - 4,
    ).map((line, index) =>
      index === 0 ? `${paint(look, severity === 'critical' ? 'red' : 'yellow', '  !')} ${line}` : `    ${line}`,
    ),
  );
  return [
    head,
    ...reasons,
    ...nobodyLines(snapshot, look),
    ...section(
      look,
      nodeTable(nodes, now),
      nodes.map(({ state }) => (state === 'up' ? undefined : 'yellow')),
    ),
    ...processSection(processes, now, look),
    ...section(look, serviceTable(services), serviceColors(services)),
  ];
}

/** A name that is misspelt looks like an outage. */
function nobodyLines({ nodes, redis, others = [] }: Snapshot, { width }: Look): string[] {
  if (nodes.length > 0) return [];
  const there = others.length === 0 ? '' : ` There are: ${others.join(', ')}.`;
  return wrap(`No node of this name is in ${redis}. Is --app, or FOUNDATION_APP_NAME, right?${there}`, width);
}

interface Table {
  columns: Column[];
  rows: string[][];
}

/** A table after an empty line; none when it has no rows. */
function section(look: Look, { columns, rows }: Table, colors: readonly (Color | undefined)[]): string[] {
  if (rows.length === 0) return [];
  const [titles = '', ...lines] = drawTable(columns, rows, look.width);
  return ['', paint(look, 'bold', titles), ...lines.map((line, index) => paint(look, colors[index], line))];
}

function nodeTable(nodes: readonly NodeSeen[], now: number): Table {
  return {
    columns: [
      { title: 'NODE', shrinks: true },
      { title: 'STATE' },
      { title: 'LOAD', align: 'right' },
      { title: 'LAG', align: 'right' },
      { title: 'MEMBER FOR', align: 'right' },
      { title: 'WHERE', shrinks: true },
      { title: 'LABELS', shrinks: true },
    ],
    rows: nodes.map(({ name, state, load, capacity, lag, joinedAt, host, pid, labels }) => [
      name,
      state,
      capacity === undefined ? String(load) : `${load}/${capacity}`,
      duration(lag),
      duration(now - joinedAt),
      `${host}:${pid}`,
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    ]),
  };
}

/** One line for a process; several for one with many instances would hide the others. */
function processSection(processes: readonly ProcessInfo[], now: number, look: Look): string[] {
  const rows = linesOf(processes).map((line) => ({
    cells: line.summary ?? [
      line.info.name,
      line.info.kind,
      line.info.state,
      line.info.node ?? '',
      line.info.startedAt === undefined ? '' : duration(now - line.info.startedAt),
      line.info.error ?? '',
    ],
    color: line.summary === undefined ? colorOf(line.info) : undefined,
  }));
  const columns: Column[] = [
    { title: 'PROCESS', shrinks: true },
    { title: 'KIND' },
    { title: 'STATE' },
    { title: 'NODE', shrinks: true },
    { title: 'FOR', align: 'right' },
    { title: 'LAST ERROR', shrinks: true },
  ];
  return section(
    look,
    { columns, rows: rows.map(({ cells }) => cells) },
    rows.map(({ color }) => color),
  );
}

type Line = { info: ProcessInfo; summary?: undefined } | { summary: string[] };

/** The instances of one process together; when they are many, how many run where, and those that do not run. */
function linesOf(processes: readonly ProcessInfo[]): Line[] {
  const groups = new Map<string, ProcessInfo[]>();
  for (const info of processes) {
    const name = info.kind === 'singleton' ? info.name : processOf(info.name);
    groups.set(name, [...(groups.get(name) ?? []), info]);
  }
  return [...groups].flatMap(([name, infos]): Line[] => {
    if (infos.length <= INSTANCES) return infos.map((info) => ({ info }));
    const running = infos.filter(({ state }) => state === 'running');
    const others = infos.filter(({ state }) => state !== 'running').map((info) => ({ info }));
    const summary = [name, infos[0]!.kind, `${running.length} of ${infos.length} run`, spread(running), '', ''];
    return [{ summary }, ...others.slice(0, INSTANCES)];
  });
}

/** `node-a 22, node-b 21`. */
function spread(running: readonly ProcessInfo[]): string {
  const nodes = new Map<string, number>();
  for (const { node = '?' } of running) nodes.set(node, (nodes.get(node) ?? 0) + 1);
  return [...nodes].map(([node, number]) => `${node} ${number}`).join(', ');
}

function colorOf({ state }: ProcessInfo): Color | undefined {
  if (state === 'running') return undefined;
  if (state === 'escalated' || state === 'failed' || state === 'lost') return 'red';
  return state === 'completed' || state === 'stopped' ? 'dim' : 'yellow';
}

function serviceTable(services: readonly ServiceInfo[]): Table {
  return {
    columns: [
      { title: 'SERVICE', shrinks: true },
      { title: 'HEALTHY', align: 'right' },
      { title: 'NODES', shrinks: true },
      { title: 'CAPABILITIES', shrinks: true },
    ],
    rows: byName(services).map(([name, instances]) => [
      name,
      `${instances.filter(({ status }) => status === 'healthy').length}/${instances.length}`,
      [...new Set(instances.map(({ node }) => node))].join(', '),
      [...new Set(instances.flatMap(({ capabilities }) => capabilities))].join(', '),
    ]),
  };
}

function serviceColors(services: readonly ServiceInfo[]): (Color | undefined)[] {
  return byName(services).map(([, instances]) => {
    const healthy = instances.filter(({ status }) => status === 'healthy').length;
    return healthy === instances.length ? undefined : healthy === 0 ? 'red' : 'yellow';
  });
}

function byName(services: readonly ServiceInfo[]): [string, ServiceInfo[]][] {
  const names = [...new Set(services.map(({ name }) => name))].sort();
  return names.map((name) => [name, services.filter((service) => service.name === name)]);
}
