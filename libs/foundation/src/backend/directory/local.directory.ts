/**
 * The directory of nodes with one node in it.
 * Called by the membership when the configuration is not clustered.
 */
import type { LeaveReason } from '../../telemetry/events.js';
import type { BeatAnswer, JoinAnswer, NodeRecord, NodeDirectory, DirectorySnapshot, NodeView } from './directory.js';

/** See {@link NodeDirectory}. */
export class LocalNodeDirectory implements NodeDirectory {
  #record: NodeRecord | undefined;
  #version = 0;

  constructor(private readonly wallClock: () => number) {}

  join(record: NodeRecord): Promise<JoinAnswer> {
    this.#record = record;
    this.#version += 1;
    return Promise.resolve({ joined: true, now: this.wallClock() });
  }

  beat(_name: string, _bootId: string, update?: { record: NodeRecord; changed: boolean }): Promise<BeatAnswer> {
    if (update !== undefined) {
      this.#record = update.record;
      if (update.changed) this.#version += 1;
    }
    return Promise.resolve({
      status: this.#record === undefined ? 'gone' : 'ok',
      viewVersion: this.#version,
      // The one copy of the table is told of its own changes, so there is nothing to catch up with.
      tableVersion: 0,
      incarnation: 'local',
      now: this.wallClock(),
      late: [],
    });
  }

  leave(): Promise<void> {
    this.#record = undefined;
    this.#version += 1;
    return Promise.resolve();
  }

  view(): Promise<NodeView> {
    return Promise.resolve({ version: this.#version, members: this.#record === undefined ? [] : [this.#record] });
  }

  look(): Promise<DirectorySnapshot> {
    const now = this.wallClock();
    const beats = new Map(this.#record === undefined ? [] : [[this.#record.name, now]]);
    return Promise.resolve({ viewVersion: this.#version, tableVersion: 0, incarnation: 'local', now, beats });
  }

  reasons(bootIds: readonly string[]): Promise<LeaveReason[]> {
    return Promise.resolve(bootIds.map(() => 'shutdown'));
  }
}
