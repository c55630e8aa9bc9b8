/**
 * Topics from node to node over TCP or TLS; falls back to Redis for peers without a link.
 * A node that uses the Redis transport has no address in its record: it is reached, and it sends, on the plain topics.
 */
import type { DirectConfig } from '../../../config/config.js';
import { NotReadyError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';
import { Listeners } from '../../../foreign/listeners.js';
import { ThrottledLog } from '../../../logging/throttled.log.js';
import { keyFor } from '../../../security/signer.js';
import type { LinkEndReason } from '../../../telemetry/events.js';
import type { Telemetry } from '../../../telemetry/telemetry.js';
import { within } from '../../../time/timeout.js';
import { type WakeUp, wakeUps } from '../../../time/wake.ups.js';
import type { Bundle } from '../../../wire/bundle.js';
import type { Keys } from '../../../wire/keys.js';
import type { Lane } from '../../../wire/lane.js';
import type { NodeIdentity } from '../../../wire/node.identity.js';
import type { NodeRecord } from '../../directory/directory.js';
import type { Passed, Transport } from '../transport.js';
import { Bodies } from './bodies.js';
import { LinkManager } from './link.manager.js';
import { Rejected } from './link/link.end.js';
import { Refusals } from './link/rejections.js';
import { Peer, type PeerEvents } from './peer.js';
import { PlainTopics, UNKNOWN_MS } from './plain.topics.js';
import { ReceiveStreams } from './receive.streams.js';
import { seal, unseal } from './relay.js';
import type { Kind } from './stream/frames.js';
import { SendStream } from './stream/send.stream.js';
import { applyTopics, decodeBundle, type TopicChange } from './topic.messages.js';
import { announce, greet } from './topic.news.js';
import { TopicSubscriptions } from './topic.subscriptions.js';

/** How often a peer without a link is looked at, in milliseconds. */
const TICK_MS = 250;
/** Links are looked at with another wake-up of this node that comes so much sooner. */
const EARLY_MS = 100;
/** How long the last texts may take to arrive when this node leaves, in milliseconds. */
const FLUSH_MS = 1000;

/** See {@link Transport}. A publisher does not hear itself. */
export class DirectTransport implements Transport {
  readonly packs = true;
  readonly #peers = new Map<string, Peer>();
  readonly #streams: ReceiveStreams;
  readonly #plain: PlainTopics;
  readonly #topics: TopicSubscriptions;
  readonly #interrupted = new Listeners<[bootId?: string, topic?: string]>('a listener to interruptions');
  readonly #repeated = new ThrottledLog();
  readonly #refusals: Refusals;
  readonly #links: LinkManager;
  readonly #letterKey: Buffer;
  readonly #maxBytes: number;
  #clock: WakeUp | undefined;
  readonly #events: PeerEvents;
  #address: string | undefined;
  #hearsRelay = false;
  #hasMet = false;
  #lastStream = 0;
  #tickBy = Infinity;
  #closed = false;

  constructor(
    config: {
      appName: string;
      transport: DirectConfig;
      channels: { maxMessageBytes: number };
    },
    private readonly node: NodeIdentity,
    private readonly telemetry: Telemetry,
    /** Topics in Redis, for relayed frames and for nodes without an address. */
    private readonly redis: Transport,
    private readonly keys: Keys,
  ) {
    this.#letterKey = keyFor(config.transport.cookie.reveal(), config.appName, 'letter');
    // The outbox bundles up to 256 K characters and one message more.
    this.#maxBytes = 2 * config.channels.maxMessageBytes + 1024 * 1024;
    this.#refusals = new Refusals(telemetry);
    this.#streams = new ReceiveStreams(this.#maxBytes, (bootId) => this.#peers.has(bootId));
    this.#plain = new PlainTopics(
      redis,
      (bootId) => this.#peers.get(bootId)?.isProvable === true,
      () => this.#refusals.note('redis', 'linked-sender'),
    );
    this.#topics = new TopicSubscriptions(this.#plain, (change) => this.#announce(change));
    this.#links = new LinkManager(config, node.bootId, telemetry, this.#refusals, {
      peer: (bootId) => this.#peer(bootId),
      known: (bootId) => this.#peers.get(bootId),
      isMember: (host) =>
        [...this.#peers.values()].some(({ status, address }) => status === 'member' && address?.host === host),
      down: (peer, reason) => {
        if (peer.status === 'gone') this.#forget(peer, reason);
        this.#tickSoon();
      },
    });
    this.#events = {
      relay: (to, state, frames) =>
        this.redis.publish(keys.letters(to), seal(this.#letterKey, node.bootId, to, state, frames)),
      arrived: (peer, kind, body) => this.#arrived(peer, kind, body),
      forgotten: (peer) => peer.send('high', 'topics', this.#topics.encode()),
      dropped: (peer, dropped) => {
        for (const each of dropped) this.telemetry.emit('transport.dropped', { node: peer.name, ...each });
      },
      unknown: (peer, type) =>
        this.telemetry.emit('transport.frame_unknown', { node: peer.name, bootId: peer.bootId, type }),
      failed: (peer, error) =>
        this.#repeated.error('A link failed within this node; connecting again', {
          node: peer.name,
          error: describe(error),
        }),
    };
    redis.onInterrupted(() => {
      // Relayed frames are sent again; messages on plain topics are not.
      if (this.#plain.areNeeded) this.#interrupted.tell();
    });
    this.#tickSoon();
  }

  /** Where other nodes reach this one; `undefined` until it listens. */
  get address(): string | undefined {
    return this.#address;
  }

  /**
   * Listens for links and for relayed frames.
   *
   * @throws DirectListenError when the port cannot be had.
   */
  async listen(): Promise<void> {
    if (!this.#hearsRelay) {
      await this.redis.subscribe(this.keys.letters(this.node.bootId), (bundle) => this.#relayed(bundle));
    }
    this.#hearsRelay = true;
    this.#address = await this.#links.listen();
  }

  /** Who is in the cluster, this node included. Called with each new view. */
  meet(members: readonly NodeRecord[]): void {
    if (this.#closed) return;
    this.#hasMet = true;
    const others = members.filter(({ bootId }) => bootId !== this.node.bootId);
    this.#plain.meet(others.some(({ address }) => address === undefined));
    const present = new Set<string>();
    for (const { name, bootId, address } of others) {
      if (address === undefined) continue;
      present.add(bootId);
      this.#peer(bootId).confirm(name, address);
      this.#links.keep(bootId);
    }
    for (const peer of this.#peers.values()) {
      if (peer.status === 'met' || present.has(peer.bootId)) continue;
      // Redis may have lost its data, or the node cannot reach Redis: while the link holds, the node is there.
      peer.status = 'gone';
      if (!peer.isLinked) this.#forget(peer, 'left');
    }
  }

  /** Resolves when the members know this node, or have had the time to; with what says that messages may be missing. */
  greet(): Promise<() => void> {
    return greet([...this.#peers.values()], (bootId) => this.#interrupted.tell(bootId));
  }

  /**
   * Resolves once the bundle waits for, or is on its way to, every node that listens, and there is room for more.
   *
   * @throws NotReadyError before this node knows the members and after it has left, `MessageError` for a bundle that no
   * node would take.
   */
  async publish(topic: string, bundle: Bundle, lane: Lane = 'normal'): Promise<Passed> {
    return this.pass(topic, bundle, lane);
  }

  pass(topic: string, bundle: Bundle, lane: Lane = 'normal'): Passed | Promise<Passed> {
    if (this.#closed) throw new NotReadyError(this.node.name, 'left', 0);
    if (!this.#hasMet) throw new NotReadyError(this.node.name, 'joining', 0);
    const bodies = new Bodies(topic, bundle, this.#maxBytes);
    let sent = 0;
    let isKnown = true;
    let waits: Promise<unknown>[] | undefined;
    for (const peer of this.#peers.values()) {
      // A node that has not said what it listens to yet gets everything, and picks.
      if (peer.topics?.has(topic) === false) continue;
      const kind = bodies.kind(peer.packs);
      const body = bodies.of(kind);
      if (peer.topics === undefined) isKnown = false;
      sent += 1;
      peer.send(lane, kind, body);
      const wait = lane === 'high' ? undefined : peer.room();
      if (wait !== undefined) (waits ??= []).push(wait);
    }
    const to = isKnown ? sent : undefined;
    if (this.#plain.areNeeded) return this.#passPlainly(topic, bodies.text, waits ?? [], to);
    return waits === undefined ? to : Promise.all(waits).then(() => to);
  }

  async #passPlainly(topic: string, text: string, waits: readonly Promise<unknown>[], sent: Passed): Promise<Passed> {
    const [plain] = await Promise.all([this.#plain.publish(topic, text), ...waits]);
    return plain === 0 ? sent : undefined;
  }

  subscribe(topic: string, listener: (bundle: Bundle) => void): Promise<() => Promise<void>> {
    return this.#topics.add(topic, listener);
  }

  onInterrupted(listener: (bootId?: string, topic?: string) => void): () => void {
    return this.#interrupted.add(listener);
  }

  /** Resolves once the other nodes have everything, after a second at the latest. */
  async flush(): Promise<void> {
    const all = Promise.all([...this.#peers.values()].map((peer) => peer.idle()));
    await within(FLUSH_MS, all, 'not all nodes have taken the last texts').catch((error: unknown) =>
      this.#repeated.debug('Some nodes have not received the last messages of this node, which leaves', {
        error: describe(error),
      }),
    );
  }

  close(): void {
    this.#closed = true;
    this.#clock?.cancel();
    for (const peer of [...this.#peers.values()]) this.#forget(peer, 'leaving');
    this.#links.close();
    this.#topics.clear();
  }

  // -- topics -------------------------------------------------------------------------------------------------------

  #announce(change: TopicChange): Promise<void> {
    const all = (): Buffer => this.#topics.encode();
    return announce([...this.#peers.values()], change, all, (...late) => this.#interrupted.tell(...late));
  }

  #arrived(peer: Peer, kind: Kind, body: Buffer): void {
    if (kind === 'topics') {
      peer.topics = applyTopics(peer.topics, body);
      return;
    }
    const message = kind === 'lost' ? undefined : decodeBundle(kind, body);
    if (message !== undefined) return this.#topics.deliver(message.topic, message.bundle);
    this.telemetry.emit('transport.interrupted', { node: peer.name, bootId: peer.bootId });
    this.#interrupted.tell(peer.bootId);
  }

  // -- peers --------------------------------------------------------------------------------------------------------

  #peer(bootId: string): Peer {
    const known = this.#peers.get(bootId);
    if (known !== undefined) return known;
    // Rises with each stream, also when the clock does not.
    this.#lastStream = Math.max(Date.now(), this.#lastStream + 1);
    const outgoing = new SendStream(this.#lastStream);
    // Waits for the first link, text or tick, whatever is first.
    outgoing.add('high', 'topics', this.#topics.encode());
    const peer = new Peer(bootId, outgoing, this.#streams.of(bootId), this.#events);
    this.#peers.set(bootId, peer);
    this.#tickSoon();
    return peer;
  }

  #forget(peer: Peer, reason: LinkEndReason): void {
    this.#peers.delete(peer.bootId);
    this.#links.drop(peer.bootId);
    peer.close(reason);
  }

  #relayed(bundle: Bundle): void {
    if (this.#closed || typeof bundle !== 'string' /* no node packs a letter */) return;
    try {
      const frames = unseal(this.#letterKey, this.node.bootId, bundle);
      if (frames.from !== this.node.bootId) this.#peer(frames.from).relayed(frames);
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      this.#refusals.note('redis', error.reason);
    }
  }

  /** While all peers have links, these say by when they need the clock. */
  #tickSoon(): void {
    if (this.#closed) return;
    const now = performance.now();
    const ticks = [...this.#peers.values()].map(({ tickBy = now + TICK_MS }) => tickBy);
    const next = Math.max(now, Math.min(...ticks));
    this.#clock?.cancel();
    if (this.#tickBy >= now /* one that is overdue stays so */) this.#tickBy = next;
    if (next < Infinity) this.#clock = wakeUps.within(next - EARLY_MS - now, next - now, () => this.#tick()).unref();
  }

  #tick(): void {
    const now = performance.now();
    const wasBlocked = now - this.#tickBy > 2 * TICK_MS;
    this.#tickBy = Infinity;
    for (const peer of [...this.#peers.values()]) {
      if (peer.status === 'met' && now - peer.metAt > UNKNOWN_MS) this.#forget(peer, 'not-a-member');
      else peer.tick(now, wasBlocked);
    }
    this.#tickSoon();
  }
}
