/**
 * Changes a cluster-wide configuration: its own schema first, then those of the other nodes, then one row in Redis by
 * compare-and-set. Used by the facade; underneath `Gatherer` and `TableReplica`.
 */
import { randomUUID } from 'node:crypto';
import type { Backend } from '../backend/backend.js';
import type { TableReplica } from '../backend/tables/table.replica.js';
import { type GatherAnswer, type Gathered } from '../calls/gathering.js';
import type { ChannelRuntime } from '../channels/channel.runtime.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { IssuedCommands } from '../context/actor.js';
import { ConflictError } from '../errors/cluster.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { RedisRefusedError } from '../errors/connection.errors.js';
import { isA, MAX_WORDS, plain, show } from '../errors/describe.js';
import { LimitError } from '../errors/limit.errors.js';
import { inRedis, redisError } from '../errors/refusal.js';
import {
  ConfigConflictError,
  ConfigOutcomeError,
  ConfigQuorumError,
  ConfigValueError,
  type MissingAcceptance,
} from '../errors/settings.errors.js';
import { givenOptions, givenTime } from '../foreign/given.options.js';
import { type Clock, clockOf, pauseFor } from '../time/clock.js';
import type { Duration } from '../time/duration.js';
import { endsWithin, within } from '../time/timeout.js';
import { isObject } from '../wire/decode.js';
import { awaitedOthers, ChangeTurns, haveOthersRestored } from './change.turns.js';
import { checkPath, checkValue, MAX_CONFIG_BYTES } from './config.path.js';
import {
  changesOf,
  type ConfigContent,
  type ConfigRow,
  idOf,
  MAX_PATHS,
  nextContent,
  overtaking,
  type RowChange,
  writeRow,
} from './config.row.js';
import type { SharedDocument } from './shared.document.js';

/** How many of the nodes have to accept a change: more than half, each, or so many. */
export type ConfigQuorum = 'majority' | 'all' | number;

/** Options of `ClusterConfig.set`. */
export interface ConfigSetOptions {
  /** Default `majority`: more than half of the nodes that have this configuration, this one included. */
  quorum?: ConfigQuorum;
  /** How long all of it may take, milliseconds or a text such as `'2s'`. Default: `calls.timeout`, 5000 ms. */
  timeout?: Duration;
}

/** A change that every node gets. */
export interface ConfigCommit {
  /** Rises with each change of the configuration, also over a restart of all nodes. */
  revision: number;
  /** The nodes that had accepted it when it was written. */
  accepted: string[];
  /** Those that had not, such as one that was frozen; they get it all the same. */
  missing: MissingAcceptance[];
}

/** How often another change of another value may come in between. */
const MAX_OVERTAKEN = 20;
/** How soon a row is written again after Redis did not answer. */
const RETRY_MS = 50;

/** What a setter needs. */
export interface SetterParts {
  readonly backend: Pick<Backend, 'endpoint' | 'settings'>;
  readonly membership: Pick<ClusterView, 'requireConnected' | 'awaitReady' | 'state' | 'self'> &
    Partial<Pick<ClusterView, 'clock'>>;
  readonly channels: Pick<ChannelRuntime, 'gatherer'>;
  readonly document: SharedDocument;
  readonly replica: Pick<TableReplica<ConfigRow>, 'get' | 'change' | 'sync' | 'sinceLoss'>;
  readonly channel: string;
  readonly timeout: number;
  readonly commands: Pick<IssuedCommands, 'issued'>;
}

/** A change under way. */
interface Setting {
  change: Omit<RowChange, 'revision'>;
  quorum: ConfigQuorum;
  until: number;
}

/** See the file header. */
export class ConfigSetter {
  readonly #turns: ChangeTurns;
  readonly #clock: Clock;

  constructor(private readonly parts: SetterParts) {
    this.#clock = clockOf(parts.membership);
    this.#turns = new ChangeTurns(this.#clock);
  }

