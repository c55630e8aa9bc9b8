/**
 * Pure: what the demo saw → its summary, and which expectations were not met.
 */
import { type EpochCount, type Happening, messagesLost, overlapsOf, type Ownership, ownerships } from './history.js';

/** What the demo knows at its end. */
export interface Facts {
  redis: string;
  nodes: readonly string[];
  /** Name of the process. */
  singleton: string;
  happenings: readonly Happening[];
  spawnedAt: number;
  killed?: { node: string; at: number };
  /** When the demo began to stop the nodes; what they hand over after that is no takeover. */
  stoppingAt: number;
  /** The counts of each node that lived through it all. */
  survivors: readonly (readonly EpochCount[])[];
  /** Nodes that saw every node as a member at the end. */
  completeViews: readonly string[];
  /** What was waited for in vain, and other things that went wrong. */
  problems: readonly string[];
}

/** What `--json` prints. `null` is what never came. */
export interface Summary {
  redis: string;
  nodes: readonly string[];
  /** From the first spawn until every node saw every member and the singleton ran. */
  formationMs: number | null;
  killed: string | null;
  /** From the SIGKILL until the singleton had started on another node. */
  failoverMs: number | null;
  epochs: number[];
  owners: string[];
  /** Pairs of ownerships of different nodes with any time in common. */
  overlaps: number;
  /** See {@link messagesLost}. */
  messagesLost: number | null;
}

/** A generous safety limit; the measured value is far below. */
export const FAILOVER_LIMIT_MS = 5000;

export function summarize(facts: Facts): Summary {
  const { redis, nodes, spawnedAt, killed } = facts;
  const all = ownerships(facts.happenings, facts.singleton);
  const owners = all.filter(({ startedAt = Infinity }) => startedAt <= facts.stoppingAt);
  const successor = owners.find(({ startedAt = 0 }) => killed !== undefined && startedAt > killed.at);
  return {
    redis,
    nodes,
    formationMs: passed(spawnedAt, formedAt(facts, owners)),
    killed: killed?.node ?? null,
    failoverMs: killed === undefined ? null : passed(killed.at, successor?.startedAt),
    epochs: owners.map(({ epoch }) => epoch),
    owners: owners.map(({ node }) => node),
    overlaps: overlapsOf(all),
    messagesLost: facts.survivors.length === 0 ? null : messagesLost(facts.survivors),
  };
}

/** The expectations that were not met, each as a sentence. */
export function unmet(facts: Facts, summary: Summary): string[] {
  const { epochs, owners, failoverMs, overlaps } = summary;
  const incomplete = facts.nodes.filter((node) => !facts.completeViews.includes(node));
  const checks: [boolean, string][] = [
    [summary.formationMs !== null, 'the nodes must form a cluster'],
    [owners.length === 2, `there must be exactly one takeover; the owners were: ${list(owners)}`],
    [epochs.every((epoch, i) => i === 0 || epoch > epochs[i - 1]!), `epochs must rise; they were: ${list(epochs)}`],
    [owners.every((owner, i) => owner !== owners[i - 1]), `an owner must differ from the last: ${list(owners)}`],
    [overlaps === 0, `no two nodes may own it at the same time; pairs that did: ${overlaps}`],
    [
      failoverMs !== null && failoverMs < FAILOVER_LIMIT_MS,
      `the takeover must take less than ${FAILOVER_LIMIT_MS} ms; it took: ${ms(failoverMs)}`,
    ],
    [incomplete.length === 0, `in the end every node must see every member; these did not: ${list(incomplete)}`],
  ];
  return [...facts.problems, ...checks.filter(([met]) => !met).map(([, sentence]) => sentence)];
}

/** The summary for people. */
export function render(summary: Summary): string {
  const { nodes, killed } = summary;
  const rows = [
    ['Redis', summary.redis],
    ['Formation', `${ms(summary.formationMs)} from the first spawn until each node saw ${nodes.length} members`],
    ['Killed', killed === null ? 'none' : `${killed}, by SIGKILL`],
    ['Failover', `${ms(summary.failoverMs)} from the SIGKILL until the singleton ran again`],
    ['Owners', list(summary.owners)],
    ['Epochs', list(summary.epochs)],
    ['Overlaps', `${summary.overlaps} (pairs of nodes that owned it at the same time)`],
    ['Messages lost', `${summary.messagesLost ?? 'not counted'} (ticks that a surviving node missed)`],
  ];
  return rows.map(([label = '', value = '']) => `  ${label.padEnd(14)} ${value}`).join('\n');
}

function formedAt({ nodes, happenings }: Facts, owners: readonly Ownership[]): number | undefined {
  const complete = nodes.map(
    (node) => happenings.find((seen) => seen.node === node && seen.members === nodes.length)?.at ?? Infinity,
  );
  const at = Math.max(...complete, owners[0]?.startedAt ?? Infinity);
  return Number.isFinite(at) ? at : undefined;
}

function passed(from: number, to: number | undefined): number | null {
  return to === undefined ? null : Math.round(to - from);
}

function ms(value: number | null): string {
  return value === null ? 'never' : `${value} ms`;
}

function list(values: readonly (string | number)[]): string {
  return values.length === 0 ? 'none' : values.join(', ');
}
