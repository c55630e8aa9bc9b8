/**
 * The directory of nodes in Redis: one hash of records, one sorted set of beats, all changed by Lua.
 * Called by the membership; underneath EVALSHA, and MULTI for a view.
 */
import type { Redis } from 'ioredis';
import type { FoundationConfig } from '../../config/options.js';
import { show } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Signer } from '../../security/signer.js';
import type { LeaveReason } from '../../telemetry/events.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import type { Hint } from '../../wire/hint.js';
import { parseJson } from '../../wire/json.js';
import type { Keys } from '../../wire/keys.js';
import { Grace } from '../redis/grace.period.js';
import { GRACE } from '../redis/incarnation.script.js';
import { Script, toCount, toNumber, toTexts } from '../redis/lua.script.js';
import type {
  BeatAnswer,
  DirectorySnapshot,
  JoinAnswer,
  NodeDirectory,
  NodeRecord,
  NodeView,
  ReplicaReport,
} from './directory.js';
import type { Loads } from './load.hints.js';

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`;

/** Lua: `changed()` raises the view's version, above every one of an earlier life of Redis, and hints. */
const CHANGED = `
local function changed(view, topic)
  redis.call('SET', view, string.format('%.0f',
    math.max(tonumber(redis.call('GET', view) or '0') + 1, t[1] * 1000000 + t[2])))
  redis.call('PUBLISH', topic, '{"t":"view"}')
end
`;

/** A node cannot ask to be kept for longer than this after its last beat, in milliseconds. */
const LONGEST_TTL_MS = 600_000;

/**
 * Lua: `times(name, ttl, late)` → after how long without a beat this node is down, and late; by its own record, since
 * it beats by its own times, and by the given ones where it does not say. In JSON no text and no key of a map can look
 * like these.
 */
const TIMES = `
local function times(name, ttl, late)
  local record = redis.call('HGET', KEYS[1], name) or ''
  local own = tonumber(string.match(record, '"ttl":(%d+)') or '')
  if not own then return ttl, late end
  local every = tonumber(string.match(record, '"beatEvery":(%d+)') or '') or own / 2
  return math.min(own, math.max(ttl, ${LONGEST_TTL_MS})), math.min(2 * every, own)
end
`;

/**
 * KEYS nodes, beats, view, incarnation, seal · ARGV name, bootId, record, ttl, topic, grace, joined before or 0,
 * fingerprint of the cookie, refusal, record that is not believed, or '' → '' and the time of the join when joined,
 * `cookie` when the nodes that live have another one, else bootId and beat of the other. Who joins again keeps its
 * time, and with it its seniority; what it found in the place of its record, and does not believe, is no other node.
 */
const joinScript = new Script(
  'foundationNodeJoin',
  `${GRACE}${NOW}${CHANGED}${TIMES}
grace(KEYS[4], ARGV[6])
local function lives(name, beat)
  return math.abs(now - beat) < times(name, tonumber(ARGV[4]), 0)
end
local cookie = redis.call('GET', KEYS[5])
if cookie and cookie ~= ARGV[8] then
  local beats = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
  for i = 1, #beats, 2 do
    if lives(beats[i], tonumber(beats[i + 1])) then
      redis.call('PUBLISH', ARGV[5], ARGV[9])
      return { 'cookie', '0' }
    end
  end
end
redis.call('SET', KEYS[5], ARGV[8])
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record and record ~= ARGV[10] then
  local boot = string.match(record, '^(%S+) ')
  local beat = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0')
  if boot ~= ARGV[2] and lives(ARGV[1], beat) then return { boot or '?', string.format('%.0f', beat) } end
