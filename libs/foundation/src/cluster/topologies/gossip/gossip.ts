/**
 * The strategy `gossip`: nodes of one network tell each other of themselves, and of Redis, by encrypted UDP packets.
 * Needs no package and no server. Configuration: `cluster: 'gossip'` with `FOUNDATION_GOSSIP_SECRET`, for instance what
 * `openssl rand -hex 32` prints, or
 * `{ strategy: 'gossip', secret, previousSecret, group: '230.1.1.251', port: 45892, interface:
 * '10.0.0.7', every: 1500 }`.
 *
 * - `group` is a multicast group, or a broadcast address (`255.255.255.255`, `10.0.0.255`) where multicast does not
 *   pass. Packets do not leave the network. Clouds mostly carry neither: take `dns`, `consul` or `static` there.
 *   `interface` is the node's address in the network to use, where it is in several.
 * - To change the secret: start every node with the old one as `secret` and the new one as `previousSecret`, then with
 *   the two exchanged, then with the new one alone. A node sends with the first and takes both.
 * - Clocks may differ by 30 seconds: older packets, and those that were taken before, are dropped. So are those with
 *   another secret, and what is no packet. Each kind is counted in `Topologies.status()`, and the log names the sender
 *   once a minute.
 * - A node says its name, host and boot id, where others link with it, and where its Redis is, never with a password.
 *   Redis on 127.0.0.1 counts on the same machine only. Where nodes name different ones, none is found: name it in
 *   FOUNDATION_REDIS_URL.
 *
 * Underneath: `dgram`, AES-256-GCM with a key that scrypt makes of the secret and `appName`. Never says that a node has
 * ended.
 */
import type { CipherKey } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { TopologyReport, TopologySelf, TopologyStrategy } from '../../../config/topology.strategy.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';
import { jittered } from '../../../time/backoff.js';
import { Heard } from '../announce/announced.peers.js';
import { type Announcement, announcementOf, readAnnouncement } from '../announce/announcement.js';
import { isHere, isLoopback } from '../announce/local.network.js';
import { PacketDrops } from '../announce/packet.drops.js';
import { keyFrom, open, seal } from './gossip.packets.js';
import { GossipReplayWindow, nextTime } from './gossip.replay.window.js';

/** A node that is not heard of for this many rounds is left out: three packets in a row may be lost. */
const ROUNDS = 4;
/** A node that hears of a new one announces itself within this time, at random, so that not all do at once. */
const ANSWER_MS = 200;
/** The first look: time for everyone to answer, so that nodes that do not agree on Redis are seen. */
const LOOK_MS = 500;

/** Why a packet is dropped; `foreign` ones, of other applications, are only counted. */
const MEANING = {
  undecipherable: 'it was made with another secret, or changed on its way; compare FOUNDATION_GOSSIP_SECRET',
  malformed: 'it is not a packet of Foundation, or not of this version',
  replayed: 'it was sent before, by an attacker who recorded it or by a network that duplicates packets',
  untimely: 'its time is more than 30 seconds from here; compare the clocks, or an attacker replays packets',
  full: 'too many nodes are known already',
} as const;

/** See the file header. */
export class GossipStrategy implements TopologyStrategy {
  readonly name = 'gossip';
  readonly #drops = new PacketDrops('gossip', { counted: ['sent', 'heard', 'foreign'], dropped: Object.keys(MEANING) });
  readonly #window = new GossipReplayWindow();
  readonly #heard: Heard;
  #keys: readonly CipherKey[] | undefined;
  #socket: Socket | undefined;
  #self: TopologySelf | undefined;
  #report: TopologyReport | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Rises with each start and stop; a start that was overtaken ends. */
  #turn = 0;
  #hasLooked = false;
  #soon = false;
  #lastAt = 0;

  constructor(private readonly config: StrategyConfigs['gossip']) {
    this.#heard = new Heard(ROUNDS * config.every);
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#drops.counters;
  }

