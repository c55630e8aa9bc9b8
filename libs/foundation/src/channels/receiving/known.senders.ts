/**
 * Which nodes began to send after this one began to listen, so that even their first messages can be missed; since when
 * nothing was lost of the others; and who is gone. Underneath the membership.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Beginning } from './gap.detector.js';

/**
 * Remembered nodes that left: one that only seemed to, when Redis lost its data, continues its sequences.
 */
const MAX_FORMER = 1000;

/** See the file header. */
export class KnownSenders {
  /** Boot id → when it had joined; the oldest first. */
  readonly #former = new Map<string, number>();
  /** Boot id → when it joined, as of the first sight of it: a node that joins again has sent before. */
  #joinedAt = new Map<string, number>();
  /** When this node itself first joined: it is not in its own view while Redis does not know it. */
  #ownAt: number | undefined;
  /** By the Redis clock, like the times of joins; one for each declared channel. */
  readonly #listensSince = new Map<string, number>();
  /** Boot id → when messages of this member, or former member, may last have been lost. */
  readonly #cutOff = new Map<string, number>();
  /** The same for all senders. */
  #allCutOff = -Infinity;
  #forget: (isGone: (bootId: string) => boolean) => void = () => undefined;

  constructor(private readonly membership: ClusterView) {
    membership.listen({ changed: () => this.#update() });
  }

  /** Notifies of senders that left long ago. */
  onGone(forget: (isGone: (bootId: string) => boolean) => void): void {
    this.#forget = forget;
  }

  /** This node listens to the channel from now on: the subscription is in place. */
  listens(channel: string): void {
    this.#listensSince.set(channel, this.#now());
  }

  /** Messages sent until now may have been lost: of all nodes, or of one. */
  interrupted(bootId?: string): void {
    const now = this.#now();
    if (bootId === undefined) this.#allCutOff = now;
    else this.#cutOff.set(bootId, now);
  }

  /** True when messages of a node that joined at that time may have been lost. */
  mayHaveLost(bootId: string, joinedAt: number): boolean {
    return joinedAt <= this.#cutOffAt(bootId);
  }

  /** What the first message of a node on the channel means. */
  beginningOf(bootId: string, channel: string): Beginning {
    const joinedAt = this.#joinedAt.get(bootId);
    const ownAt = this.#ownAt;
    const listensSince = this.#listensSince.get(channel);
    if (ownAt === undefined || listensSince === undefined) return 'before';
    const since = Math.max(ownAt, listensSince);
    if (joinedAt !== undefined && joinedAt > since) return 'here';
    return this.#cutOffAt(bootId) > since ? 'unknown' : 'before';
  }

  /** Nothing is missed by a node that has not joined, and it does not know the time yet. */
  #now(): number {
    return this.membership.state === 'joining' ? 0 : this.membership.clusterNow();
  }

  #cutOffAt(bootId: string): number {
    return Math.max(this.#allCutOff, this.#cutOff.get(bootId) ?? -Infinity);
  }

  #update(): void {
    const members = this.membership.members();
    const first = (bootId: string): number | undefined => this.#joinedAt.get(bootId) ?? this.#former.get(bootId);
    const now = new Map(members.map(({ bootId, joinedAt }) => [bootId, first(bootId) ?? joinedAt]));
    this.#ownAt ??= now.get(this.membership.self.bootId);
    // Only a node of the view can leave it: the first message of a node may come before its record.
    for (const [bootId, joinedAt] of this.#joinedAt) if (!now.has(bootId)) this.#former.set(bootId, joinedAt);
    for (const bootId of now.keys()) this.#former.delete(bootId);
    this.#joinedAt = now;
    const gone = [...this.#former.keys()].slice(0, Math.max(0, this.#former.size - MAX_FORMER));
    for (const bootId of gone) this.#former.delete(bootId);
    // One that only seemed to leave goes on after what was lost.
    const isKnown = (bootId: string): boolean => now.has(bootId) || this.#former.has(bootId);
    for (const bootId of this.#cutOff.keys()) if (!isKnown(bootId)) this.#cutOff.delete(bootId);
    if (gone.length > 0) this.#forget((bootId) => gone.includes(bootId));
  }
}
