/**
 * One cluster-wide configuration as this node has it: the last rows that its schema took, on the defaults of its code.
 * Rows come from the replica of the table; each change is told once, in order, to those that watch.
 */
import { ArgumentError, FoundationConfigError } from '../errors/config.errors.js';
import { describe } from '../errors/describe.js';
import { LimitError } from '../errors/limit.errors.js';
import { Gate, unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { type Read, readAs, type Schema } from '../schemas/payload.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { SingleFlight } from '../time/single.flight.js';
import { within } from '../time/timeout.js';
import { isLongTurn, nextTurn } from '../time/turn.budget.js';
import { checkValue, plainCopy, textAt, valueAt } from './config.path.js';
import {
  changesOf,
  changesSince,
  type ConfigRow,
  documentOf,
  idOf,
  patched,
  type RowChange,
  type SetValue,
} from './config.row.js';

/** What a configuration is: what it has to be, and what it is while nothing is set. */
export interface DocumentDefinition {
  name: string;
  schema: Schema;
  defaults: Readonly<Record<string, unknown>>;
}

/** A change as those that watch get it. */
export interface DocumentChange {
  path: string;
  value: unknown;
  before: unknown;
  revision: number;
  node: string;
}

/** Listeners of one configuration on one node. */
export const MAX_WATCHERS = 10_000;
/** How long a schema may take; it is the user's, and may be asynchronous. */
const SCHEMA_MS = 5000;

interface State {
  /** Of the change that made it. */
  id: string;
  values: readonly SetValue[];
  /** As JSON has it: what is compared. */
  plain: Readonly<Record<string, unknown>>;
  /** What the schema made of it: what is given out. */
  value: object;
}

interface Watcher {
  path: string;
  segments: readonly string[];
  listener: (change: DocumentChange) => unknown;
}

/** See the file header. */
export class SharedDocument {
  readonly #watchers = new Set<Watcher>();
  readonly #gate: Gate;
  readonly #log = new ThrottledLog();
  readonly #applying = new SingleFlight(() => this.#apply());
  #latest: ConfigRow | undefined;
  /** The last rows whose refusal was reported. */
  readonly #refused = new Set<string>();

  private constructor(
    readonly definition: DocumentDefinition,
    private readonly telemetry: Telemetry,
    private state: State,
  ) {
    this.#gate = new Gate(telemetry);
  }

  /** @throws FoundationConfigError for defaults that the schema does not take. */
  static async open(definition: DocumentDefinition, telemetry: Telemetry): Promise<SharedDocument> {
    const plain = checkDefaults(definition.defaults);
    const kept = { ...definition, defaults: plain };
    const read = await readDocument(kept.schema, plain);
    if (read.errors !== undefined) {
      throw new FoundationConfigError(
        'clusterConfig.defaults',
        read.errors.join('; '),
        'defaults that the schema takes',
      );
    }
    return new SharedDocument(kept, telemetry, { id: '', values: [], plain, value: read.value as object });
  }

  /** All of it, or what is at the path. */
  get(segments: readonly string[] = []): unknown {
    return valueAt(this.state.value, segments);
  }

  /** What the schema says of what would be there with these values set. */
  async check(values: readonly SetValue[], limitMs = SCHEMA_MS): Promise<Read> {
    const document = documentOf(this.definition.defaults, values);
    if (document === undefined) return { errors: ['the path leads through a value that is no object'] };
    return readDocument(this.definition.schema, document, Math.min(limitMs, SCHEMA_MS));
  }

  /** @throws LimitError */
  watch(path: string, segments: readonly string[], listener: Watcher['listener']): () => void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      throw new LimitError(`ClusterConfig.watch("${path}")`, 'listeners of this node', MAX_WATCHERS);
    }
    const watcher = { path, segments, listener };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** The table has this row now. Rows only get newer. */
  follow(row: ConfigRow): void {
    this.#latest = row;
    unattended('applying the cluster-wide configuration', this.#applying.ask());
  }

  /** Resolves once this node has the row of this change, or a later one, or has refused it. */
  async settled(): Promise<void> {
    await this.#applying.ask();
  }

  async #apply(): Promise<void> {
    const row = this.#latest;
    if (row === undefined || idOf(row) === this.state.id) return;
    for (const step of stepsTo(row, this.state)) {
      await this.#take(step);
      if (isLongTurn()) await nextTurn();
    }
  }

  /**
   * INVARIANT (I28): what the schema of this node does not take changes nothing here, whoever wrote it; what it takes
   * is taken in the order of the rows, and told once.
   */
  async #take({ change, values }: Step): Promise<void> {
    const { name } = this.definition;
    const { id, node, revision, path } = change;
    const read = await this.check(values);
    if (read.errors !== undefined) return this.#refuse(id, revision, read.errors);
    const before = this.state;
    const plain = documentOf(this.definition.defaults, values)!;
    this.state = { id, values, plain, value: read.value as object };
    this.telemetry.emit('config.changed', { name, path, revision, node, id });
    const isChanged = changesBetween(before.plain, plain);
    for (const watcher of [...this.#watchers]) {
      const { segments } = watcher;
      if (!this.#watchers.has(watcher) || !isChanged(watcher)) continue;
      this.#gate.tell('ClusterConfig.watch', watcher.listener, {
        path: watcher.path,
        value: valueAt(this.state.value, segments),
        before: valueAt(before.value, segments),
        ...{ revision, node },
      });
    }
  }

  #refuse(id: string, revision: number, errors: readonly string[]): void {
    if (this.#refused.has(id)) return;
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.add(id);
    const { name } = this.definition;
    this.telemetry.emit('config.refused', { name, revision, errors: [...errors] });
    this.#log.warn(
      'Refused a row of the cluster-wide configuration that does not suit the schema of this node; the last good ' +
        'values stay',
      { name, errors: errors.join('; ') },
      name,
    );
  }
}

