/**
 * A backend that observes a cluster without being in it: what a member writes by itself is not written.
 * Used by the command line. What an operator asks for (a row of the process table, a call) goes through all the same.
 */
import type { LeaveReason } from '../telemetry/events.js';
import type { Backend } from './backend.js';
import type {
  BeatAnswer,
  DirectorySnapshot,
  JoinAnswer,
  NodeDirectory,
  NodeRecord,
  NodeView,
} from './directory/directory.js';

/**
 * The same tools with a directory that is only read, and a table of processes that is not restored after a loss of
 * data.
 */
export function observing(backend: Backend): Backend {
  const { table } = backend;
  return {
    ...backend,
    directory: new ObservedNodes(backend.directory),
    table: {
      put: (writes) => table.put(writes),
      since: (version) => table.since(version),
      remove: (rows) => table.remove(rows),
      // Only the nodes know whether what was there is still wanted.
      restore: () => Promise.resolve(''),
    },
  };
}

/** How a node that missed beats stands: `late` as other nodes see it, `down` when its time has run out. */
export type Lateness = 'in time' | 'late' | 'down';

/** The same rule as in the script of the beat, by the times that the node itself goes by; `undefined` = never beat. */
export function latenessOf({ beatEvery = 1000, ttl = 3000 }: NodeRecord, silentMs: number | undefined): Lateness {
  if (silentMs === undefined || Math.abs(silentMs) > ttl) return 'down';
  return silentMs > Math.min(2 * beatEvery, ttl) ? 'late' : 'in time';
}

/** See the file header. */
class ObservedNodes implements NodeDirectory {
  #members: readonly NodeRecord[] = [];

  constructor(private readonly nodes: NodeDirectory) {}

  async beat(): Promise<BeatAnswer> {
    const { beats, isCookieShared: _, ...seen } = await this.nodes.look();
    const silent = (name: string): number | undefined => silence(name, { ...seen, beats });
    const late = this.#members.filter((record) => latenessOf(record, silent(record.name)) !== 'in time');
    // Always in the same life of Redis: what it lost is restored by the directory.
    return { status: 'ok', ...seen, incarnation: '', late: late.map(({ name }) => name) };
  }

  /** Excludes expired nodes that no live member has evicted. */
  async view(): Promise<NodeView> {
    const [view, seen] = await Promise.all([this.nodes.view(), this.nodes.look()]);
    this.#members = view.members.filter((record) => latenessOf(record, silence(record.name, seen)) !== 'down');
    return { ...view, members: [...this.#members] };
  }

  look(): Promise<DirectorySnapshot> {
    return this.nodes.look();
  }

  reasons(bootIds: readonly string[]): Promise<LeaveReason[]> {
    return this.nodes.reasons(bootIds);
  }

  join(): Promise<JoinAnswer> {
    return Promise.reject(new Error('An observer does not join.'));
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }
}

function silence(name: string, { now, beats }: Pick<DirectorySnapshot, 'now' | 'beats'>): number | undefined {
  const beat = beats.get(name);
  return beat === undefined ? undefined : now - beat;
}
