/**
 * Tells the peers that this node is there, and what it listens to from now on, or no longer. Called by the direct
 * transport.
 */
import { within } from '../../../time/timeout.js';
import type { Peer } from './peer.js';
import { encodeTopics, type TopicChange } from './topic.messages.js';

/** How long peers get to confirm that they know of a topic, in milliseconds. */
const ANNOUNCE_MS = 1000;

/**
 * Resolves when all peers know, or have had the time to; `late` is called for each that knows only then.
 *
 * INVARIANT (I21): what a peer sends before it knows of a topic does not come here; who listens by then hears that it
 * may be missing.
 */
export async function announce(
  peers: readonly Pick<Peer, 'bootId' | 'change'>[],
  change: TopicChange,
  all: () => Buffer,
  late: (bootId: string, topic: string) => void,
): Promise<void> {
  const body = encodeTopics(change);
  let isLate = false;
  const known = peers.map(async (peer) => {
    await new Promise<void>((resolve) => peer.change(body, all, resolve));
    for (const topic of change.add ?? []) if (isLate) late(peer.bootId, topic);
  });
  await within(ANNOUNCE_MS, Promise.all(known), 'late').catch(() => (isLate = true));
}

/**
 * Resolves when all peers know this node, or have had the time to; with what calls `late` for each that may not.
 *
 * INVARIANT (I21): what a peer sends before it knows this node does not come here; of one that is late, who listens
 * hears that something may be missing.
 */
export async function greet(
  peers: readonly Pick<Peer, 'bootId' | 'idle'>[],
  late: (bootId: string) => void,
): Promise<() => void> {
  const unknown = new Set(peers.map(({ bootId }) => bootId));
  const greeted = peers.map(async (peer) => {
    // What this node listens to is the first that it sends to each.
    await peer.idle();
    unknown.delete(peer.bootId);
  });
  await within(ANNOUNCE_MS, Promise.all(greeted), 'late').catch(() => undefined);
  const left = [...unknown];
  return () => left.forEach(late);
}
