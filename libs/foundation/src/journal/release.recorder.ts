/**
 * Says in the journal when the first node of a version of the application comes, and when the last one of another has
 * left: a deployment, whoever made it. Called by the recorder; underneath the view, and `JournalStore.read`.
 */
import type { JournalStore } from '../backend/streams/journal.store.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { Member } from '../cluster/member.js';
import { unattended } from '../foreign/gate.js';
import type { FoundationEvents } from '../telemetry/events.js';
import { type JournalFacts, readEntry } from './journal.entry.js';

/** Versions that are named of those that run beside another one. */
const MAX_NAMED = 10;
/** Rows in which the last start is looked for. */
const MAX_ROWS = 1000;
/** Versions that were said to be gone. */
export const MAX_GONE = 100;

type Life = Pick<Member, 'bootId' | 'joinedAt' | 'release'>;

/** What it needs. */
export interface ReleaseRecorderParts {
  view: Pick<ClusterView, 'self' | 'own' | 'members'>;
  store: Pick<JournalStore, 'read'>;
  add: (facts: Omit<JournalFacts, 'at'>) => void;
}

/** See the file header. */
export class ReleaseRecorder {
  #hasCome = false;
  /** The versions that this node has said to be gone, and that are not back. */
  readonly #gone = new Set<string>();

  constructor(private readonly parts: ReleaseRecorderParts) {}

  /** A node has joined, this one or another. */
  joined({ bootId }: FoundationEvents['cluster.node_joined']): void {
    for (const release of this.#releases()) this.#gone.delete(release);
    const { self, own } = this.parts.view;
    if (bootId !== self.bootId || this.#hasCome || own.release === undefined) return;
    this.#hasCome = true;
    if (eldestOf(this.#members().filter(({ release }) => release === own.release))?.bootId !== self.bootId) return;
    unattended('writing a deployment into the journal', this.#deployed(own.release, own.joinedAt));
  }

  /** Written by the node that is there longest, and not once more while the others of that version go, too. */
  left({ release }: FoundationEvents['cluster.node_left']): void {
    const { self } = this.parts.view;
    const others = this.#releases();
    if (release === undefined || others.has(release) || this.#gone.has(release) || others.size === 0) return;
    if (eldestOf(this.#members())?.bootId !== self.bootId) return;
    this.#gone.add(release);
    if (this.#gone.size > MAX_GONE) this.#gone.delete(this.#gone.values().next().value!);
    this.parts.add({ kind: 'release.retired', node: self.name, via: 'code', release, others: named(others) });
  }

  /** After a full stop nobody runs who could be asked; the journal says which version started last. */
  async #deployed(release: string, joinedAt: number): Promise<void> {
    const { view, add } = this.parts;
    const others = this.#releases();
    others.delete(release);
    const last = await this.#lastBefore(joinedAt).catch(() => undefined);
    if (last === release) return;
    if (others.size === 0 && last !== undefined) others.add(last);
    const { name: node } = view.self;
    const beside = others.size === 0 ? {} : { others: named(others) };
    add({ kind: 'release.deployed', node, via: 'code', release, version: view.own.version, ...beside });
  }

  /** The version of the node that joined last before that time. */
  async #lastBefore(joinedAt: number): Promise<string | undefined> {
    for (const row of await this.parts.store.read({ before: `${joinedAt}-0`, count: MAX_ROWS })) {
      const entry = readEntry(row);
      if (entry?.release !== undefined && entry.kind !== 'release.retired') return entry.release;
    }
    return undefined;
  }

  #members(): readonly Life[] {
    const { own } = this.parts.view;
    const members = this.parts.view.members();
    return members.some(({ bootId }) => bootId === own.bootId) ? members : [own, ...members];
  }

  #releases(): Set<string> {
    return new Set(this.#members().flatMap(({ release }) => (release === undefined ? [] : [release])));
  }
}

/** The one that joined first. */
function eldestOf(lives: readonly Life[]): Life | undefined {
  const isBefore = (a: Life, b: Life): boolean =>
    a.joinedAt < b.joinedAt || (a.joinedAt === b.joinedAt && a.bootId < b.bootId);
  return lives.reduce<Life | undefined>(
    (eldest, each) => (eldest && isBefore(eldest, each) ? eldest : each),
    undefined,
  );
}

function named(releases: ReadonlySet<string>): string {
  return [...releases].sort().slice(0, MAX_NAMED).join(', ');
}