  async start(report: TopologyReport, self: TopologySelf): Promise<void> {
    const turn = ++this.#turn;
    this.#report = report;
    this.#self = self;
    this.#hasLooked = false;
    const { secret, previousSecret } = this.config;
    const secrets = previousSecret === undefined ? [secret] : [secret, previousSecret];
    this.#keys ??= await Promise.all(secrets.map((each) => keyFrom(each, self.appName)));
    if (turn !== this.#turn) return;
    const socket = (this.#socket = createSocket({ type: 'udp4', reuseAddr: true }).unref());
    await this.#bind(socket);
    socket.on('error', (error) => report.failed(this.#error(error)));
    socket.on('message', (packet, from) => this.#hear(packet, from));
    this.#tell();
    await pause(LOOK_MS, undefined, { ref: false });
    if (turn !== this.#turn) return;
    this.#hasLooked = true;
    this.#found();
  }

  announce(self: TopologySelf): void {
    this.#self = self;
    if (this.#socket === undefined) return;
    this.#heard.note(this.#own(), performance.now());
    this.#found();
    this.#tellSoon();
  }

  async stop(leaving: boolean): Promise<void> {
    this.#turn++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    if (leaving && this.#self?.observes !== true)
      await this.#send(socket, { ...this.#own(), leaving: true }).catch(() => undefined);
    socket.close();
  }

  async #bind(socket: Socket): Promise<void> {
    const { group, port, interface: network } = this.config;
    try {
      socket.bind(port);
      await once(socket, 'listening');
      if (!isMulticast(group)) return socket.setBroadcast(true);
      socket.addMembership(group, network);
      if (network !== undefined) socket.setMulticastInterface(network);
      // No further than this network, and to the other nodes of this machine.
      socket.setMulticastTTL(1);
      socket.setMulticastLoopback(true);
    } catch (error) {
      throw this.#error(error);
    }
  }

  /** Announces this node now, and again after a while. */
  #tell(): void {
    const [socket, self] = [this.#socket, this.#own()];
    if (socket === undefined) return;
    const now = performance.now();
    const isGone = this.#heard.expire(now);
    const isNew = self.asks !== true && this.#heard.note(self, now) !== 'same';
    if (isNew || isGone) this.#found();
    this.#again(jittered(this.config.every));
    this.#send(socket, self).catch((error: unknown) => {
      if (socket === this.#socket) this.#report?.failed(this.#error(error));
    });
  }

  #tellSoon(): void {
    if (this.#soon || this.#self?.observes === true) return;
    this.#again(jittered(ANSWER_MS, 0, 1));
    this.#soon = true;
  }

  #again(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#soon = false;
    this.#timer = setTimeout(() => this.#tell(), afterMs).unref();
  }

  #own(): Announcement {
    return announcementOf(this.#self!);
  }

  async #send(socket: Socket, content: Announcement): Promise<void> {
    const { group, port } = this.config;
    this.#lastAt = nextTime(this.#lastAt, Date.now());
    const packet = seal({ ...content, at: this.#lastAt }, content.app, this.#keys![0]!);
    await new Promise<void>((resolve, reject) => {
      socket.send(packet, port, group, (error) => (error === null ? resolve() : reject(error)));
    });
    this.#drops.count('sent');
  }

  #hear(packet: Buffer, from: RemoteInfo): void {
    const { appName, bootId } = this.#self!;
    const opened = open(packet, appName, this.#keys!);
    if ('why' in opened) return opened.why === 'foreign' ? this.#drops.count('foreign') : this.#drop(opened.why, from);
    const told = readAnnouncement(opened.value);
    const at = timeOf(opened.value);
    if (told === undefined || told.app !== appName || at === undefined) return this.#drop('malformed', from);
    if (told.boot === bootId) return;
    const verdict = this.#window.check(told.boot, at, Date.now());
    if (verdict !== 'fresh') return this.#drop(verdict, from);
    this.#drops.count('heard');
    if (told.asks === true) return this.#tellSoon();
    const { redis, ...others } = told;
    const isElsewhere = redis !== undefined && isLoopback(redis) && !isHere(from.address);
    const noted = this.#heard.note(isElsewhere ? others : told, performance.now());
    if (noted === 'full') return this.#drop('full', from);
    if (noted === 'new') this.#tellSoon();
    if (noted !== 'same') this.#found();
  }

  #drop(why: keyof typeof MEANING, { address }: RemoteInfo): void {
    this.#drops.drop(why, address, MEANING[why]);
  }

  #found(): void {
    if (!this.#hasLooked) return;
    const redis = this.#heard.redis();
    this.#report?.found({ peers: this.#heard.peers(), ...(redis === undefined ? {} : { redis }) });
  }

  #error(cause: unknown): TopologyError {
    const { group, port, interface: network } = this.config;
    return new TopologyError(
      'gossip',
      'dgram.Socket',
      `group ${group}, port ${port}${network === undefined ? '' : `, interface ${network}`}: ${describe(cause)}`,
      'Name an address of this machine in "interface" whose network carries multicast, or make "group" a broadcast address.',
      cause,
    );
  }
}

const isMulticast = (address: string): boolean => {
  const first = Number(address.split('.')[0]);
  return first >= 224 && first <= 239;
};

function timeOf(value: unknown): number | undefined {
  const at = typeof value === 'object' && value !== null && 'at' in value ? value.at : undefined;
  return typeof at === 'number' && Number.isSafeInteger(at) ? at : undefined;
}
