/**
 * Turns events of this node into entries of the journal. Each thing is written once: by the node that it happens to, or
 * by the first of those that see that a node has died. Attached by the lifecycle; underneath events of `Telemetry`.
 */
import type { JournalStore } from '../backend/streams/journal.store.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { JOB_PREFIX } from '../cron/cron.explorer.js';
import type { FoundationEventName, FoundationEvents } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { JournalFacts } from './journal.entry.js';
import type { JournalWriter, Writing } from './journal.writer.js';
import { ReleaseRecorder } from './release.recorder.js';

/** Lives of nodes that were removed and may come back. */
export const MAX_REMOVED = 1000;

/** What a recorder needs. */
export interface JournalRecorderParts {
  telemetry: Telemetry;
  view: Pick<ClusterView, 'self' | 'own' | 'members'>;
  writer: Pick<JournalWriter, 'add'>;
  store: Pick<JournalStore, 'read'>;
  /** The command line: it gives commands, and is no witness of anything else. */
  observes?: boolean | undefined;
}

type Recorded = Omit<JournalFacts, 'at' | 'kind'> & Writing & { kind?: string };

/** See the file header. */
export class JournalRecorder {
  readonly #removed = new Set<string>();
  readonly #releases: ReleaseRecorder;
  /** What it has said last of a drain: a second one of a node that is drained, as when it ends, is nothing new. */
  #drain: 'begun' | 'drained' | undefined;

  constructor(private readonly parts: JournalRecorderParts) {
    const { view, store, writer } = parts;
    this.#releases = new ReleaseRecorder({ view, store, add: (facts) => writer.add(facts) });
  }

