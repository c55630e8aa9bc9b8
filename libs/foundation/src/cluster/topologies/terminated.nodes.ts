/**
 * What the topology strategies know of a silent node: one that has ended for certain need not be waited for.
 * Opened by the lifecycle. Underneath: `NodeDirectory.leave` in the name of the dead node.
 */
import type { NodeDirectory } from '../../backend/directory/directory.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { ClusterView } from '../cluster.view.js';
import type { Member } from '../member.js';
import { PeerIndex } from './peers.js';
import type { TopologyRunner } from './topology.runner.js';

/** Nodes that were ended and are remembered. */
const MAX_ENDED = 1000;

/**
 * Ends the membership of nodes that a strategy says are terminated, without waiting for `membership.ttl`.
 *
 * INVARIANT (I1): this ends a record and touches no lease. What such a node owned is free when its leases run out, as
 * ever; so a strategy that is wrong cannot make two owners: the node finds itself gone with its next beat, joins again,
 * and keeps what it has. It is ended once, not again and again.
 */
export class TerminatedNodes {
  readonly #repeated = new ThrottledLog();
  /** Peer → since when it has been known to have ended, by the Redis clock: it says nothing about who joined later. */
  readonly #since = new Map<string, number>();
  /** Boot ids of those that were ended, the oldest first: one that joins again all the same is let be. */
  readonly #ended = new Set<string>();
  #stop: (() => void) | undefined;

  constructor(
    private readonly membership: Pick<ClusterView, 'members' | 'clusterNow'>,
    private readonly topologies: Pick<TopologyRunner, 'peers' | 'listen'>,
    private readonly nodes: Pick<NodeDirectory, 'leave'>,
  ) {}

  open(): void {
    this.#stop ??= this.topologies.listen(() => this.#judge());
  }

  close(): void {
    this.#stop?.();
  }

  #judge(): void {
    const peers = this.topologies.peers();
    const terminated = new Set(peers.filter(({ state }) => state === 'terminated').map(({ id }) => id));
    for (const id of this.#since.keys()) if (!terminated.has(id)) this.#since.delete(id);
    for (const id of terminated) if (!this.#since.has(id)) this.#since.set(id, this.membership.clusterNow());
    // The usual case, and that of each report while a deployment is rolled out.
    if (terminated.size === 0) return;
    const gone = new PeerIndex(peers.filter(({ state }) => state === 'terminated'));
    let all: PeerIndex | undefined;
    for (const member of this.membership.members()) {
      if (member.self || this.#ended.has(member.bootId) || gone.of(member).length === 0) continue;
      all ??= new PeerIndex(peers);
      const ended = all.of(member).every(({ id }) => (this.#since.get(id) ?? -Infinity) > member.joinedAt);
      if (ended) unattended('ending a node that a strategy says has ended', this.#end(member));
    }
  }

  async #end({ name, bootId }: Member): Promise<void> {
    this.#ended.add(bootId);
    if (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value!);
    try {
      await this.nodes.leave(name, bootId, 'terminated');
    } catch (error) {
      // Its ttl runs out all the same.
      this.#repeated.debug('Failed to remove a node that has ended', { node: name, error: describe(error) });
    }
  }
}
