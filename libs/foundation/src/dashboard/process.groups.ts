/**
 * Pure: the partitions and replicas of each process as one line: how many there are, how many run, and where.
 * Read by `page/processes.js`; called by the poller.
 */
import { processOf } from '../cluster/slot.names.js';
import type { ProcessInfo } from '../processes/process.ref.js';

/** See the file header. */
export interface ProcessGroupSeen {
  name: string;
  kind: ProcessInfo['kind'];
  /** How many there are. */
  count: number;
  /** State → how many are in it. */
  states: Record<string, number>;
  /** The nodes of those that run, the one with most of them first. */
  nodes: [node: string, running: number][];
  restarts: number;
}

/** Nodes of a group that are named. */
const MAX_GROUP_NODES = 100;

/** The process that a partition or a replica belongs to; a singleton is its own. */
export function groupOf({ name, kind }: Pick<ProcessInfo, 'name' | 'kind'>): string {
  return kind === 'singleton' ? name : processOf(name);
}

/** Of all that have more than one instance. `state` is what the page says of one. */
export function groupsOf(
  processes: readonly (Pick<ProcessInfo, 'name' | 'kind' | 'node' | 'crashes'> & { state: string })[],
): ProcessGroupSeen[] {
  const groups = new Map<string, typeof processes>();
  for (const each of processes) {
    if (each.kind === 'singleton') continue;
    const name = groupOf(each);
    const known = groups.get(name) as (typeof each)[] | undefined;
    if (known === undefined) groups.set(name, [each]);
    else known.push(each);
  }
  return [...groups].filter(([, all]) => all.length > 1).map(([name, all]) => groupSeen(name, all));
}

function groupSeen(
  name: string,
  all: readonly (Pick<ProcessInfo, 'name' | 'kind' | 'node' | 'crashes'> & { state: string })[],
): ProcessGroupSeen {
  const states: Record<string, number> = {};
  const nodes = new Map<string, number>();
  let restarts = 0;
  for (const { state, node, crashes = 0 } of all) {
    states[state] = (states[state] ?? 0) + 1;
    restarts += crashes;
    if (state === 'running' && node !== undefined) nodes.set(node, (nodes.get(node) ?? 0) + 1);
  }
  const sorted = [...nodes].sort(([a, more], [b, fewer]) => fewer - more || (a < b ? -1 : 1));
  return { name, kind: all[0]!.kind, count: all.length, states, nodes: sorted.slice(0, MAX_GROUP_NODES), restarts };
}