  /** See `ClusterConfig.set`. */
  async set(path: unknown, value: unknown, options: ConfigSetOptions = {}): Promise<ConfigCommit> {
    const { membership } = this.parts;
    checkPath('set', path);
    const copy = checkValue('set', value);
    const { quorum, timeout } = this.#checked(options);
    const until = this.#clock.now() + timeout;
    membership.requireConnected();
    if (membership.state === 'joining') await membership.awaitReady({ timeout });
    const change = { id: randomUUID(), node: membership.self.name, path: path as string, value: copy };
    const late = (): Error =>
      new ConfigQuorumError(change.path, 0, 1, [
        { node: change.node, reason: 'an earlier change took all of the time' },
      ]);
    return this.#turns.take(until, late, () => this.#set({ change, quorum, until }));
  }

  #checked(options: unknown): { quorum: ConfigQuorum; timeout: number } {
    const { quorum = 'majority', timeout } = givenOptions<ConfigSetOptions>('set', options, ['quorum', 'timeout']);
    const isCount = typeof quorum === 'number' && Number.isSafeInteger(quorum) && quorum >= 1;
    if (quorum !== 'majority' && quorum !== 'all' && !isCount) {
      throw new ArgumentError('set', 'quorum', show(quorum), `'majority', 'all', or a whole number from 1`);
    }
    return { quorum, timeout: timeout === undefined ? this.parts.timeout : givenTime('set', 'timeout', timeout) };
  }

  async #set(setting: Setting): Promise<ConfigCommit> {
    const { document, replica, backend } = this.parts;
    const { name } = document.definition;
    const { path } = setting.change;
    const { until } = setting;
    let hasWaited = false;
    for (let overtaken = 0; ; overtaken++) {
      const base = replica.get(name) ?? (await this.#read(until));
      if (!hasWaited && (await awaitedOthers(replica, this.#clock, until, `setting "${path}"`, backend.endpoint))) {
        hasWaited = true;
        continue;
      }
      const content = nextContent(base, setting.change);
      this.#requireRoom(path, content);
      const { errors } = await document.check(content.values, Math.max(1, until - this.#clock.now()));
      if (errors !== undefined) throw new ConfigValueError(path, errors);
      const accepted = await this.#propose(setting, content);
      const row = await this.#commit(setting, base, content, hasWaited);
      if (idOf(row) === setting.change.id || isIn(row, setting.change.id)) {
        this.parts.commands.issued('configure', { target: path });
        // It is written, whatever the schema of this node does now.
        await endsWithin(Math.max(1, until - this.#clock.now()), document.settled(), this.#clock);
        return { revision: revisionOf(row!, setting.change.id), ...accepted };
      }
      const other = row === undefined ? undefined : overtaking(row, idOf(base), path);
      if (other !== undefined || overtaken >= MAX_OVERTAKEN) throw new ConfigConflictError(path, other?.node ?? '?');
    }
  }

  /** Where nothing is set as far as this node knows, which may have joined just now. */
  async #read(until: number): Promise<ConfigRow | undefined> {
    const { replica, document, backend } = this.parts;
    const left = Math.max(1, until - this.#clock.now());
    await inRedis(backend.endpoint, 'reading the configuration', () =>
      within(left, replica.sync(), 'it did not answer in the time of the change', this.#clock),
    );
    return replica.get(document.definition.name);
  }

  #requireRoom(path: string, { values }: ConfigContent): void {
    if (values.length > MAX_PATHS)
      throw new LimitError(`ClusterConfig.set("${path}")`, 'paths that are set', MAX_PATHS);
    const size = Buffer.byteLength(JSON.stringify(values));
    if (size <= MAX_CONFIG_BYTES) return;
    throw new ArgumentError(
      'set',
      'value',
      `${size} bytes of JSON with all that is set`,
      `at most ${MAX_CONFIG_BYTES}`,
    );
  }

  /** @throws ConfigQuorumError when too few accept it in time; nothing is written then. */
  async #propose(
    { change, quorum, until }: Setting,
    { values }: ConfigContent,
  ): Promise<Pick<ConfigCommit, 'accepted' | 'missing'>> {
    const { channels, channel } = this.parts;
    let electorate = 0;
    const needed = (): number => neededOf(quorum, electorate);
    const isDecided = (answers: readonly GatherAnswer[]): boolean => {
      const yes = answers.filter(({ value }) => isYes(value)).length;
      return yes >= needed() || yes + electorate - answers.length < needed();
    };
    const timeoutMs = Math.max(1, until - this.#clock.now());
    const message = { id: change.id, values };
    const gathered = await channels.gatherer.ask(channel, message, {
      timeoutMs,
      asked: (count) => (electorate = count),
      isEnough: isDecided,
    });
    const result = countOf(gathered);
    if (result.accepted.length >= needed()) return result;
    throw new ConfigQuorumError(change.path, result.accepted.length, needed(), result.missing);
  }

  /**
   * INVARIANT (I28): a change is a row in Redis, written only where the row that was accepted is still the one before
   * it. So of two that do not know of each other one is written, and what is not written changes nothing anywhere.
   *
   * What Redis did not answer is written again with the same id: it is there once, whichever of them arrived.
   */
  async #commit(
    { change, until }: Setting,
    base: ConfigRow | undefined,
    content: ConfigContent,
    hasWaited: boolean,
  ): Promise<ConfigRow | undefined> {
    const { replica, document, backend } = this.parts;
    const { name } = document.definition;
    const version = base?.version ?? 0;
    const value = writeRow(content);
    const mayWrite = (row?: ConfigRow): boolean =>
      (row?.version ?? 0) === version && (hasWaited || haveOthersRestored(replica));
    let isUnknown = false;
    for (;;) {
      const left = Math.max(1, until - this.#clock.now());
      const writing = replica.change(name, (row) => (mayWrite(row) ? value : undefined));
      try {
        return await within(left, this.#orAgain(writing, value), LATE, this.#clock);
      } catch (error) {
        const ours = redisError(backend.endpoint, `setting "${change.path}"`, error);
        isUnknown ||= !isA(error, ConflictError) && !isA(ours, RedisRefusedError);
        if (this.#clock.now() + RETRY_MS < until) await pauseFor(this.#clock, RETRY_MS);
        else if (isUnknown) throw new ConfigOutcomeError(change.path, backend.endpoint, error);
        else throw isA(error, ConflictError) ? error : ours;
      }
    }
  }

  /**
   * Rows of a configuration are not removed. Where one is missing all the same, an operator has removed it: then it is
   * written where none is, which one node can do as well.
   */
  async #orAgain(writing: Promise<ConfigRow | undefined>, value: string): Promise<ConfigRow | undefined> {
    const { replica, document, backend } = this.parts;
    const { name } = document.definition;
    try {
      return await writing;
    } catch (error) {
      if (!isA(error, ConflictError)) throw error;
      const { versions } = await backend.settings.put([{ key: name, value, expected: 0 }]);
      if (versions[0] === undefined) throw error;
      await replica.sync();
      return replica.get(name);
    }
  }
}

const LATE = 'Redis did not answer in the time of the change';

function neededOf(quorum: ConfigQuorum, electorate: number): number {
  if (quorum === 'all') return Math.max(1, electorate);
  return quorum === 'majority' ? Math.floor(electorate / 2) + 1 : quorum;
}

function isYes(value: unknown): boolean {
  return isObject(value) && value['ok'] === true;
}

function countOf({ answers, missing }: Gathered): Pick<ConfigCommit, 'accepted' | 'missing'> {
  const refused = answers.filter(({ value }) => !isYes(value));
  return {
    accepted: answers.filter(({ value }) => isYes(value)).map(({ node }) => node),
    missing: [
      ...refused.map(({ node, value }) => ({ node, reason: wordsOf(value) })),
      ...missing.map(({ node, reason }) => ({ node, reason })),
    ],
  };
}

function wordsOf(verdict: unknown): string {
  const errors = isObject(verdict) && Array.isArray(verdict['errors']) ? (verdict['errors'] as unknown[]) : [];
  const words = errors.filter((each) => typeof each === 'string').slice(0, 20);
  return words.length === 0 ? 'refused' : plain(words.join('; '), MAX_WORDS);
}

/** Another change may have been written after it, before this node has heard of either. */
function isIn(row: ConfigRow | undefined, id: string): boolean {
  return row?.changes.some((each) => each.id === id) === true;
}

function revisionOf(row: ConfigRow, id: string): number {
  return changesOf(row).find((each) => each.id === id)?.revision ?? row.version;
}
