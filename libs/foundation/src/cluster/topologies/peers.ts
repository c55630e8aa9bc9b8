/**
 * Pure: what strategies report → checked, and merged into one list of nodes that should exist.
 * Called by `strategy.runner.ts` and `topologies.ts`.
 */
import type { Peer, PeerState } from '../../config/topology.strategy.js';

/** More peers than any cluster has nodes; a source that lists more is not believed. */
export const MAX_PEERS = 10_000;
const STATES: readonly PeerState[] = ['ready', 'not-ready', 'leaving', 'terminated'];
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 300;

/**
 * The peers of a report that are what they should be, each id once (the last one), without properties that are not
 * known.
 *
 * @throws Error when it is no list, or one that is too long: then nothing of it is taken.
 */
export function checkedPeers(value: unknown): { peers: Peer[]; dropped: number } {
  if (!Array.isArray(value)) throw new Error('the strategy reported peers that are no list');
  if (value.length > MAX_PEERS) throw new Error(`the strategy reported ${value.length} peers, more than ${MAX_PEERS}`);
  const peers = new Map<string, Peer>();
  let dropped = 0;
  for (const each of value as unknown[]) {
    const peer = checkedPeer(each);
    if (peer === undefined) dropped++;
    else peers.set(peer.id, peer);
  }
  return { peers: [...peers.values()], dropped };
}

function checkedPeer(value: unknown): Peer | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, state, node, host, address } = value as Record<string, unknown>;
  const known = STATES.find((each) => each === state);
  if (!isText(id) || known === undefined) return undefined;
  return {
    id,
    state: known,
    ...(isText(node) ? { node } : {}),
    ...(isText(host) ? { host } : {}),
    ...(isText(address) ? { address } : {}),
  };
}

/** `terminated` last: one strategy that still sees a node outweighs another one that says it has ended. */
const PRECEDENCE: readonly PeerState[] = ['ready', 'not-ready', 'leaving', 'terminated'];

/**
 * One list out of those of several strategies. Two peers of different strategies are one node when they share its name,
 * its host or its address; within one strategy each is its own. It costs one look-up for each peer and key, not one for
 * each pair: a cluster of 1,000 pods that all are replaced is merged many times.
 */
export function mergePeers(lists: readonly (readonly Peer[])[]): Peer[] {
  const merged: Peer[] = [];
  const places = new Map<string, number>();
  for (const list of lists) {
    for (const peer of list) {
      const found = keysOf(peer).map((key) => places.get(key) ?? Infinity);
      const at = Math.min(...found, Infinity);
      const same = merged[at];
      if (same === undefined) merged.push(peer);
      else merged[at] = { ...peer, ...same, state: livelier(same.state, peer.state) };
    }
    // Only now, so that no two peers of one list become one; what a peer learned in this list counts for the next.
    if (list !== lists.at(-1)) note(merged, places);
  }
  return merged;
}

/** Notes the first peer of each key; those that were there before may have new keys. */
function note(merged: readonly Peer[], places: Map<string, number>): void {
  merged.forEach((peer, at) => {
    for (const key of keysOf(peer)) if (at < (places.get(key) ?? Infinity)) places.set(key, at);
  });
}

const KEYS = ['node', 'host', 'address'] as const;
const keysOf = (peer: Peer): string[] =>
  KEYS.flatMap((key) => (peer[key] === undefined ? [] : [`${key} ${peer[key]}`]));

const livelier = (a: PeerState, b: PeerState): PeerState => (PRECEDENCE.indexOf(a) <= PRECEDENCE.indexOf(b) ? a : b);

/** How many nodes there should be: those that are wanted and not on their way out. */
export function expectedOf(peers: readonly Peer[]): number {
  return peers.filter(({ state }) => state === 'ready' || state === 'not-ready').length;
}

/** What a pod with `setHostnameAsFQDN` calls itself: `web-1.shop.shop.svc.cluster.local`. */
const FQDN_OF_POD = /^([^.]+)\..*\.svc(?:\.|$)/;

/** Peers by what members are called, so that it costs the same to ask for one of a thousand. */
export class PeerIndex {
  readonly #byNode = new Map<string, Peer[]>();
  readonly #byHost = new Map<string, Peer[]>();

  constructor(peers: Iterable<Peer>) {
    for (const peer of peers) {
      // A peer whose name is known is not sought by its host, which other nodes may share.
      if (peer.node !== undefined) add(this.#byNode, peer.node, peer);
      else if (peer.host !== undefined) add(this.#byHost, peer.host, peer);
    }
  }

  /**
   * What is said of a member: by its name, or where the source does not know that, by its host, which it may be named
   * after.
   */
  of({ name, host }: { name: string; host: string }): Peer[] {
    const [, pod = host] = FQDN_OF_POD.exec(host) ?? [];
    const hosts = [...new Set([host, name, pod])];
    return [...(this.#byNode.get(name) ?? []), ...hosts.flatMap((each) => this.#byHost.get(each) ?? [])];
  }
}

function add(peers: Map<string, Peer[]>, key: string, peer: Peer): void {
  const known = peers.get(key);
  if (known === undefined) peers.set(key, [peer]);
  else known.push(peer);
}
