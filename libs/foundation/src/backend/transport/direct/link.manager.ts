/**
 * The links of this node: it takes those of nodes with a smaller boot id and dials the rest, so that two nodes share
 * one.
 */
import type { DirectConfig } from '../../../config/config.js';
import { DirectListenError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';
import { Log } from '../../../logging/log.js';
import { keyFor } from '../../../security/signer.js';
import type { LinkEndReason } from '../../../telemetry/events.js';
import type { Telemetry } from '../../../telemetry/telemetry.js';
import { Certificates } from './link/certificates.js';
import { accept, dial, type Handshake, type Party } from './link/handshake.js';
import { type Address, formatAddress, isWildcard, ownHost } from './link/host.address.js';
import { detailsOf, type LinkEnd, wordsOf } from './link/link.end.js';
import { Link, type LinkEvents } from './link/link.js';
import { Redialer } from './link/redialer.js';
import type { Refusals } from './link/rejections.js';
import { type Connected, dialTo, Listener, PROOF_MS } from './link/sockets.js';
import type { Peer } from './peer.js';

/** After how many failures in a row a warning says that a node cannot be dialled. */
const WARN_AFTER = 5;

/** Who owns the links. */
export interface LinkOwner {
  /** The node that has proven itself; one that was not known before is from then on. */
  peer(bootId: string): Peer;
  known(bootId: string): Peer | undefined;
  /** Whether a member of the cluster says in its record that it is at this address. */
  isMember(host: string): boolean;
  /** The peer has lost its link and has no other. */
  down(peer: Peer, reason: LinkEndReason): void;
}

/** See the file header. */
export class LinkManager {
  readonly #dialings = new Map<string, Redialer>();
  readonly #certificates: Certificates | undefined;
  readonly #key: Buffer;
  readonly #logger = new Log();
  #listener: Listener | undefined;
  #closed = false;

  constructor(
    private readonly config: { appName: string; transport: DirectConfig },
    private readonly bootId: string,
    private readonly telemetry: Telemetry,
    private readonly refusals: Refusals,
    private readonly owner: LinkOwner,
  ) {
    const { cookie, tls } = config.transport;
    if (tls !== undefined) this.#certificates = new Certificates(tls, (next) => this.#listener?.renew(next));
    this.#key = keyFor(cookie.reveal(), config.appName, 'link');
  }

  /**
   * Listens; resolves with the address at which others reach this node.
   *
   * @throws DirectListenError when the port cannot be had.
   */
  async listen(): Promise<string> {
    const { host = ownHost(), port, advertise } = this.config.transport;
    const listener = new Listener(
      this.#certificates?.current,
      (connection) => this.#accept(connection),
      (remote, reason, error) => this.refusals.note(remote, reason, error),
      undefined,
      (host) => this.owner.isMember(host),
    );
    this.#listener = listener;
    try {
      const bound = await listener.open(host, port);
      return advertise ?? formatAddress({ host: isWildcard(host) ? ownHost() : host, port: bound.port });
    } catch (error) {
      listener.close();
      throw new DirectListenError(formatAddress({ host, port }), error);
    }
  }

  /** Dials the node until there is a link, and again when it is down, if it is this one's turn to. */
  keep(bootId: string): void {
    if (this.bootId < bootId) this.#dialing(bootId).start();
  }

  /** Stops dialing the node, and ends the link that came of it. */
  drop(bootId: string): void {
    this.#dialings.get(bootId)?.stop();
    this.#dialings.delete(bootId);
  }

  close(): void {
    this.#closed = true;
    for (const bootId of [...this.#dialings.keys()]) this.drop(bootId);
    this.#listener?.close();
    this.#certificates?.close();
  }

  #party(binding: string): Party {
    return { app: this.config.appName, bootId: this.bootId, key: this.#key, binding };
  }

  #accept(connection: Connected): void {
    // The smaller boot id dials, so that two nodes have one link and not two.
    const handshake = accept(this.#party(connection.binding), (bootId) => bootId < this.bootId);
    this.#link(connection, handshake, {
      proven: () => this.#listener?.proven(connection.remote),
      failed: (end) => this.#countRejected(connection, end),
    });
  }

  #countRejected({ remote }: Connected, { rejected, error }: LinkEnd): void {
    if (rejected !== undefined) this.refusals.note(remote, rejected, error);
  }

  #dialing(bootId: string): Redialer {
    const known = this.#dialings.get(bootId);
    if (known !== undefined) return known;
    const dialing: Redialer = new Redialer(() => this.#dial(bootId, dialing));
    this.#dialings.set(bootId, dialing);
    return dialing;
  }

  #dial(bootId: string, dialing: Redialer): () => void {
    let giveUp = (): void => undefined;
    let isOver = false;
    const failed = (reason: LinkEndReason, error?: string): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      giveUp();
      this.#dialFailed(bootId, dialing, reason, error);
    };
    const timer = setTimeout(() => failed('timeout'), PROOF_MS).unref();
    const address = this.owner.known(bootId)?.address;
    if (address === undefined) queueMicrotask(() => failed('no-address'));
    else {
      giveUp = this.#dialTo(
        address,
        (connection) =>
          this.#link(connection, dial(this.#party(connection.binding), bootId), {
            proven: () => {
              clearTimeout(timer);
              isOver = true;
              dialing.succeeded();
            },
            failed: (end) => {
              this.#countRejected(connection, end);
              failed(end.reason, end.error);
            },
            down: () => dialing.failed(),
          }),
        failed,
      );
    }
    return () => {
      isOver = true;
      clearTimeout(timer);
      giveUp();
    };
  }

  /** As {@link dialTo}, but never throws, as files of TLS may make it do: it is called by a timer. */
  #dialTo(
    address: Address,
    connected: (connection: Connected) => void,
    failed: (reason: LinkEndReason, error?: string) => void,
  ): () => void {
    try {
      return dialTo(address, this.#certificates?.current, connected, failed);
    } catch (error) {
      queueMicrotask(() => failed('failed', describe(error)));
      return () => undefined;
    }
  }

  #dialFailed(bootId: string, dialing: Redialer, reason: LinkEndReason, error?: string): void {
    dialing.failed();
    const peer = this.owner.known(bootId);
    if (peer?.address === undefined || this.#closed) return;
    const address = formatAddress(peer.address);
    const details = detailsOf(reason, error);
    this.telemetry.emit('transport.link_failed', { node: peer.name, bootId, address, ...details });
    if (dialing.failures !== WARN_AFTER) return;
    const message = `A node cannot be dialled; it is reached through Redis until it can: ${wordsOf(reason)}`;
    this.#logger.warn(message, { node: peer.name, address, ...details });
  }

  /** A link between its connection and its peer. */
  #link(
    { socket, remote }: Connected,
    handshake: Handshake,
    outcome: { proven(): void; failed(end: LinkEnd): void; down?(): void },
  ): void {
    let peer: Peer | undefined;
    const events: LinkEvents = {
      proven: (link, bootId, packs) => {
        outcome.proven();
        if (this.#closed) return link.close('leaving');
        peer = this.owner.peer(bootId);
        peer.linked(link, packs);
        this.telemetry.emit('transport.link_up', { node: peer.name, bootId });
      },
      frame: (link, frame) => peer?.frame(link, frame),
      turn: () => peer?.turn(),
      closed: (link, end) => {
        if (peer === undefined) return outcome.failed(end);
        if (peer.unlinked(link)) {
          const { reason, error } = end;
          const details = detailsOf(reason, error);
          this.telemetry.emit('transport.link_down', { node: peer.name, bootId: peer.bootId, ...details });
          this.owner.down(peer, reason);
        }
        outcome.down?.();
      },
    };
    new Link(socket, handshake, remote, events);
  }
}
