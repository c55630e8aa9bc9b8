/**
 * Every Redis key and pub/sub topic that Foundation uses; docs/reference/redis-keys.md says how long each lives and
 * who removes it. All of them share one hash tag, so that scripts over several keys work on Redis Cluster.
 */

/** The keys of one application. */
export interface Keys {
  /** The hash tag, and the prefix of the BullMQ queue: `{foundation:<app>}`. */
  readonly tag: string;
  /** HASH node name → `<bootId> <time of its join in ms> <record as JSON>`. */
  readonly nodes: string;
  /** ZSET node name → time of its last beat, in ms of the Redis clock. */
  readonly beats: string;
  /** STRING: version of the membership; rises with each change. */
  readonly view: string;
  /** ZSET `<version> <version before> <node name>` → version: the newest changes of the view; see `CHANGED`. */
  readonly nodeChanges: string;
  /** STRING how many nodes there should be: the most there were, less those that left in order since. */
  readonly expected: string;
  /**
   * STRING `<run_id> <ms>`: which life of Redis this is and since when; see `GRACE` in `incarnation.script.ts`. Beside
   * it, as `…:longest`, the longest grace of the nodes with a heartbeat in the last minute; with a TTL.
   */
  readonly incarnation: string;
  /** STRING: a fingerprint of the cookie that the nodes share, `none` without one. */
  readonly seal: string;
  /** HASH process name → entry as JSON: what should run. */
  readonly processes: string;
  /** ZSET process name → version of its entry, or of its removal. */
  readonly processVersions: string;
  /** ZSET process name → version of its removal; kept for an hour, at most 10,000. */
  readonly processMarks: string;
  /** HASH floor, life, seen: the watermark of the table and which life of it this is; see `redis.table.ts`. */
  readonly processHead: string;
  /** HASH instance id → service as JSON: who offers what. */
  readonly services: string;
  /** ZSET instance id → version of its entry, or of its removal. */
  readonly serviceVersions: string;
  /** ZSET instance id → version of its removal; kept for an hour, at most 10,000. */
  readonly serviceMarks: string;
  /** HASH: the same as of the processes. */
  readonly serviceHead: string;
  /** HASH name of a configuration → what is set in it, as JSON. */
  readonly settings: string;
  /** ZSET name of a configuration → version of its row. */
  readonly settingVersions: string;
  /** ZSET: the same as of the processes; nothing is removed. */
  readonly settingMarks: string;
  /** HASH: the same as of the processes. */
  readonly settingHead: string;
  /** STREAM of entries with the field `m`: what happened in the cluster; see `journal.scripts.ts`. */
  readonly journal: string;
  /** ZSET what several nodes report → when the first of them did, in ms of the Redis clock. */
  readonly journalMarks: string;
  /** STRING: the number of the last entry of the journal that a node has written, by boot id. */
  journalWritten(bootId: string): string;
  /** Topic of the hints: something changed, check now instead of later. */
  readonly hints: string;
  /** STRING why a node left, by boot id; lives for a minute. */
  left(bootId: string): string;
  /** STRING, the Redlock lock: token of the owner, with the lease's TTL. */
  lease(name: string): string;
  /** STRING: the last epoch (fencing token) that was minted for a process. */
  epoch(name: string): string;
  /** STRING: the highest epoch of a name whose epoch has been forgotten. */
  readonly epochs: string;
  /** HASH: token, node, bootId, epoch, state of the owner; true only while `token` equals the lease. */
  owner(name: string): string;
  /** STRING: the owner of a lock of `nestjs-foundation/locks`, with its TTL. */
  lock(key: string): string;
  /** STRING: the last token of a lock, of whatever key. */
  readonly lockTokens: string;
  /** ZSET epoch → time of the crash, in ms of the Redis clock. */
  crashes(name: string): string;
  /** HASH epoch, value: a fenced value of the application. */
  fenced(key: string): string;
  /** HASH epoch, claimed, claim, record: what a cluster-wide cron job remembers; see `tick.scripts.ts`. */
  cron(job: string): string;
  /**
   * STRING: what an owner left to its successor on a planned move, for a minute; then behind `taken:<token>:`, for ten
   * seconds.
   */
  handoff(name: string): string;
  /** Topic of the calls to one node, and of the answers to its own. */
  inbox(bootId: string): string;
  /** Topic of what channels say to one node: acknowledgements, requests, and questions about messages. */
  mail(bootId: string): string;
  /**
   * STREAM: the messages of a durable channel, each an entry with the field `m`; its groups are the consumer groups.
   */
  stream(name: string): string;
  /** STRING: the entry of a message that is not to be kept twice, by the id that its sender gave it; with a TTL. */
  keptOnce(name: string, id: string): string;
  /** ZSET consumer group of a durable channel → when it was used last, in ms of the Redis clock. */
  streamGroups(name: string): string;
  /** STREAM id, group, deliveries, reason, message: what could not be handled of a durable channel. */
  deadLetters(name: string): string;
  /**
   * HASH `<boot id> <number>` → id of the entry that is being handled, boot id → runs of numbers that are: what a group
   * was given of the messages that were signed in one span of ten minutes. Lives for 15 minutes after the span. With a
   * cookie only.
   */
  played(stream: string, group: string, span: number): string;
  /** Topic of the frames for one node to which no link leads; see `backend/transport/direct/relay.ts`. */
  letters(bootId: string): string;
  /** Topic of a channel. */
  channel(name: string): string;
}

