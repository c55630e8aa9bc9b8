/**
 * Who listens to which channel: this node's entry in its own record, and the records of the other nodes. For
 * acknowledgements and groups. Underneath the membership; no network of its own.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import { ArgumentError } from '../../errors/config.errors.js';
import type { NodeAddress } from '../node.messages.js';

interface GroupMember {
  bootId: string;
  type: string | undefined;
  isUp: boolean;
}

/** The other nodes that listen to one channel, and the members of its groups. */
interface Listeners {
  others: NodeAddress[];
  /** Boot ids of those that listen for themselves, whatever their groups. */
  alone: Set<string>;
  groups: Map<string, GroupMember[]>;
}

/** More would make the record large, which every node reads at every change. */
const MAX_ENTRIES = 1000;

/** See the file header. */
export class Audience {
  /** Channel → entry → number of subscriptions. */
  readonly #own = new Map<string, Map<string, number>>();
  readonly #listeners = new Map<string, Listeners>();
  /**
   * Channel and group → whose turn it is: with one for all of them, two groups would each have only half their members.
   */
  readonly #turns = new Map<string, number>();

  constructor(private readonly membership: ClusterView) {
    // A heartbeat, too: it shows which nodes are late.
    membership.listen({ changed: () => this.#listeners.clear(), beat: () => this.#listeners.clear() });
  }

  /**
   * Publishes that this node listens. Many changes in a short time are one change of its record, which the other nodes
   * have about 50 ms and a round trip later. Returns the function that withdraws it, which returns true when the record
   * says so from then on.
   */
  add(channel: string, group?: string, type?: string): () => boolean {
    const entry = group === undefined ? '' : type === undefined ? group : `${group} ${type}`;
    const entries = this.#own.get(channel) ?? new Map<string, number>();
    const isNew = !entries.has(entry);
    if (isNew && this.#size() >= MAX_ENTRIES) {
      throw new ArgumentError('subscribe', 'channel', `one more than ${MAX_ENTRIES} different subscriptions`, 'fewer');
    }
    this.#own.set(channel, entries.set(entry, (entries.get(entry) ?? 0) + 1));
    if (isNew) this.#publish();
    let added = true;
    return () => {
      if (!added) return false;
      added = false;
      const left = (entries.get(entry) ?? 0) - 1;
      entries.set(entry, left);
      if (left > 0) return false;
      entries.delete(entry);
      if (entries.size === 0 && this.#own.get(channel) === entries) this.#own.delete(channel);
      this.#publish();
      return true;
    };
  }

  /** The other nodes that listen to a channel, as far as this node knows. */
  others(channel: string): readonly NodeAddress[] {
    return this.#of(channel).others;
  }

  /** Those of them that get a message: they listen for themselves, or were picked of a group. */
  takers(channel: string, picked: Readonly<Record<string, string>> | undefined): NodeAddress[] {
    const { others, alone } = this.#of(channel);
    const chosen = new Set(Object.values(picked ?? {}));
    return others.filter(({ bootId }) => alone.has(bootId) || chosen.has(bootId));
  }

  /**
   * For each group of the channel the boot id of the member whose turn it is; `undefined` where there are no groups.
   */
  pick(channel: string, type: string | undefined): Record<string, string> | undefined {
    const { groups } = this.#of(channel);
    if (groups.size === 0) return undefined;
    const picked: Record<string, string> = {};
    for (const [group, members] of groups) {
      const takers = members.filter((member) => member.type === undefined || member.type === type);
      const up = takers.filter(({ isUp }) => isUp);
      const from = up.length > 0 ? up : takers;
      if (from.length > 0) picked[group] = from[this.#turn(`${channel} ${group}`) % from.length]!.bootId;
    }
    return picked;
  }

  #turn(key: string): number {
    const turn = this.#turns.get(key) ?? Math.floor(Math.random() * 1000);
    // Groups come and go with the records of other nodes; where a new turn begins does not matter.
    if (this.#turns.size >= MAX_ENTRIES) this.#turns.clear();
    this.#turns.set(key, turn + 1);
    return turn;
  }

  #size(): number {
    return [...this.#own.values()].reduce((sum, entries) => sum + entries.size, 0);
  }

  #publish(): void {
    this.#listeners.clear();
    this.membership.record.setListens(
      Object.fromEntries([...this.#own].map(([channel, entries]) => [channel, [...entries.keys()]])),
    );
  }

  #of(channel: string): Listeners {
    const known = this.#listeners.get(channel);
    if (known !== undefined) return known;
    const listeners: Listeners = { others: [], alone: new Set(), groups: new Map() };
    for (const member of this.membership.members()) {
      const { name, bootId, self, state } = member;
      // This node has its own subscriptions before it is a member.
      const entries = self ? undefined : member.listens[channel];
      if (entries === undefined) continue;
      listeners.others.push({ name, bootId });
      if (entries.includes('')) listeners.alone.add(bootId);
      this.#addGroups(listeners.groups, entries, bootId, state === 'up');
    }
    const isUp = this.membership.state === 'up' || this.membership.state === 'joining';
    this.#addGroups(listeners.groups, this.#own.get(channel)?.keys() ?? [], this.membership.self.bootId, isUp);
    this.#listeners.set(channel, listeners);
    return listeners;
  }

  #addGroups(groups: Map<string, GroupMember[]>, entries: Iterable<string>, bootId: string, isUp: boolean): void {
    for (const entry of entries) {
      if (entry === '') continue;
      const space = entry.indexOf(' ');
      const group = space < 0 ? entry : entry.slice(0, space);
      const type = space < 0 ? undefined : entry.slice(space + 1);
      const members = groups.get(group) ?? [];
      groups.set(group, members);
      members.push({ bootId, type, isUp });
    }
  }
}