  /** Writes from now on; returns the function that ends it. */
  attach(): () => void {
    const { observes } = this.parts;
    const detach = observes === true ? [this.#onCommands()] : [this.#onCommands(), ...this.#onAll()];
    return () => {
      for (const end of detach) end();
    };
  }

  /** This node leaves in order. The others see that, too, and write it where this node could not. */
  left(): void {
    const { bootId, joinedAt } = this.parts.view.own;
    if (joinedAt === 0) return;
    this.#add('cluster.node_left', {
      ...{ node: this.parts.view.self.name, bootId, reason: 'shutdown', mark: leftMark(bootId, joinedAt) },
    });
  }

  #onCommands(): () => void {
    return this.#on('command.issued', ({ command, why, ...facts }) => ({
      ...facts,
      reason: why,
      kind: `command.${command}`,
      isEveryday: command === 'start',
    }));
  }

  #onAll(): (() => void)[] {
    return [
      this.#on('process.started', ({ name, node, epoch, startMs, before }) => ({
        ...{ process: name, node, epoch, ms: startMs, from: before },
        isEveryday: true,
      })),
      // What is a crash is an entry of its own.
      this.#on('process.stopped', ({ name, node, epoch, reason, clean }) =>
        reason === 'crash'
          ? undefined
          : {
              ...{ process: name, node, epoch, reason, isEveryday: reason !== 'lease-lost' },
              error: clean ? undefined : 'it did not stop in its time',
            },
      ),
      this.#on('process.crashed', ({ name, node, epoch, error }) => ({ process: name, node, epoch, error })),
      this.#on('process.escalated', ({ name, node, epoch, crashes }) => ({
        ...{ process: name, node, epoch, count: crashes },
      })),
      this.#on('process.end_unrecorded', ({ name, node, epoch, reason }) => ({ process: name, node, epoch, reason })),
      this.#on('process.handoff_lost', ({ name, node, epoch, reason, error }) => ({
        ...{ process: name, node, epoch, reason, error },
      })),
      this.#on('lease.lost', ({ name, node, epoch, reason }) => ({ process: name, node, epoch, reason })),
      this.#on('lease.reclaimed', ({ name, node, epoch }) => ({ process: name, node, epoch })),
      this.#on('cluster.node_joined', (joined) => this.#joined(joined)),
      this.#on('cluster.node_left', (left) => this.#left(left)),
      // After the entries of the nodes themselves.
      this.parts.telemetry.attach('cluster.node_joined', (_event, joined) => this.#releases.joined(joined)),
      this.parts.telemetry.attach('cluster.node_left', (_event, left) => this.#releases.left(left)),
      this.#on('cluster.isolated', ({ node, silentMs }) => ({ node, ms: silentMs })),
      this.#on('cluster.rejoined', ({ node, isolatedMs }) => ({ node, ms: isolatedMs })),
      this.#on('cluster.name_taken', ({ node, bootId }) => ({ node, bootId })),
      // Every node finds it.
      this.#on('cluster.data_loss', ({ node, incarnation }) => ({ node, mark: `loss ${incarnation}` })),
      this.#on('drain.progress', (progress) => this.#drains(progress)),
      this.#on('cluster.view_changed', () => this.#undrained()),
      this.#on('cron.missed', ({ job, node, count }) => ({ process: `${JOB_PREFIX}${job}`, node, count })),
      this.#on('cron.skipped', ({ job, node }) => ({ process: `${JOB_PREFIX}${job}`, node, isEveryday: true })),
      this.#on('cron.interrupted', ({ job, node, ranOn, epoch }) => ({
        ...{ process: `${JOB_PREFIX}${job}`, node, epoch, from: ranOn },
      })),
      this.#on('cron.ended', ({ job, node, epoch, outcome, durationMs, error }) =>
        outcome === 'failed'
          ? { process: `${JOB_PREFIX}${job}`, node, epoch, reason: outcome, error, ms: durationMs, isEveryday: true }
          : undefined,
      ),
    ];
  }

  /** Each node says so of itself; of one that was removed and is back, the others. */
  #joined({ node, bootId }: FoundationEvents['cluster.node_joined']): Recorded | undefined {
    const { view } = this.parts;
    const { self, own } = view;
    if (bootId === self.bootId) return { node, bootId, release: own.release, version: own.version };
    if (!this.#removed.delete(bootId)) return undefined;
    const member = view.members().find((each) => each.bootId === bootId);
    const mark = `joined ${bootId} ${member?.joinedAt ?? 0}`;
    return { node, bootId, by: self.name, reason: 'returned', version: member?.version, mark };
  }

  #left({ node, bootId, joinedAt, reason }: FoundationEvents['cluster.node_left']): Recorded {
    if (reason === 'timeout') this.#removed.add(bootId);
    if (this.#removed.size > MAX_REMOVED) this.#removed.delete(this.#removed.values().next().value!);
    return { node, bootId, by: this.parts.view.self.name, reason, mark: leftMark(bootId, joinedAt) };
  }

  /** The beginning and the end of it. A node whose start fails drains, too, and has never been there. */
  #drains({ node, left, total }: FoundationEvents['drain.progress']): Recorded | undefined {
    const reason = left === 0 ? 'drained' : left === total ? 'begun' : undefined;
    const isNews = reason !== undefined && this.#drain !== 'drained' && this.#drain !== reason;
    if (!isNews || this.parts.view.own.joinedAt === 0) return undefined;
    this.#drain = reason;
    return { node, reason, count: total };
  }

  #undrained(): undefined {
    if (this.#drain !== undefined && this.parts.view.own.state === 'up') this.#drain = undefined;
  }

  #on<E extends FoundationEventName>(
    event: E,
    facts: (payload: FoundationEvents[E]) => Recorded | undefined,
  ): () => void {
    return this.parts.telemetry.attach(event, ((_: E, payload: FoundationEvents[E]) => {
      const recorded = facts(payload);
      if (recorded !== undefined) this.#add(event, recorded);
    }) as (event: unknown) => unknown);
  }

  #add(event: string, { mark = '', isEveryday = false, kind = event, ...facts }: Recorded): void {
    this.parts.writer.add({ kind, ...facts }, { mark, isEveryday });
  }
}

function leftMark(bootId: string, joinedAt = 0): string {
  return `left ${bootId} ${joinedAt}`;
}
