/**
 * Which nodes began to send after this one began to listen, so that even their first messages can be missed; and which
 * are gone. Called by the facade; reads the membership.
 */
import type { Membership } from '../cluster/membership.js';

/** So many nodes that left are kept in mind: one that only seemed to, when Redis lost its data, goes on where it was. */
const MAX_FORMER = 1000;

/** See the file header. */
export class Senders {
  /** Boot id → when it had joined; the oldest first. */
  readonly #former = new Map<string, number>();
  /** Boot id → when it joined, as of the first sight of it: a node that joins again has sent before. */
  #joinedAt = new Map<string, number>();
  readonly #listensSince = new Map<string, number>();
  #forget: (isGone: (bootId: string) => boolean) => void = () => undefined;

  constructor(private readonly membership: Membership) {
    membership.listen({ changed: () => this.#look() });
  }

  /** Tells of senders that left long ago. */
  onGone(forget: (isGone: (bootId: string) => boolean) => void): void {
    this.#forget = forget;
  }

  /** This node listens to the channel from now on. */
  listens(channel: string): void {
    const joined = this.membership.state !== 'joining';
    this.#listensSince.set(channel, joined ? this.membership.clusterNow() : 0);
  }

  /** True when the node joined after this one had joined and listened to the channel. */
  startsHere(bootId: string, channel: string): boolean {
    const joinedAt = this.#joinedAt.get(bootId);
    const ownAt = this.#joinedAt.get(this.membership.self.bootId);
    const since = this.#listensSince.get(channel);
    if (joinedAt === undefined || ownAt === undefined || since === undefined) return false;
    return joinedAt > Math.max(ownAt, since);
  }

  #look(): void {
    const members = this.membership.members();
    const first = (bootId: string): number | undefined => this.#joinedAt.get(bootId) ?? this.#former.get(bootId);
    const now = new Map(members.map(({ bootId, joinedAt }) => [bootId, first(bootId) ?? joinedAt]));
    // Only who was in the view can have left it: the first message of a node may come before its record.
    for (const [bootId, joinedAt] of this.#joinedAt) if (!now.has(bootId)) this.#former.set(bootId, joinedAt);
    for (const bootId of now.keys()) this.#former.delete(bootId);
    this.#joinedAt = now;
    const gone = [...this.#former.keys()].slice(0, Math.max(0, this.#former.size - MAX_FORMER));
    for (const bootId of gone) this.#former.delete(bootId);
    if (gone.length > 0) this.#forget((bootId) => gone.includes(bootId));
  }
}
