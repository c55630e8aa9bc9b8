/**
 * The nodes that have left, as they were last: the page shows them for a while, since the one that is gone is the one
 * that is looked for.
 * Filled by what this node sees of the membership, whether anybody watches or not.
 */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ClusterView } from '../cluster/cluster.view.js';
import type { Member } from '../cluster/member.js';
import type { LeaveReason } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';

/** A node that is no member any longer. */
export interface Departed extends Pick<Member, 'name' | 'host' | 'pid' | 'version'> {
  /** `left` in order; `down`: it died, was cut off, or was removed by a topology strategy. */
  state: 'left' | 'down';
  /** Milliseconds since 1970 by the Redis clock. */
  since: number;
}

/** How long a node that died is shown, and one that left in order: a release ends all of them. */
export const SHOWN_MS = { down: 600_000, left: 60_000 } as const;
/** How many are kept; the oldest goes. */
const MAX_DEPARTED = 50;

/** See the file header. */
@Injectable()
export class DepartedNodes implements OnModuleInit, OnModuleDestroy {
  #members: readonly Member[] = [];
  /** By boot id. */
  readonly #gone = new Map<string, Departed>();
  readonly #reasons = new Map<string, LeaveReason>();
  #detach: (() => void)[] = [];

  constructor(
    @Inject(ClusterView) private readonly view: Pick<ClusterView, 'members' | 'listen' | 'clusterNow'>,
    @Inject(Telemetry) private readonly telemetry: Pick<Telemetry, 'attach'>,
  ) {}

  onModuleInit(): void {
    const left = this.telemetry.attach('cluster.node_left', (_event, { bootId, reason }) => {
      if (this.#reasons.size >= MAX_DEPARTED) this.#reasons.delete(this.#reasons.keys().next().value!);
      this.#reasons.set(bootId, reason);
    });
    this.#detach = [left, this.view.listen({ changed: () => this.#look() })];
    this.#look();
  }

  onModuleDestroy(): void {
    for (const detach of this.#detach.splice(0)) detach();
  }

  /** The last one first; none whose name is that of a member again. */
  list(): Departed[] {
    this.#look();
    const now = this.view.clusterNow();
    const present = new Set(this.#members.map(({ name }) => name));
    return [...this.#gone]
      .map(([bootId, node]): Departed => ({
        ...node,
        state: this.#reasons.get(bootId) === 'shutdown' ? 'left' : 'down',
      }))
      .filter(({ name, state, since }) => !present.has(name) && now - since < SHOWN_MS[state])
      .reverse();
  }

  #look(): void {
    const members = this.view.members();
    const present = new Set(members.map(({ bootId }) => bootId));
    for (const { bootId, name, host, pid, version, self } of this.#members) {
      if (present.has(bootId) || self) continue;
      if (this.#gone.size >= MAX_DEPARTED) this.#gone.delete(this.#gone.keys().next().value!);
      this.#gone.set(bootId, { name, host, pid, version, state: 'down', since: Math.round(this.view.clusterNow()) });
    }
    this.#members = members;
  }
}
