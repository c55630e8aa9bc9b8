/** The directory of nodes with one node in it, for an application that is not clustered. */
import type { LeaveReason } from '../../telemetry/events.js';
import type { BeatAnswer, DirectorySnapshot, JoinAnswer, NodeDirectory, NodeRecord, NodeView } from './directory.js';

/** See {@link NodeDirectory}. The node never falls silent: what runs here sees it run. */
export class LocalNodeDirectory implements NodeDirectory {
  #record: NodeRecord | undefined;
  #beatAt = 0;
  #version = 0;
  /** The node that left last. */
  #left: { bootId: string; reason: LeaveReason } | undefined;

  constructor(private readonly wallClock: () => number) {}

  join(record: NodeRecord): Promise<JoinAnswer> {
    const current = this.#record;
    if (current !== undefined && current.bootId !== record.bootId) {
      return Promise.resolve({ joined: false, otherBootId: current.bootId, beatAt: this.#beatAt });
    }
    const now = this.wallClock();
    // A node that joins again keeps its time, and with it its seniority.
    const joinedAt = record.joinedAt > 0 && record.joinedAt < now ? record.joinedAt : now;
    this.#record = { ...record, joinedAt };
    this.#beatAt = now;
    this.#version += 1;
    return Promise.resolve({ joined: true, now: joinedAt });
  }

  beat(name: string, bootId: string, update?: { record: NodeRecord; changed: boolean }): Promise<BeatAnswer> {
    const current = this.#record?.name === name ? this.#record : undefined;
    const isOwn = current?.bootId === bootId;
    if (current !== undefined && isOwn) {
      this.#beatAt = this.wallClock();
      if (update !== undefined) this.#record = { ...update.record, joinedAt: current.joinedAt };
      if (update?.changed === true) this.#version += 1;
    }
    return Promise.resolve({
      status: current === undefined ? 'gone' : isOwn ? 'ok' : 'replaced',
      viewVersion: this.#version,
      // The one replica of the table is notified of its own changes, so it has nothing to catch up with.
      tableVersion: 0,
      incarnation: 'local',
      now: this.wallClock(),
      late: [],
      ...(current === undefined || isOwn ? {} : { otherBootId: current.bootId }),
    });
  }

  leave(name: string, bootId: string, reason: 'shutdown' | 'terminated' = 'shutdown'): Promise<void> {
    if (this.#record?.name !== name || this.#record.bootId !== bootId) return Promise.resolve();
    this.#record = undefined;
    this.#left = { bootId, reason };
    this.#version += 1;
    return Promise.resolve();
  }

  view(): Promise<NodeView> {
    return Promise.resolve({ version: this.#version, members: this.#record === undefined ? [] : [this.#record] });
  }

  look(): Promise<DirectorySnapshot> {
    const beats = new Map(this.#record === undefined ? [] : [[this.#record.name, this.#beatAt]]);
    const now = this.wallClock();
    return Promise.resolve({ viewVersion: this.#version, tableVersion: 0, incarnation: 'local', now, beats });
  }

  reasons(bootIds: readonly string[]): Promise<LeaveReason[]> {
    const left = this.#left;
    return Promise.resolve(bootIds.map((bootId) => (left?.bootId === bootId ? left.reason : 'timeout')));
  }
}
