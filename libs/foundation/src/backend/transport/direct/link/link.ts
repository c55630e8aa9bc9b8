/**
 * One connection to another node: the handshake first, then frames. Nothing is read before the handshake is done.
 * Made by the listener and by the dialer; owned by the peer that it leads to. Underneath `net.Socket` or
 * `tls.TLSSocket`.
 */
import type { Socket } from 'node:net';
import { describe } from '../../../../errors/describe.js';
import type { LinkEndReason } from '../../../../telemetry/events.js';
import { encodeFrame, FRAME, type Frame, FrameReader, MalformedFrame, MAX_PAYLOAD } from '../stream/frames.js';
import { type Handshake, MAX_HANDSHAKE_PAYLOAD } from './handshake.js';
import { type LinkEnd, Rejected } from './link.end.js';

/** The most bytes that are read of a peer that has not proven to know the cookie. */
const MAX_HANDSHAKE_BYTES = 4096;
/** A link is kept alive when nothing was sent for this long, in milliseconds. */
const ALIVE_AFTER_MS = 500;
/** By then at the latest. */
const ALIVE_WITHIN_MS = 750;
/** A link that brings nothing for this long is dead, whatever TCP thinks of it. */
const SILENT_AFTER_MS = 2000;

/** The mean size in bytes from which buffers are not copied into one. */
const WORTH_A_VECTOR = 2048;

/** A timer may fire so much too soon. */
const ROUNDING_MS = 2;

const ALIVE = encodeFrame(FRAME.alive, Buffer.alloc(0));

/** What a link reports to its owner. */
export interface LinkEvents {
  /** The other side has proven to be the node with this boot id; whether it reads what is packed. */
  proven(link: Link, bootId: string, packs: boolean): void;
  /** A frame of a proven link. */
  frame(link: Link, frame: Frame): void;
  /** All frames that came in one piece have been passed on. */
  turn(): void;
  /** Called once. */
  closed(link: Link, end: LinkEnd): void;
}

/** See the file header. */
export class Link {
  readonly #reader = new FrameReader(MAX_HANDSHAKE_PAYLOAD);
  #handshake: Handshake | undefined;
  #handshakeBytes = 0;
  #sentAt = performance.now();
  #heardAt = performance.now();
  #closed = false;

  constructor(
    private readonly socket: Socket,
    handshake: Handshake,
    /** The address of the other end. */
    readonly remote: string,
    private readonly events: LinkEvents,
  ) {
    this.#handshake = handshake;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error: Error) => this.close('broken', error.message));
    socket.on('close', () => this.close(this.#handshake === undefined ? 'closed' : 'closed-in-handshake'));
    if (handshake.opening !== undefined) this.send([handshake.opening]);
  }

  /** One write for all of them. */
  send(buffers: readonly Buffer[]): void {
    if (this.#closed) return;
    this.#sentAt = performance.now();
    const size = buffers.reduce((sum, { length }) => sum + length, 0);
    // One write either way: small buffers are joined, because a vector of many costs more than the copy; large ones are
    // not.
    if (buffers.length > 1 && size < WORTH_A_VECTOR * buffers.length) {
      this.socket.write(Buffer.concat(buffers, size));
      return;
    }
    this.socket.cork();
    for (const buffer of buffers) this.socket.write(buffer);
    this.socket.uncork();
  }

  /** By when {@link tick} is to be called next. */
  get tickBy(): number {
    return Math.min(this.#sentAt + ALIVE_WITHIN_MS, this.#heardAt + SILENT_AFTER_MS + ROUNDING_MS);
  }

  /** Keeps the link alive, and ends it when it is silent. Called by {@link tickBy}, or sooner. */
  tick(now: number): void {
    if (now - this.#heardAt > SILENT_AFTER_MS) this.close('silent');
    else if (now - this.#sentAt > ALIVE_AFTER_MS) this.send([ALIVE]);
  }

  /** This event loop was blocked: what came meanwhile has not been read yet, so the peer was not silent. */
  excuse(now: number): void {
    this.#heardAt = now;
  }

  close(reason: LinkEndReason, error?: string): void {
    this.#close({ reason, ...(error === undefined ? {} : { error }) });
  }

  #close(end: LinkEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.destroy();
    this.events.closed(this, end);
  }

  #read(chunk: Buffer): void {
    this.#heardAt = performance.now();
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#handshake === undefined) this.events.frame(this, frame);
        else this.#shake(this.#handshake, frame);
        if (this.#closed) return;
      }
      this.#handshakeBytes += this.#handshake === undefined ? 0 : chunk.length;
      if (this.#handshakeBytes > MAX_HANDSHAKE_BYTES) throw new Rejected('too-many-bytes');
    } catch (error) {
      if (error instanceof Rejected) return this.#close({ reason: error.reason, rejected: error.reason });
      if (error instanceof MalformedFrame) {
        const rejected = this.#handshake === undefined ? {} : { rejected: 'malformed' as const };
        return this.#close({ reason: 'malformed', error: error.message, ...rejected });
      }
      // INVARIANT (I10): whatever is on the wire costs its link at most: nothing above would catch what is thrown out
      // of a socket's event.
      return this.close('failed', describe(error));
    }
    if (this.#handshake === undefined) this.events.turn();
  }

  #shake(handshake: Handshake, frame: Frame): void {
    const { send, proven, packs = false } = handshake.receive(frame);
    if (send !== undefined) this.send([send]);
    if (proven === undefined) return;
    this.#handshake = undefined;
    this.#reader.limit = MAX_PAYLOAD;
    this.events.proven(this, proven, packs);
  }
}
