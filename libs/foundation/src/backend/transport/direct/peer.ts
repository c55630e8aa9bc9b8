/**
 * One other node: a stream to it, a stream from it, and the carrier of both, which is a link or, while there is none,
 * frames relayed through Redis. The direct transport says which peers there are, and passes links and relayed frames.
 */
import { describe } from '../../../errors/describe.js';
import type { LinkEndReason } from '../../../telemetry/events.js';
import type { Lane } from '../../../wire/lane.js';
import { DueAcks } from './due.acks.js';
import { type Address, parseAddress } from './link/host.address.js';
import type { Link } from './link/link.js';
import { MAX_LETTER, type RelayedFrames } from './relay.js';
import { RelayPatience } from './relay.patience.js';
import { SendRoom } from './send.room.js';
import { decodeAck, decodePart, encodeFrame, FRAME, type Frame, type Kind, MalformedFrame } from './stream/frames.js';
import type { ReceiveStream } from './stream/receive.stream.js';
import { type Dropped, SendStream } from './stream/send.stream.js';
import { decodeState, encodeState, type StreamState } from './stream/stream.state.js';

/** The most bytes of the lower lanes in one write, so that an urgent text never waits for more of them. */
const BATCH = 64 * 1024;

/**
 * So many bytes do not wait for the end of the turn: the other side works on them while this one writes on. Two sides
 * that hand each other all they have would take turns, and each would idle while the other one works.
 */
const WORTH_A_WRITE = 8 * 1024;

/** What a peer needs, and reports. */
export interface PeerEvents {
  /** Relays frames through Redis; rejects when Redis did not take them. */
  relay(to: string, state: StreamState, frames: readonly Buffer[]): Promise<unknown>;
  /** A text, or a change of its topics, has arrived. */
  arrived(peer: Peer, kind: Kind, body: Buffer): void;
  /** The peer had forgotten this node, and has to be sent its topics again. */
  forgotten(peer: Peer): void;
  dropped(peer: Peer, dropped: readonly Dropped[]): void;
  /** Frames that this version does not know. */
  unknown(peer: Peer, type: number): void;
  /** A fault of this library: reported, and the link is made again. */
  failed(peer: Peer, error: unknown): void;
}

/** See the file header. */
export class Peer {
  /** Its name in the cluster; its boot id until the membership has it. */
  name: string;
  /** `undefined` until it has said what it listens to. */
  topics: Set<string> | undefined;
  /** `met`: it knows the cookie, and the membership does not have it yet. `gone`: the membership no longer has it. */
  status: 'met' | 'member' | 'gone' = 'met';
  readonly metAt = performance.now();
  /** It reads what is packed, as it said when a link was made; until then, and of the version before, it gets texts. */
  packs = false;
  #address: Address | undefined;
  #link: Link | undefined;
  /** The peer has said where its streams stand, so this link may carry them. */
  #isAgreed = false;
  #closed = false;
  #wroteThisTurn = false;
  #pumpTimer: NodeJS.Immediate | undefined;
  readonly #acks = new DueAcks(() => this.#guard(() => this.#acknowledgeNow()));
  readonly #patience = new RelayPatience();
  readonly #room = new SendRoom();

  constructor(
    readonly bootId: string,
    private readonly outgoing: SendStream,
    private readonly incoming: ReceiveStream,
    private readonly events: PeerEvents,
  ) {
    this.name = bootId;
  }

  get address(): Address | undefined {
    return this.#address;
  }

  get isLinked(): boolean {
    return this.#link !== undefined;
  }

  /** It proves who it is with each text. */
  get isProvable(): boolean {
    return this.isLinked || this.#address !== undefined;
  }

  /** What the membership says of it. */
  confirm(name: string, address: string): void {
    this.name = name;
    this.#address = parseAddress(address);
    this.status = 'member';
  }

