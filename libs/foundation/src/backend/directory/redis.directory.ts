/**
 * The directory of nodes in Redis: one hash of records, one sorted set of beats, all changed by Lua.
 * Underneath: EVALSHA.
 */
import type { Redis } from 'ioredis';
import type { FoundationConfig } from '../../config/config.js';
import { show } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Signer } from '../../security/signer.js';
import type { LeaveReason } from '../../telemetry/events.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import type { Hint } from '../../wire/hint.js';
import type { Keys } from '../../wire/keys.js';
import { Grace } from '../redis/grace.period.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import type { BeatAnswer, DirectorySnapshot, JoinAnswer, NodeDirectory, NodeRecord, NodeView } from './directory.js';
import { beatScript, joinScript, leaveScript, LONGEST_TTL_MS, lookScript } from './directory.scripts.js';
import type { Loads } from './load.hints.js';
import { headOf, lateAfterOf, parseRecord, type RecordHead } from './node.record.js';
import { ViewReader } from './view.reader.js';

/**
 * A large record, in characters, of which only the load is new is written once in so much of a beat's time: with the
 * next regular beat at the latest.
 */
const LARGE_RECORD = 32_768;
const RECORD_SHARE = 0.5;

interface Known {
  text: string;
  record: NodeRecord;
  head?: RecordHead;
  /** Since when something lies in its place that is not believed. */
  doubtedAt?: number;
}

/** What the directory is made of. */
export interface RedisNodeDirectoryParts {
  readonly client: Redis;
  /** For the view, which may be large. */
  readonly control: Redis;
  readonly keys: Keys;
  readonly config: FoundationConfig;
  readonly seal: Signer;
  readonly loads: Loads;
  readonly grace?: Grace;
  readonly now?: () => number;
}

/** See {@link NodeDirectory}. */
export class RedisNodeDirectory implements NodeDirectory {
  readonly #log = new ThrottledLog();
  /** The shortest time after which one of the nodes is late. */
  #lateAfter = Infinity;
  /** When the last beat that was answered was sent. */
  #beatAt: number | undefined;
  /** The newest record, until Redis has it, and when one was written last. */
  #owed: NodeRecord | undefined;
  #wroteAt = -Infinity;
  #wroteLength = 0;
  /** Records by node, with the text that they were read from: of many large ones few change. */
  readonly #known = new Map<string, Known>();
  /** The newest record of this node. */
  #own: NodeRecord | undefined;
  /** What lies in the place of this node's record and is not believed. */
  #stranger = '';
  /** Of the record that this node wrote last. */
  #ownHead: RecordHead | undefined;
  readonly #reader: ViewReader;
  readonly #grace: Grace;
  readonly #now: () => number;

  constructor(private readonly parts: RedisNodeDirectoryParts) {
    const { config, grace = new Grace(config.lease.grace), now = monotonicNow } = parts;
    this.#grace = grace;
    this.#now = now;
    this.#reader = new ViewReader(parts.control, parts.keys, now);
  }

  async join(record: NodeRecord): Promise<JoinAnswer> {
    const { nodes, beats, view, incarnation, seal, expected, nodeChanges, hints } = this.parts.keys;
    this.#own = record;
    const [other, time] = toTexts(
      await joinScript.run(
        this.parts.client,
        [nodes, beats, view, incarnation, seal, expected, nodeChanges],
        [
          record.name,
          record.bootId,
          this.#write(record),
          this.parts.config.membership.ttl,
          hints,
          this.#grace.text,
          record.joinedAt,
          this.parts.seal.fingerprint,
          JSON.stringify({ t: 'refused', node: record.name, host: record.host } satisfies Hint),
          this.#stranger,
        ],
      ),
    );
    this.#stranger = '';
    if (other === 'cookie') return { joined: false, refused: 'cookie' };
    if (other === '') this.#owed = undefined;
    return other === ''
      ? { joined: true, now: toNumber(time) }
      : { joined: false, otherBootId: other ?? '?', beatAt: toNumber(time) };
  }