end
local joined = now
if tonumber(ARGV[7]) > 0 and tonumber(ARGV[7]) < now then joined = tonumber(ARGV[7]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', joined) .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
changed(KEYS[3], ARGV[5])
return { '', string.format('%.0f', joined) }
`,
);

/**
 * KEYS nodes, beats, view, incarnation, table versions · ARGV name, bootId, ttl, late after ms, grace, topic, record or
 * '', changed 0|1, hint of the load or '', shortest time after which a node is late, ms since the last beat of this
 * node that was answered, or -1 → status, view version, table version, incarnation, now, other boot id, its record,
 * longest grace and for how long it is kept, then the late members.
 *
 * Whoever beats also ends the nodes whose time has run out: there is no leader for it, and doing it twice does nothing.
 *
 * INVARIANT: a node is judged by the times that it beats by, which its record says, and never by a clock that jumped:
 * where Redis counted another time since this node's last beat than the node itself, all beats are moved by the
 * difference.
 */
const beatScript = new Script(
  'foundationNodeBeat',
  `${GRACE}${NOW}${CHANGED}${TIMES}
local _, _, longest_grace, kept_for = grace(KEYS[4], ARGV[5])
local status, other, theirs = 'ok', '', ''
local record = redis.call('HGET', KEYS[1], ARGV[1])
local boot, joined
if record then boot, joined = string.match(record, '^(%S+) (%d+) ') end
if not record then
  status = 'gone'
elseif boot ~= ARGV[2] then
  status = 'replaced'
  other = boot or '?'
  theirs = record
else
  local last, silent = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or ''), tonumber(ARGV[11])
  local jump = last and silent >= 0 and now - last - silent or 0
  if math.abs(jump) > 1000 then
    local beats = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
    for i = 1, #beats, 2 do
      local beat = tonumber(beats[i + 1])
      -- One that has beaten since the jump is in the present, and stays there.
      if jump > 0 or beat > now then redis.call('ZADD', KEYS[2], math.min(now, beat + jump), beats[i]) end
    end
  end
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. joined .. ' ' .. ARGV[7]) end
  if ARGV[8] == '1' then
    changed(KEYS[3], ARGV[6])
  elseif ARGV[9] ~= '' then
    redis.call('PUBLISH', ARGV[6], ARGV[9])
  end