  /** Takes a message for this node; the high lane leaves in this very call. */
  send(lane: Lane, kind: Kind, body: Buffer, arrived?: () => void): void {
    if (this.#closed) return arrived?.();
    const dropped = this.outgoing.add(lane, kind, body, arrived);
    if (dropped.length > 0) this.events.dropped(this, dropped);
    // The first text of a turn leaves at once, and the rest of this turn together after it, or as soon as it is much.
    if (lane === 'high' || !this.#wroteThisTurn || this.outgoing.queued >= WORTH_A_WRITE) this.#pump();
    else this.#pumpSoon();
  }

  /** Sends a change of the topics of this node; see {@link SendStream.change}. */
  change(body: Buffer, all: () => Buffer, arrived: () => void): void {
    if (this.#closed) return arrived();
    this.outgoing.change(body, all, arrived);
    this.#pump();
  }

  /** See {@link SendRoom.wanted}. */
  room(): Promise<void> | undefined {
    return this.#room.wanted(this.outgoing.queued, this.#closed);
  }

  /** Resolves when the other node has everything, at once when it gives no sign of life. */
  idle(): Promise<void> {
    if (this.outgoing.isIdle || this.#closed || this.#patience.isSilent) return Promise.resolve();
    return this.#room.untilIdle();
  }

  // -- carriers -----------------------------------------------------------------------------------------------------

  /** A link has proven to lead to this node. One that was there is dead, or the other side would not have dialled. */
  linked(link: Link, packs: boolean): void {
    this.packs = packs;
    const old = this.#link;
    this.#link = link;
    this.#isAgreed = false;
    old?.close('replaced');
    link.send([encodeFrame(FRAME.state, Buffer.from(encodeState(this.#state())))]);
  }

  /** Returns false when the link was replaced before. */
  unlinked(link: Link): boolean {
    if (this.#link !== link) return false;
    this.#link = undefined;
    this.#isAgreed = false;
    this.#resend();
    return true;
  }

  /** @throws MalformedFrame, which ends the link. */
  frame(link: Link, { type, payload }: Frame): void {
    if (link !== this.#link) return;
    if (this.#isAgreed === (type === FRAME.state))
      throw new MalformedFrame('a state frame is the first, and only that');
    if (type === FRAME.state) return this.#agree(payload);
    if (type === FRAME.alive) return;
    if (type === FRAME.ack) return this.#acknowledged(decodeAck(payload));
    if (type !== FRAME.data) return this.events.unknown(this, type);
    this.#acks.add(payload.length);
    this.#take(decodePart(payload));
  }

  /** All that came in one piece is read. */
  turn(): void {
    if (!this.#closed) this.#acks.write();
  }

  relayed({ state, parts }: RelayedFrames): void {
    if (this.#start(state) === 'stale') return;
    this.#heard(state);
    for (const part of parts) {
      this.#acks.add(part.bytes.length + 1);
      this.#take(part);
    }
    if (!this.#closed) this.#acks.write();
  }

  /** By when {@link tick} is to be called next, or sooner; `undefined` when that is several times a second. */
  get tickBy(): number | undefined {
    return this.status === 'member' ? this.#link?.tickBy : undefined;
  }

  tick(now: number, wasBlocked: boolean): void {
    this.#guard(() => this.#tick(now, wasBlocked));
  }

  #tick(now: number, wasBlocked: boolean): void {
    if (this.#link !== undefined) {
      if (wasBlocked) this.#link.excuse(now);
      return this.#link.tick(now);
    }
    if (this.#patience.hasEnded(now)) this.#resend();
    else if (this.outgoing.isReady) this.#pump();
  }

  close(reason: LinkEndReason): void {
    this.#closed = true;
    this.#link?.close(reason);
    if (this.#pumpTimer !== undefined) clearImmediate(this.#pumpTimer);
    this.#acks.close();
    this.#room.free();
    this.#room.idle();
    this.incoming.forgetParts();
  }

  // -- out ----------------------------------------------------------------------------------------------------------

  #state(): StreamState {
    const { stream: otherStream, received } = this.incoming;
    return { stream: this.outgoing.stream, base: this.outgoing.base, otherStream, received };
  }

  #pumpSoon(): void {
    this.#pumpTimer ??= setImmediate(() => {
      this.#pumpTimer = undefined;
      this.#wroteThisTurn = false;
      this.#guard(() => this.#pump());
    });
  }

  #pump(): void {
    if (this.#closed) return;
    if (this.#link === undefined) return this.#relay();
    if (!this.#isAgreed) return;
    const buffers = this.outgoing.take(BATCH);
    if (buffers.length === 0) return;
    if (this.#acks.areDue) buffers.unshift(this.#acks.take(this.incoming.received));
    this.#link.send(buffers);
    this.#wrote();
  }

  #relay(withoutFrames = false): void {
    const frames = withoutFrames ? [] : this.outgoing.take(MAX_LETTER);
    if (frames.length === 0 && !withoutFrames) return;
    this.#acks.written();
    if (frames.length > 0) this.#patience.relayed();
    // What Redis did not take is still kept here, and the clock brings it again.
    this.events.relay(this.bootId, this.#state(), frames).catch(() => undefined);
    this.#wrote();
  }

  #wrote(): void {
    this.#wroteThisTurn = true;
    this.#pumpSoon();
    this.#room.sent(this.outgoing.queued);
  }

  #resend(): void {
    this.outgoing.rewind();
    this.#patience.restart();
    this.#pump();
  }

  #acknowledged(seq: number): void {
    this.outgoing.acknowledge(seq);
    this.#patience.answered(this.outgoing.isAwaiting && this.#link === undefined);
    if (this.outgoing.isIdle) this.#room.idle();
    else if (this.outgoing.isReady) this.#pumpSoon();
  }

  // -- in -----------------------------------------------------------------------------------------------------------

  #agree(payload: Buffer): void {
    const state = decodeState(payload.toString());
    if (state === undefined) throw new MalformedFrame('a state that cannot be read');
    if (this.#start(state) === 'stale') throw new MalformedFrame('a stream that has ended');
    this.#isAgreed = true;
    this.#heard(state);
    this.#resend();
  }

  #start({ stream, base }: StreamState): 'stale' | 'lost' | undefined {
    const outcome = this.incoming.begin(stream, base);
    if (outcome !== 'lost') return outcome;
    this.topics = undefined;
    this.events.arrived(this, 'lost', Buffer.alloc(0));
    this.events.forgotten(this);
    return outcome;
  }

  #heard({ otherStream, received }: StreamState): void {
    if (otherStream === this.outgoing.stream) this.#acknowledged(received);
  }

  #take(part: Parameters<ReceiveStream['accept']>[0]): void {
    const arrival = this.incoming.accept(part);
    if (arrival === undefined) return;
    // A subscriber waits until its peers know of a new topic.
    if (arrival.kind === 'topics') this.#acks.hurry();
    this.events.arrived(this, arrival.kind, arrival.body);
  }

  /** INVARIANT (I10): nothing is thrown out of a timer, which would end the process; at most the link ends. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.events.failed(this, error);
      this.#link?.close('failed', describe(error));
    }
  }

  #acknowledgeNow(): void {
    if (this.#link !== undefined && this.#isAgreed) this.#link.send([this.#acks.take(this.incoming.received)]);
    else if (this.#link === undefined) this.#relay(true);
  }
}
