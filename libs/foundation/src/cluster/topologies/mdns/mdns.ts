/**
 * The strategy `mdns`: nodes of one machine or local network find each other, and their Redis, with nothing configured,
 * for development; `npm i -D multicast-dns`. Configuration: none: `cluster: true` outside production takes it where
 * nothing says where Redis is. By name: `cluster: 'mdns'`, `FOUNDATION_CLUSTER=mdns`, or
 * `{ strategy: 'mdns', interface: '192.168.1.7', every: 5000 }`.
 *
 * - A node that knows its Redis and shall announce it says so by name:
 *   `FOUNDATION_CLUSTER=mdns FOUNDATION_REDIS_URL=redis://…`.
 * - Nodes are instances of `_foundation._tcp.local`, told apart by `appName`. Look with
 *   `avahi-browse -rt _foundation._tcp` or `dns-sd -B _foundation._tcp`.
 * - Redis on 127.0.0.1 counts on the same machine only. Where nodes name different ones, none is found: name it in
 *   FOUNDATION_REDIS_URL. Containers and clouds mostly carry no multicast.
 *
 * Nothing of this is authenticated: any host in the network can announce a Redis. What they say has to come
 * from this network and to be short, it has no password in it, and no password is sent to a Redis that was found this
 * way. In production take `gossip`, which is encrypted. Never says that a node has ended.
 *
 * Underneath: `multicast-dns`, a question for PTR records every five seconds; answers are PTR, SRV and TXT.
 */