/**
 * The keys of the application `appName` in a database of Redis. Keys are of that database by themselves; what is
 * published is heard in all of them, so topics name it, except in the first.
 */
export function keysOf(appName: string, db = 0): Keys {
  const tag = `{foundation:${appName}}`;
  const topics = db === 0 ? tag : `${tag}:db${db}`;
  return {
    tag,
    nodes: `${tag}:nodes`,
    beats: `${tag}:beats`,
    view: `${tag}:view`,
    nodeChanges: `${tag}:nodes:changes`,
    expected: `${tag}:expected`,
    incarnation: `${tag}:incarnation`,
    seal: `${tag}:seal`,
    processes: `${tag}:processes`,
    processVersions: `${tag}:processes:versions`,
    processMarks: `${tag}:processes:marks`,
    processHead: `${tag}:processes:head`,
    services: `${tag}:services`,
    serviceVersions: `${tag}:services:versions`,
    serviceMarks: `${tag}:services:marks`,
    serviceHead: `${tag}:services:head`,
    settings: `${tag}:settings`,
    settingVersions: `${tag}:settings:versions`,
    settingMarks: `${tag}:settings:marks`,
    settingHead: `${tag}:settings:head`,
    journal: `${tag}:journal`,
    journalMarks: `${tag}:journal:marks`,
    journalWritten: (bootId) => `${tag}:journal:written:${bootId}`,
    hints: `${topics}:hints`,
    left: (bootId) => `${tag}:left:${bootId}`,
    lease: (name) => `${tag}:lease:${name}`,
    epochs: `${tag}:epochs`,
    epoch: (name) => `${tag}:epoch:${name}`,
    owner: (name) => `${tag}:owner:${name}`,
    lock: (key) => `${tag}:lock:key:${key}`,
    lockTokens: `${tag}:lock:tokens`,
    crashes: (name) => `${tag}:crashes:${name}`,
    fenced: (key) => `${tag}:fenced:${key}`,
    cron: (job) => `${tag}:cron:${job}`,
    handoff: (name) => `${tag}:handoff:${name}`,
    inbox: (bootId) => `${topics}:inbox:${bootId}`,
    letters: (bootId) => `${topics}:letters:${bootId}`,
    mail: (bootId) => `${topics}:mail:${bootId}`,
    stream: (name) => `${tag}:stream:${name}`,
    played: (stream, group, span) => `${tag}:played:${span}:${stream}:${group}`,
    keptOnce: (name, id) => `${tag}:once:${name}:${id}`,
    streamGroups: (name) => `${tag}:groups:${name}`,
    deadLetters: (name) => `${tag}:dead:${name}`,
    channel: (name) => `${topics}:channel:${name}`,
  };
}

/**
 * What a topic is called in events and metrics: the name of a channel; of a topic of one node `inbox`, `mail` or
 * `letters`, since boot ids would be a label without a limit.
 */
export function channelOf({ tag }: Pick<Keys, 'tag'>, topic: string): string {
  const [, kind = 'other', name] = topic.startsWith(`${tag}:`)
    ? /^(?:db\d+:)?([^:]*):?(.*)$/s.exec(topic.slice(tag.length + 1))!
    : [];
  return kind === 'channel' && name ? name : kind;
}