end
local late, ended = {}, false
local function look(from, to)
  local beats = redis.call('ZRANGEBYSCORE', KEYS[2], from, to, 'WITHSCORES')
  for i = 1, #beats, 2 do
    local age = math.abs(now - tonumber(beats[i + 1]))
    local ttl, lateAfter = times(beats[i], tonumber(ARGV[3]), tonumber(ARGV[4]))
    if age >= ttl then
      redis.call('ZREM', KEYS[2], beats[i])
      redis.call('HDEL', KEYS[1], beats[i])
      ended = true
    elseif age >= lateAfter then
      late[#late + 1] = beats[i]
    end
  end
end
-- A beat from the future is one from before the clock of Redis was set back.
look('-inf', now - tonumber(ARGV[10]))
look(now + tonumber(ARGV[10]), '+inf')
if ended then changed(KEYS[3], ARGV[6]) end
local newest = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')
local reply = { status, redis.call('GET', KEYS[3]) or '0', newest[2] or '0', redis.call('GET', KEYS[4]) or '',
  string.format('%.0f', now), other, theirs,
  string.format('%.0f', longest_grace), string.format('%.0f', kept_for) }
for _, name in ipairs(late) do reply[#reply + 1] = name end
return reply
`,
);

/** KEYS nodes, beats, view, left · ARGV name, bootId, topic, reason → 1 when this boot id's record was removed. */
const leaveScript = new Script(
  'foundationNodeLeave',
  `${NOW}${CHANGED}
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record or string.match(record, '^(%S+) ') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[4], ARGV[4], 'PX', 60000)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
changed(KEYS[3], ARGV[3])
return 1
`,
);

/**
 * KEYS view, table versions, incarnation, seal, beats → view version, table version, incarnation, seal, now, then name
 * and beat of each.
 * It reads only: whoever looks from outside has the times of no node, and must end none.
 */
const lookScript = new Script(
  'foundationNodesLook',
  `${NOW}
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local reply = { redis.call('GET', KEYS[1]) or '0', newest[2] or '0', redis.call('GET', KEYS[3]) or '',
  redis.call('GET', KEYS[4]) or '', string.format('%.0f', now) }
for _, text in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES')) do reply[#reply + 1] = text end
return reply
`,
);

/** The longest record in characters: of thousands of classes and topics. */
const MAX_RECORD = 4 * 1024 * 1024;
/** So many classes, labels, replicas and topics of a node are read; names and other words have so many characters. */
const MAX_THINGS = 20_000;
const MAX_WORD = 400;
/** As long as texts of errors are. */
const MAX_ERROR = 1000;
/** What can be counted on one node, and the longest of all times, a day. */
const MAX_COUNT = 1_000_000;
const MAX_MS = 86_400_000;

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

  constructor(
    private readonly client: Redis,
    /** For the view, which may be large. */
    private readonly control: Redis,
    private readonly keys: Keys,
    private readonly config: FoundationConfig,
    private readonly seal: Signer,
    private readonly loads: Loads,
    private readonly grace: Grace = new Grace(config.lease.grace),
    private readonly now: () => number = monotonicNow,
  ) {}

  async join(record: NodeRecord): Promise<JoinAnswer> {
    const { nodes, beats, view, incarnation, seal, hints } = this.keys;
    this.#own = record;
    const [other, time] = toTexts(
      await joinScript.run(
        this.client,
        [nodes, beats, view, incarnation, seal],
        [
          record.name,
          record.bootId,
          this.#write(record),
          this.config.membership.ttl,
          hints,
          this.grace.text,
          record.joinedAt,
          this.seal.fingerprint,
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
    const { nodes, beats, view, incarnation, processVersions, hints } = this.keys;
    const { beatEvery, ttl } = this.config.membership;
    const [sentAt, lateAfter] = [this.now(), Math.min(2 * beatEvery, ttl)];
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
        this.client,
        [nodes, beats, view, incarnation, processVersions],
        [
          name,
          bootId,
          ttl,
          lateAfter,
          this.grace.text,
          hints,
          record === undefined ? '' : this.#write(record),
          update?.changed === true ? 1 : 0,
          update === undefined ? '' : this.loads.write(name, update.record.load),
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
    this.grace.hear(toNumber(longest), toNumber(keptFor));
    // INVARIANT: only a node of ours takes the place of one. What a stranger wrote there is written over by joining
    // again.
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
    const { nodes, beats, view, hints } = this.keys;
    await leaveScript.run(this.client, [nodes, beats, view, this.keys.left(bootId)], [name, bootId, hints, reason]);
  }

  async view(): Promise<NodeView> {
    const replies = await this.control.multi().get(this.keys.view).hgetall(this.keys.nodes).exec();
    const [version, records] = (replies ?? []).map(([error, reply]) => {
      if (error !== null) throw error;
      return reply;
    });
    const texts = Object.entries((records ?? {}) as Record<string, string>);
    const members = texts.map(([name, text]) => this.#readOnce(name, text)).filter((record) => record !== undefined);
    for (const name of this.#known.keys())
      if (!members.some((member) => member.name === name)) this.#known.delete(name);
    this.#lateAfter = Math.min(...members.map(lateAfterOf));
    return { version: toNumber(version), members };
  }

  async look(): Promise<DirectorySnapshot> {
    const { view, processVersions, incarnation, seal, beats } = this.keys;
    const [viewVersion, tableVersion, life, fingerprint, now, ...flat] = toTexts(
      await lookScript.run(this.control, [view, processVersions, incarnation, seal, beats], []),
    );
    const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, toNumber(flat[index + 1])] as const] : []));
    return {
      viewVersion: toNumber(viewVersion),
      tableVersion: toNumber(tableVersion),
      incarnation: life ?? '',
      now: toNumber(now),
      beats: new Map(pairs),
      ...(fingerprint ? { isCookieShared: fingerprint === this.seal.fingerprint } : {}),
    };
  }

  async reasons(bootIds: readonly string[]): Promise<LeaveReason[]> {
    if (bootIds.length === 0) return [];
    const replies = await this.control.mget(bootIds.map((bootId) => this.keys.left(bootId)));
    return replies.map((reply) => (reply === 'shutdown' || reply === 'terminated' ? reply : 'timeout'));
  }

  #write(record: NodeRecord): string {
    const { classes, declares, ...rest } = record;
    const known = this.#ownHead;
    const isKnown = known !== undefined && known.classes === classes && known.declares === declares;
    const head = isKnown ? known : (this.#ownHead = headOf(classes, declares));
    const text = head.text + JSON.stringify(rest).slice(1);
    this.#wroteLength = text.length;
    return this.seal.sign(this.keys.nodes, text);
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
    // INVARIANT: what is not believed says nothing of the node that was there: that has written its record again, or is
    // down, after the time that it has for a beat.
    known.doubtedAt ??= this.now();
    const { ttl = this.config.membership.ttl } = known.record;
    return this.now() - known.doubtedAt < Math.min(ttl, LONGEST_TTL_MS) ? known.record : undefined;
  }

  #headIn(text: string): RecordHead | undefined {
    const own = this.#ownHead;
    if (own?.declares !== undefined && text.startsWith(own.text)) return own;
    for (const { head } of this.#known.values()) if (head !== undefined && text.startsWith(head.text)) return head;
    return undefined;
  }

  /** Reads `<bootId> <joined at> <record>`. Whoever has another cookie is not seen, and is named. */
  #read(name: string, text: string): { record: NodeRecord; head?: RecordHead } | undefined {
    const [header = '', bootId, joinedAt] = /^(\S+) (\d+) /.exec(text) ?? [];
    const opened = this.seal.open(this.keys.nodes, text.slice(header.length));
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

/**
 * Nodes of one version begin their records with the same text: thousands of names, parsed once instead of with each new
 * load.
 */
interface RecordHead extends Pick<NodeRecord, 'classes' | 'declares'> {
  /** `{"classes":[…],"declares":{…},` */
  text: string;
}

function headOf(classes: NodeRecord['classes'], declares: NodeRecord['declares']): RecordHead {
  const text = `${JSON.stringify({ classes, declares }).slice(0, -1)},`;
  return { text, classes, ...(declares === undefined ? {} : { declares }) };
}

/** After how long without a beat a node is late; one that does not say has no times of its own. */
function lateAfterOf({ beatEvery, ttl }: NodeRecord): number {
  return beatEvery === undefined || ttl === undefined ? Infinity : Math.max(1, Math.min(2 * beatEvery, ttl));
}

/**
 * Reads a record and the time of its join; `undefined` for one that this version cannot read. `head` is what it begins
 * with.
 */
function parseRecord(text: string, joinedAt: string | undefined, head?: RecordHead): NodeRecord | undefined {
  let value: unknown;
  try {
    const rest = head === undefined ? text : `{${text.slice(head.text.length)}`;
    value = text.length <= MAX_RECORD ? parseJson(rest) : undefined;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const {
    name,
    bootId,
    host,
    pid,
    version,
    state,
    classes,
    load,
    capacity,
    lag,
    labels,
    replicas,
    listens,
    leaseServers,
    beatEvery,
    ttl,
    leaseTtl,
    protocol,
    declares,
    address,
  } = value as Record<string, unknown>;
  if (!isShort(name) || !isShort(bootId)) return undefined;
  return {
    name,
    bootId,
    host: isShort(host) ? host : '?',
    pid: toCount(pid),
    version: isShort(version) ? version : '?',
    state: state === 'draining' ? 'draining' : 'up',
    ...(head === undefined ? parseHead(classes, declares) : { classes: head.classes }),
    ...(head?.declares === undefined ? {} : { declares: head.declares }),
    load: toCount(load, MAX_COUNT),
    ...(capacity === undefined ? {} : { capacity: toCount(capacity, MAX_COUNT) }),
    lag: toCount(lag, MAX_MS),
    labels: mapOf(labels, (text) => (isShort(text) ? text : undefined)),
    replicas: mapOf(replicas, parseReplica),
    listens: mapOf(listens, parseEntries),
    leaseServers: toCount(leaseServers, MAX_COUNT) || 1,
    ...(beatEvery === undefined ? {} : { beatEvery: toCount(beatEvery, MAX_MS) }),
    ...(ttl === undefined ? {} : { ttl: toCount(ttl, MAX_MS) }),
    ...(leaseTtl === undefined ? {} : { leaseTtl: toCount(leaseTtl, MAX_MS) }),
    ...(protocol === undefined ? {} : { protocol: parseProtocol(protocol) }),
    joinedAt: toCount(Number(joinedAt)),
    // What cannot be dialled is kept all the same: it says that the node is to be reached by letters.
    ...(typeof address === 'string' ? { address: address.slice(0, 300) } : {}),
  };
}

function parseHead(classes: unknown, declares: unknown): Pick<NodeRecord, 'classes' | 'declares'> {
  return {
    classes: Array.isArray(classes) ? classes.slice(0, MAX_THINGS).filter(isShort) : [],
    ...(declares === undefined ? {} : { declares: mapOf(declares, parseDeclaration) }),
  };
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_WORD;
}

/** The entries of an object that `read` accepts, in an object without a prototype. */
function mapOf<T>(value: unknown, read: (entry: unknown) => T | undefined): Record<string, T> {
  const map = Object.create(null) as Record<string, T>;
  if (typeof value !== 'object' || value === null) return map;
  for (const [key, entry] of Object.entries(value).slice(0, MAX_THINGS)) {
    if (!isShort(key)) continue;
    const result = read(entry);
    if (result !== undefined) map[key] = result;
  }
  return map;
}

function parseProtocol(value: unknown): { newest: number; oldest: number } {
  const { newest, oldest } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return { newest: toCount(newest, MAX_COUNT), oldest: toCount(oldest, MAX_COUNT) };
}

function parseDeclaration(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 100 ? value : undefined;
}

function parseReplica(value: unknown): ReplicaReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { state, epoch, since, error } = value as Record<string, unknown>;
  if (state !== 'starting' && state !== 'running' && state !== 'failed' && state !== 'escalated') return undefined;
  const report: ReplicaReport = { state, epoch: toCount(epoch), since: toCount(since) };
  return typeof error === 'string' ? { ...report, error: error.slice(0, MAX_ERROR) } : report;
}

/** A node says at most a thousand such things; whoever says more is not believed. */
function parseEntries(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > 1000) return undefined;
  return value.filter((entry): entry is string => typeof entry === 'string' && entry.length <= 400);
}