/** @throws FoundationConfigError */
function checkDefaults(defaults: unknown): Record<string, unknown> {
  try {
    return checkValue('forRoot', defaults) as Record<string, unknown>;
  } catch (error) {
    throw new FoundationConfigError('clusterConfig.defaults', describe(error), 'plain values');
  }
}

/** Looks at each path once, however many watch it. */
function changesBetween(before: object, now: object): (watcher: Watcher) => boolean {
  const known = new Map<string, boolean>();
  return ({ path, segments }) => {
    const isChanged = known.get(path) ?? textAt(before, segments) !== textAt(now, segments);
    known.set(path, isChanged);
    return isChanged;
  };
}

/** Refusals that are remembered, so that each is reported once. */
const MAX_REFUSED = 100;

/** What is set after one change, or after several that are told as one. */
interface Step {
  change: RowChange;
  values: readonly SetValue[];
}

/** One step for each change that this node has missed, or one for all where the row does not have them one by one. */
function stepsTo(row: ConfigRow, from: Pick<State, 'id' | 'values'>): Step[] {
  const last = changesOf(row).at(-1)!;
  let { values } = from;
  const steps = (changesSince(row, from.id) ?? []).map((change) => ({
    change,
    values: (values = patched(values, change)),
  }));
  // After a loss of data the row may go on from another one than this node had.
  const isWhole = steps.length > 0 && JSON.stringify(steps.at(-1)!.values) === JSON.stringify(row.values);
  return isWhole ? steps : [{ change: last, values: row.values }];
}

async function readDocument(schema: Schema, document: object, limitMs = SCHEMA_MS): Promise<Read> {
  try {
    // A schema may change what it gets.
    const read = await within(
      limitMs,
      readAs(schema, plainCopy(document)),
      `the schema took more than ${Math.round(limitMs)} ms`,
    );
    if (read.errors !== undefined) return read;
    const isUsable = typeof read.value === 'object' && read.value !== null;
    // Before it is accepted: what cannot be frozen, such as a getter that throws, would be in Redis and nowhere else.
    return isUsable
      ? { value: frozen(read.value) }
      : { errors: ['the schema made something else of it than an object'] };
  } catch (error) {
    return { errors: [describe(error)] };
  }
}

/** So that no reader changes what the others read; what cannot be frozen, such as a Buffer, stays as it is. */
function frozen(value: unknown): object {
  const seen = new Set<object>();
  const freeze = (each: unknown): void => {
    if (typeof each !== 'object' || each === null || seen.has(each) || ArrayBuffer.isView(each)) return;
    seen.add(each);
    Object.freeze(each);
    for (const part of Object.values(each)) freeze(part);
  };
  freeze(value);
  return value as object;
}

/** @throws ArgumentError */
export function checkListener(listener: unknown): void {
  if (typeof listener !== 'function') throw new ArgumentError('watch', 'listener', typeof listener, 'a function');
}
