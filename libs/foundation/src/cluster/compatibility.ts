/**
 * Pure: what nodes must agree about → which of them may be in the cluster, and what they differ in.
 * Asked by the membership when a node joins and with each change of the view; by health and the doctor.
 * docs/guides/releases.md has the rules.
 */
import type { NodeRecord } from '../backend/directory/directory.js';

/**
 * The words that nodes have for one another, as a number: raised when a node of before would misunderstand one of now.
 */
export const PROTOCOL = 1;
/** The oldest that this version understands. */
export const OLDEST_PROTOCOL = 1;

/** What a node says of its settings. */
export type Terms = Pick<
  NodeRecord,
  | 'name'
  | 'version'
  | 'leaseServers'
  | 'leaseNames'
  | 'leaseTtl'
  | 'beatEvery'
  | 'ttl'
  | 'address'
  | 'protocol'
  | 'declares'
>;

/** A node that cannot be in the same cluster, and what both say. */
export interface Refusal {
  setting: 'redis.quorum' | 'version';
  node: string;
  mine: string;
  theirs: string;
  advice: string;
}

/** Something that nodes do not agree about. */
export interface Difference {
  setting: string;
  /** Each value, and the nodes that have it. */
  values: { value: string; nodes: string[] }[];
  /** What follows; `refused` should never be seen, because the node that joins second is rejected. */
  rule: 'refused' | 'settled';
  /** A sentence: which value counts. */
  outcome: string;
}

/**
 * Why a node cannot be in one cluster with another one; `undefined` when it can.
 *
 * INVARIANT (I1): all nodes lease on the same number of servers. A majority of one set and one of another may not share
 * a server, and then each of them has an owner.
 */
export function refusalOf(mine: Terms, others: readonly Terms[]): Refusal | undefined {
  for (const other of others) {
    if (other.leaseServers !== mine.leaseServers) {
      return {
        setting: 'redis.quorum',
        node: other.name,
        mine: `leases on ${mine.leaseServers} Redis servers`,
        theirs: `has them on ${other.leaseServers}`,
        advice: 'the same servers on every node; to change them, stop all nodes first',
      };
    }
    if (!understand(protocolOf(mine), protocolOf(other))) {
      return {
        setting: 'version',
        node: other.name,
        mine: `Foundation ${mine.version} with protocol ${words(mine)}`,
        theirs: `has Foundation ${other.version} with protocol ${words(other)}`,
        advice:
          'versions that understand a common protocol; update by way of one that understands both, or stop all nodes first',
      };
    }
  }
  return undefined;
}

/** What the nodes differ in, by setting. */
export function differencesOf(nodes: readonly Terms[]): Difference[] {
  const differences = [
    differ('redis.quorum', nodes, ({ leaseServers }) => String(leaseServers), 'refused', 'leases may have two owners'),
    differ(
      'servers of redis.quorum',
      // Each node may have names of its own for the same servers, so this refuses nobody.
      nodes,
      ({ leaseNames }) => leaseNames,
      'settled',
      'unless these are other names of the same servers, leases may have two owners: stop all nodes, and give them one list',
    ),
    differ(
      'lease.ttl',
      nodes,
      ({ leaseTtl }) => (leaseTtl === undefined ? undefined : `${leaseTtl} ms`),
      'settled',
      'each owner keeps its own, and after a loss of data new owners wait for the longest',
    ),
    differ(
      'membership',
      nodes,
      ({ beatEvery, ttl }) => (ttl === undefined ? undefined : `beatEvery ${beatEvery} ms, ttl ${ttl} ms`),
      'settled',
      'each node is judged by its own',
    ),
    differ(
      'transport',
      nodes,
      ({ address }) => (address === undefined ? 'redis' : 'direct'),
      'settled',
      'those with links use them among themselves, and Redis to the others',
    ),
    differ('version', nodes, ({ version }) => version, 'settled', 'they understand one another'),
  ];
  const declared = disputed(nodes).map((name) =>
    differ(
      `process ${name}`,
      nodes,
      ({ declares }) => declares?.[name],
      'settled',
      'what runs stays as it is until all that declare it declare the same',
    ),
  );
  return [...differences, ...declared].filter((each) => each !== undefined);
}

/** One line: `lease.ttl: 1500 ms (a, b) and 10000 ms (c); each owner keeps …`. */
export function describeDifference({ setting, values, outcome }: Difference): string {
  const said = values.map(({ value, nodes }) => `${value} (${listed(nodes)})`).join(' and ');
  return `${setting}: ${said}; ${outcome}`;
}

/**
 * True when all nodes that declare a process declare this very thing. One that has its class and does not say counts
 * too.
 */
export function isAgreed(
  name: string,
  type: string,
  declaration: string,
  nodes: readonly (Terms & Pick<NodeRecord, 'classes'>)[],
): boolean {
  return nodes.every(({ declares, classes }) => {
    if (declares === undefined) return !classes.includes(type);
    return declares[name] === undefined || declares[name] === declaration;
  });
}

/**
 * Whether any of these nodes declares a process; a node of a version that does not say counts by its classes. Without a
 * node nothing is known, so everything counts as declared.
 */
export function declaredBy(
  nodes: readonly (Pick<Terms, 'declares'> & Pick<NodeRecord, 'classes'>)[],
): (process: { name: string; type: string }) => boolean {
  // Nodes of one version share what was read of the first of them.
  const said = [...new Set(nodes.map(({ declares }) => declares))].filter((declares) => declares !== undefined);
  const silent = nodes.filter(({ declares }) => declares === undefined);
  return ({ name, type }) =>
    nodes.length === 0 ||
    said.some((declares) => Object.hasOwn(declares, name)) ||
    silent.some(({ classes }) => classes.includes(type));
}

const MOST_NAMES = 3;

/**
 * The names that not all who declare them declare alike, in their order. Nodes may declare ten thousand, and this is
 * asked with each change of a member: nothing is made of a name about which all agree.
 */
function disputed(nodes: readonly Terms[]): string[] {
  const first = new Map<string, string>();
  const names = new Set<string>();
  // Nodes of one version share what was read of the first of them.
  const distinct = new Set(nodes.map(({ declares = {} }) => declares));
  if (distinct.size < 2) return [];
  for (const declares of distinct) {
    for (const name of Object.keys(declares)) {
      const declaration = declares[name]!;
      const known = first.get(name);
      if (known === undefined) first.set(name, declaration);
      else if (known !== declaration) names.add(name);
    }
  }
  return [...names].sort();
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ');
}

function differ(
  setting: string,
  nodes: readonly Terms[],
  read: (terms: Terms) => string | undefined,
  rule: Difference['rule'],
  outcome: string,
): Difference | undefined {
  const values = new Map<string, string[]>();
  for (const node of nodes) {
    const value = read(node);
    if (value !== undefined) values.set(value, [...(values.get(value) ?? []), node.name]);
  }
  if (values.size < 2) return undefined;
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  return { setting, values: sorted.map(([value, each]) => ({ value, nodes: each.sort() })), rule, outcome };
}

/** The newest and the oldest that a node understands; a node that does not say is of the first version. */
function protocolOf({ protocol }: Pick<Terms, 'protocol'>): { newest: number; oldest: number } {
  return protocol ?? { newest: 1, oldest: 1 };
}

function words(terms: Pick<Terms, 'protocol'>): string {
  const { newest, oldest } = protocolOf(terms);
  return newest === oldest ? String(newest) : `${oldest} to ${newest}`;
}

function understand(a: { newest: number; oldest: number }, b: { newest: number; oldest: number }): boolean {
  return a.newest >= b.oldest && b.newest >= a.oldest;
}