import type { RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { MulticastDNS } from 'multicast-dns';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { TopologyReport, TopologySelf, TopologyStrategy } from '../../../config/topology.strategy.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { MissingPackageError } from '../../../errors/config.errors.js';
import { describe } from '../../../errors/describe.js';
import { jittered } from '../../../time/backoff.js';
import { Heard } from '../announce/announced.peers.js';
import { type Announcement, announcementOf } from '../announce/announcement.js';
import { isHere, isLoopback, isOnLink } from '../announce/local.network.js';
import { PacketDrops } from '../announce/packet.drops.js';
import { announcementsIn, isAskedFor, recordsOf, TYPE } from './mdns.records.js';

type MakeMdns = typeof import('multicast-dns');

/** A node that leaves this many queries unanswered is left out. */
const ROUNDS = 4;
/**
 * RFC 6762 (6) has everyone wait for 20 to 120 ms, at random, so that not all answer at once; questions of that time
 * get one answer.
 */
const ANSWER_FROM_MS = 20;
const ANSWER_SPREAD_MS = 100;
/** The first look: time for everyone to answer, so that nodes that do not agree on Redis are seen. */
const LOOK_MS = 600;

/** Why something is dropped; `unreadable` packets, which networks have many of, are only counted. */
const MEANING = {
  malformed: 'it says that it is a Foundation node, and is not as one of this version',
  offLink: 'it comes from another network, so it is forged',
  full: 'too many nodes are known already',
} as const;

/**
 * Makes the strategy.
 *
 * @throws MissingPackageError when `multicast-dns` is not installed.
 */
export async function createMdns(config: StrategyConfigs['mdns']): Promise<TopologyStrategy> {
  try {
    const { default: make } = await import('multicast-dns');
    return new MdnsStrategy(make, config);
  } catch (error) {
    throw new MissingPackageError('multicast-dns', `cluster: 'mdns'`, error);
  }
}

/** See the file header. */
class MdnsStrategy implements TopologyStrategy {
  readonly name = 'mdns';
  readonly #drops = new PacketDrops('mdns', {
    counted: ['asked', 'answered', 'heard', 'unreadable'],
    dropped: Object.keys(MEANING),
  });
  readonly #heard: Heard;
  #mdns: MulticastDNS | undefined;
  #self: TopologySelf | undefined;
  #report: TopologyReport | undefined;
  #asking: NodeJS.Timeout | undefined;
  #answering: NodeJS.Timeout | undefined;
  #hasLooked = false;

  constructor(
    private readonly make: MakeMdns,
    private readonly config: StrategyConfigs['mdns'],
  ) {
    this.#heard = new Heard(ROUNDS * config.every);
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#drops.counters;
  }

  async start(report: TopologyReport, self: TopologySelf): Promise<void> {
    this.#report = report;
    this.#self = self;
    this.#hasLooked = false;
    const { interface: network } = this.config;
    // The package would go on, and send to another network.
    if (network !== undefined && !isHere(network)) throw this.#error('no network of this machine');
    // Bound to every address, because Linux gives multicast to no socket that is bound to the address of an interface.
    const mdns = this.make(network === undefined ? {} : { interface: network, bind: '0.0.0.0' });
    this.#mdns = mdns;
    await once(mdns, 'ready').catch((error: unknown) => {
      throw this.#error(error);
    });
    if (mdns !== this.#mdns) return;
    mdns.on('error', (error) => report.failed(this.#error(error)));
    mdns.on('warning', () => this.#drops.count('unreadable'));
    mdns.on('query', ({ questions }) => isAskedFor(questions) && this.#answerSoon());
    mdns.on('response', ({ answers, additionals }, from) => this.#hear([...answers, ...additionals], from));
    this.#answerSoon();
    this.#ask();
    await pause(LOOK_MS, undefined, { ref: false });
    if (mdns !== this.#mdns) return;
    this.#hasLooked = true;
    this.#found();
  }

  announce(self: TopologySelf): void {
    this.#self = self;
    if (this.#mdns === undefined) return;
    this.#heard.note(this.#own(), performance.now());
    this.#found();
    this.#answerSoon();
  }

  async stop(leaving: boolean): Promise<void> {
    clearTimeout(this.#asking);
    clearTimeout(this.#answering);
    this.#answering = undefined;
    const mdns = this.#mdns;
    this.#mdns = undefined;
    if (mdns === undefined) return;
    if (leaving && this.#self?.observes !== true)
      await new Promise<void>((done) => mdns.respond(recordsOf({ ...this.#own(), leaving: true }), () => done()));
    // Errors of a closed socket do not matter, and must not end the process.
    mdns.removeAllListeners().on('error', () => undefined);
    await new Promise<void>((done) => mdns.destroy(done));
  }

  #own(): Announcement {
    return announcementOf(this.#self!);
  }

  #ask(): void {
    const mdns = this.#mdns;
    if (mdns === undefined) return;
    this.#drops.count('asked');
    mdns.query([{ name: TYPE, type: 'PTR' }], (error) => this.#sent(mdns, error));
    const now = performance.now();
    const isGone = this.#heard.expire(now);
    const isNew = this.#self?.observes !== true && this.#heard.note(this.#own(), now) !== 'same';
    if (isNew || isGone) this.#found();
    this.#asking = setTimeout(() => this.#ask(), this.config.every).unref();
  }

  #answerSoon(): void {
    if (this.#self?.observes === true) return;
    const answer = (): void => {
      const mdns = this.#mdns;
      this.#answering = undefined;
      if (mdns === undefined) return;
      this.#drops.count('answered');
      mdns.respond(recordsOf(this.#own()), (error) => this.#sent(mdns, error));
    };
    this.#answering ??= setTimeout(answer, ANSWER_FROM_MS + jittered(ANSWER_SPREAD_MS, 0, 1)).unref();
  }

  #sent(mdns: MulticastDNS, error: Error | null | undefined): void {
    if (error && mdns === this.#mdns) this.#report?.failed(this.#error(error));
  }

  #hear(records: Parameters<typeof announcementsIn>[0], { address }: RemoteInfo): void {
    const { told, malformed } = announcementsIn(records);
    if (malformed > 0) this.#drop('malformed', address);
    const others = told.filter(({ app, boot }) => app === this.#self!.appName && boot !== this.#self!.bootId);
    if (others.length === 0) return;
    if (!isOnLink(address)) return this.#drop('offLink', address);
    const fromHere = isHere(address);
    const noted = others.map(({ redis, ...known }) => {
      const isUsable = redis !== undefined && (fromHere || !isLoopback(redis));
      return this.#heard.note(isUsable ? { ...known, redis } : known, performance.now());
    });
    this.#drops.count('heard');
    if (noted.includes('full')) this.#drop('full', address);
    if (noted.some((each) => each === 'new' || each === 'changed')) this.#found();
  }

  #drop(why: keyof typeof MEANING, from: string): void {
    this.#drops.drop(why, from, MEANING[why]);
  }

  #found(): void {
    if (!this.#hasLooked) return;
    const redis = this.#heard.redis();
    this.#report?.found({ peers: this.#heard.peers(), ...(redis === undefined ? {} : { redis }) });
  }

  #error(cause: unknown): TopologyError {
    const { interface: network } = this.config;
    return new TopologyError(
      'mdns',
      'multicast-dns',
      `${network === undefined ? 'all networks' : `interface ${network}`}, port 5353: ${describe(cause)}`,
      'Name an address of this machine in "interface" whose network carries multicast, or name Redis in FOUNDATION_REDIS_URL.',
      cause,
    );
  }
}
