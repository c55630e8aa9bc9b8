/**
 * The facade over the cluster: who is in it, and whether this node is. Keeps nothing; it reads the view.
 * Used by the application.
 */
import { Injectable } from '@nestjs/common';
import type { Duration } from '../time/duration.js';
import type { ClusterView } from './cluster.view.js';
import type { Difference } from './compatibility.js';
import type { Member, NodeState } from './member.js';

/** Injectable. The members of the cluster and this node's own state. */
@Injectable()
export class Membership {
  readonly #view: ClusterView;

  /** @internal */
  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** This node's name and boot id. */
  get self(): { name: string; bootId: string } {
    return this.#view.self;
  }

  /** The application that this node belongs to: the name to tell its own keys in Redis from those of another by. */
  get appName(): string {
    return this.#view.appName;
  }

  /**
   * Milliseconds since 1970 by the clock of Redis, which is the same one on all nodes: for times that nodes compare.
   * Right to half the time that Redis takes to answer, and may step back by as much.
   *
   * Underneath: the clock of this node and its difference to `TIME`, as the heartbeats tell it; no network.
   */
  clusterNow(): number {
    return this.#view.clusterTime();
  }

  /** This node's own state. */
  get state(): NodeState {
    return this.#view.state;
  }

  /** The version of the view; rises with every change and is the same on all nodes once they have caught up. */
  get version(): number {
    return this.#view.version;
  }

  /**
   * The members by name, this node included once it has joined. The list is frozen, and the same one until something
   * changes.
   *
   * Underneath: the replica of `HGETALL …:nodes`; no network. While this node is isolated it is the last one it had.
   */
  members(): readonly Member[] {
    return this.#view.members();
  }

  /** This node as a member, whether the view has it already or not. */
  get own(): Member {
    return this.#view.own;
  }

  /** What the members do not agree about: settings, versions, and what should run. Empty = they agree. */
  differences(): Difference[] {
    return this.#view.differences();
  }

  /**
   * Resolves once this node is a member of a cluster of at least that many nodes, itself included.
   *
   * Underneath: this node's replica of the view; no network.
   *
   * @param options.minNodes default 1. Nodes that drain are not counted.
   * @param options.timeout milliseconds, default 10 000.
   * @throws NotReadyError when it is not, or the cluster has fewer nodes, by then; `ArgumentError` for what is no
   * number.
   */
  async whenReady(options: { minNodes?: number; timeout?: Duration } = {}): Promise<void> {
    return this.#view.awaitReady(options);
  }
}