  async beat(name: string, bootId: string, update?: { record: NodeRecord; changed: boolean }): Promise<BeatAnswer> {
    const { nodes, beats, view, incarnation, processVersions, nodeChanges, hints } = this.parts.keys;
    const { beatEvery, ttl } = this.parts.config.membership;
    const [sentAt, lateAfter] = [this.#now(), Math.min(2 * beatEvery, ttl)];
    const silentMs = this.#beatAt === undefined ? -1 : Math.round(sentAt - this.#beatAt);
    // Unknown until a beat of this very record has been answered.
    this.#beatAt = undefined;
    if (update !== undefined) this.#own = this.#owed = update.record;
    // A load changes twenty times a second while a node starts thousands, and the record of such a node is half a
    // megabyte: all hear the load at once, and the record follows.
    const isSmall = this.#wroteLength < LARGE_RECORD;
    const isDue = update?.changed === true || isSmall || sentAt - this.#wroteAt >= beatEvery * RECORD_SHARE;
    const record = isDue ? this.#owed : undefined;
    const [status, viewVersion, tableVersion, life, now, otherBootId, theirs, longest, keptFor, ...late] = toTexts(
      await beatScript.run(
        this.parts.client,
        [nodes, beats, view, incarnation, processVersions, nodeChanges],
        [
          name,
          bootId,
          ttl,
          lateAfter,
          this.#grace.text,
          hints,
          record === undefined ? '' : this.#write(record),
          update?.changed === true ? 1 : 0,
          update === undefined ? '' : this.parts.loads.write(name, update.record.load),
          Math.min(lateAfter, this.#lateAfter),
          silentMs,
        ],
      ),
    );
    if (status === 'ok') {
      this.#beatAt = sentAt;
      if (record !== undefined) this.#wroteAt = sentAt;
      if (record === this.#owed) this.#owed = undefined;
    }
    this.#grace.hear(toNumber(longest), toNumber(keptFor));
    // INVARIANT (I11): only a node of ours takes the place of one. What a stranger wrote there is written over by
    // joining again.
    const isStranger = status === 'replaced' && theirs !== '' && this.#read(name, theirs ?? '') === undefined;
    if (isStranger) this.#stranger = theirs ?? '';
    return {
      status: status === 'ok' || (status === 'replaced' && !isStranger) ? status : 'gone',
      viewVersion: toNumber(viewVersion),
      tableVersion: toNumber(tableVersion),
      incarnation: life ?? '',
      now: toNumber(now),
      late,
      ...(otherBootId ? { otherBootId } : {}),
    };
  }

  async leave(name: string, bootId: string, reason: 'shutdown' | 'terminated' = 'shutdown'): Promise<void> {
    const { nodes, beats, view, expected, nodeChanges, hints } = this.parts.keys;
    await leaveScript.run(
      this.parts.client,
      [nodes, beats, view, this.parts.keys.left(bootId), expected, nodeChanges],
      [name, bootId, hints, reason],
    );
  }

  async view(known?: number): Promise<NodeView> {
    const { texts, ...read } = await this.#reader.read(known);
    const members = [...texts].flatMap(([name, text]) => this.#readOnce(name, text) ?? []);
    const names = new Set(members.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    this.#lateAfter = Math.min(...members.map(lateAfterOf));
    return { ...read, members };
  }

  async look(): Promise<DirectorySnapshot> {
    const { view, processVersions, incarnation, seal, beats } = this.parts.keys;
    const [viewVersion, tableVersion, life, fingerprint, now, ...flat] = toTexts(
      await lookScript.run(this.parts.control, [view, processVersions, incarnation, seal, beats], []),
    );
    const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, toNumber(flat[index + 1])] as const] : []));
    return {
      viewVersion: toNumber(viewVersion),
      tableVersion: toNumber(tableVersion),
      incarnation: life ?? '',
      now: toNumber(now),
      beats: new Map(pairs),
      ...(fingerprint ? { isCookieShared: fingerprint === this.parts.seal.fingerprint } : {}),
    };
  }

  async reasons(bootIds: readonly string[]): Promise<LeaveReason[]> {
    if (bootIds.length === 0) return [];
    const replies = await this.parts.control.mget(bootIds.map((bootId) => this.parts.keys.left(bootId)));
    return replies.map((reply) => (reply === 'shutdown' || reply === 'terminated' ? reply : 'timeout'));
  }

  #write(record: NodeRecord): string {
    const { classes, declares, ...rest } = record;
    const known = this.#ownHead;
    const isKnown = known !== undefined && known.classes === classes && known.declares === declares;
    const head = isKnown ? known : (this.#ownHead = headOf(classes, declares));
    const text = head.text + JSON.stringify(rest).slice(1);
    this.#wroteLength = text.length;
    return this.parts.seal.sign(this.parts.keys.nodes, text);
  }

  #readOnce(name: string, text: string): NodeRecord | undefined {
    const known = this.#known.get(name);
    if (known?.text === text) {
      delete known.doubtedAt;
      return known.record;
    }
    const read = this.#read(name, text);
    if (read !== undefined) {
      this.#known.set(name, { text, ...read });
      return read.record;
    }
    if (known === undefined) return undefined;
    // It beats all the same, which Redis does not take for a change of it; so it is written with the next beat.
    if (name === this.#own?.name) this.#owed ??= this.#own;
    // INVARIANT (I11): what is not believed says nothing of the node that was there: that has written its record again,
    // or is down, after the time that it has for a beat.
    known.doubtedAt ??= this.#now();
    const { ttl = this.parts.config.membership.ttl } = known.record;
    return this.#now() - known.doubtedAt < Math.min(ttl, LONGEST_TTL_MS) ? known.record : undefined;
  }

  #headIn(text: string): RecordHead | undefined {
    const own = this.#ownHead;
    if (own?.declares !== undefined && text.startsWith(own.text)) return own;
    for (const { head } of this.#known.values()) if (head !== undefined && text.startsWith(head.text)) return head;
    return undefined;
  }

  /** Reads `<bootId> <joined at> <record>`. A node with another cookie is no member, and is named in the log. */
  #read(name: string, text: string): { record: NodeRecord; head?: RecordHead } | undefined {
    const [header = '', bootId, joinedAt] = /^(\S+) (\d+) /.exec(text) ?? [];
    const opened = this.parts.seal.open(this.parts.keys.nodes, text.slice(header.length));
    const head = opened === undefined ? undefined : this.#headIn(opened);
    const record = opened === undefined ? undefined : parseRecord(opened, joinedAt, head);
    // What was signed for one node must not speak for another.
    if (record?.name === name && record.bootId === bootId) {
      const { classes, declares } = record;
      // Without declarations it would be the beginning of records that have some, too.
      const isHead = opened!.length >= LARGE_RECORD && declares !== undefined;
      const own = head ?? (isHead ? headOf(classes, declares) : undefined);
      return { record, ...(own !== undefined && opened!.startsWith(own.text) ? { head: own } : {}) };
    }
    const host = parseRecord(text.slice(header.length), joinedAt)?.host;
    this.#log.warn(
      'The record of a node is not signed with the cookie of this node, or cannot be read; it is not a member',
      { node: show(name), ...(host === undefined ? {} : { host: show(host) }) },
      name,
    );
    return undefined;
  }
}
