/**
 * Pure: what strategies report → checked, and merged into one list of nodes that should exist.
 * Called by `strategy.runner.ts` and `topologies.ts`.
 */
import type { Peer, PeerState } from '../../config/topology.strategy.js';

/** More peers than any cluster has nodes; a source that lists more is not believed. */
const MAX_PEERS = 10_000;
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
 * its host or its address; within one strategy each is its own.
 */
export function mergePeers(lists: readonly (readonly Peer[])[]): Peer[] {
  const merged: Peer[] = [];
  for (const list of lists) {
    const before = merged.length;
    for (const peer of list) {
      const at = merged.findIndex((other, index) => index < before && isSame(other, peer));
      const same = merged[at];
      if (same === undefined) merged.push(peer);
      else merged[at] = { ...peer, ...same, state: livelier(same.state, peer.state) };
    }
  }
  return merged;
}

const isSame = (a: Peer, b: Peer): boolean =>
  (['node', 'host', 'address'] as const).some((key) => a[key] !== undefined && a[key] === b[key]);

const livelier = (a: PeerState, b: PeerState): PeerState => (PRECEDENCE.indexOf(a) <= PRECEDENCE.indexOf(b) ? a : b);

/** How many nodes there should be: those that are wanted and not on their way out. */
export function expectedOf(peers: readonly Peer[]): number {
  return peers.filter(({ state }) => state === 'ready' || state === 'not-ready').length;
}

/**
 * What is said of a member: by its name, or where the source does not know that, by its host, which it may be named
 * after.
 */
export function peersOf(peers: readonly Peer[], { name, host }: { name: string; host: string }): Peer[] {
  return peers.filter((peer) =>
    peer.node === undefined ? peer.host === host || peer.host === name : peer.node === name,
  );
}
