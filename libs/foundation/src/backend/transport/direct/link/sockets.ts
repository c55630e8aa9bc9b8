/**
 * Opens connections to other nodes and takes theirs, with a limit on how many may be open, and for how long, before
 * they have proven to know the cookie. Underneath `node:net`, or `node:tls` where certificates are configured.
 */
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createServer as createTlsServer,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import { describe } from '../../../../errors/describe.js';
import type { LinkEndReason, RejectionReason } from '../../../../telemetry/events.js';
import type { Credentials } from './certificates.js';
import { type Address, formatAddress } from './host.address.js';

/** How long a connection may take until both sides have proven themselves, in milliseconds. */
export const PROOF_MS = 3000;
/** How many connections may be open that have proven nothing yet, and how many of them from one address. */
const MAX_UNPROVEN = 64;
const MAX_OF_ADDRESS = 8;

/** What a stranger may take up. */
export interface StrangerLimits {
  proofMs: number;
  maxUnproven: number;
  maxOfAddress: number;
}

/** A connection, and what only its two ends know of it. */
export interface Connected {
  socket: Socket;
  remote: string;
  binding: string;
}

/** Connects, or calls `failed`; returns the function that gives up. */
export function dialTo(
  { host, port }: Address,
  credentials: Credentials | undefined,
  connected: (connection: Connected) => void,
  failed: (reason: LinkEndReason, error?: string) => void,
): () => void {
  const socket =
    credentials === undefined
      ? connectTcp({ host, port })
      : // Nodes have no fixed names: the authority says that it is one of ours, the handshake says which.
        connectTls({ host, port, ...credentials, rejectUnauthorized: true, checkServerIdentity: () => undefined });
  let why: string | undefined;
  const onError = (error: Error): void => void (why = describe(error));
  const onClose = (): void => (why === undefined ? failed('closed') : failed('unreachable', why));
  socket.on('error', onError);
  socket.once('close', onClose);
  socket.once(credentials === undefined ? 'connect' : 'secureConnect', () => {
    socket.off('error', onError);
    socket.off('close', onClose);
    try {
      connected({ socket, remote: formatAddress({ host, port }), binding: bindingOf(socket) });
    } catch (error) {
      socket.on('error', () => undefined).destroy();
      failed('failed', describe(error));
    }
  });
  return () => void socket.destroy();
}

/** Where others connect. */
export class Listener {
  readonly #server: Server;
  /**
   * Oldest first, by the address and port of the other end: with TLS the socket that comes out is another object than
   * the one that came in.
   */
  readonly #unproven = new Map<string, { socket: Socket; host: string }>();
  readonly #sockets = new Set<Socket>();

  constructor(
    credentials: Credentials | undefined,
    private readonly connected: (connection: Connected) => void,
    private readonly refused: (remote: string, reason: RejectionReason, error?: string) => void,
    private readonly limits: StrangerLimits = {
      proofMs: PROOF_MS,
      maxUnproven: MAX_UNPROVEN,
      maxOfAddress: MAX_OF_ADDRESS,
    },
    /** True for the address of a member of the cluster. */
    private readonly isKnown: (host: string) => boolean = () => false,
  ) {
    const take = (socket: Socket): void => {
      try {
        this.connected({ socket, remote: remoteOf(socket), binding: bindingOf(socket) });
      } catch (error) {
        // It may be gone already, and then TLS knows nothing of it.
        this.refused(remoteOf(socket), 'socket', describe(error));
        socket.destroy();
      }
    };
    if (credentials === undefined) {
      this.#server = createServer((socket) => void (this.#admit(socket) && take(socket)));
      return;
    }
    const options = { ...credentials, requestCert: true, rejectUnauthorized: true, handshakeTimeout: limits.proofMs };
    const server = createTlsServer(options, take);
    server.on('connection', (socket: Socket) => void this.#admit(socket));
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      // It may be closed already, and then only the connection beneath knows with whom it was.
      const { _parent: beneath = socket } = socket as { _parent?: Socket };
      this.refused(remoteOf(beneath), 'tls', describe(error));
      socket.destroy();
    });
    this.#server = server;
  }

  /** Listens; rejects with the error of the system. */
  open(host: string, port: number): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        // An accept that fails, for want of descriptors for instance, is one connection less; the other side dials
        // again.
        this.#server.on('error', (error) => this.refused('?', 'socket', describe(error)));
        this.#server.unref();
        resolve({ host, port: (this.#server.address() as AddressInfo).port });
      });
    });
  }

  /** Takes effect on connections from now on. */
  renew(credentials: Credentials): void {
    (this.#server as TlsServer).setSecureContext(credentials);
  }

  /** The connection has proven itself and no longer counts. */
  proven(remote: string): void {
    this.#unproven.delete(remote);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * INVARIANT (I26): a connection that proves nothing keeps no peer out. An address has a share, and where its share or
   * the whole is taken, the oldest that has proven nothing goes: a node is done within milliseconds. Strangers go
   * before members.
   */
  #admit(socket: Socket): boolean {
    const remote = remoteOf(socket);
    const host = plainHost(socket.remoteAddress);
    const { proofMs, maxUnproven, maxOfAddress } = this.limits;
    const isMember = this.isKnown(host);
    const others = [...this.#unproven.entries()];
    const same = others.filter(([, other]) => other.host === host);
    // Several nodes may share an address, and a cluster that starts dials all at once.
    const share = isMember ? Math.max(maxOfAddress, maxUnproven / 2) : maxOfAddress;
    if (same.length >= share) this.#evict(same[0]![0], 'too-many-of-address');
    else if (others.length >= maxUnproven) {
      const victim = others.find(([, other]) => !this.isKnown(other.host)) ?? (isMember ? others[0] : undefined);
      const reason = 'too-many-connections';
      if (victim === undefined) {
        this.refused(remote, reason);
        socket.destroy();
        return false;
      }
      this.#evict(victim[0], reason);
    }
    this.#unproven.set(remote, { socket, host });
    this.#sockets.add(socket);
    const timer = setTimeout(() => this.#evict(remote, 'no-proof', socket), proofMs).unref();
    // Without a listener an error before the link is made would end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      if (this.#unproven.get(remote)?.socket === socket) this.#unproven.delete(remote);
    });
    return true;
  }

  #evict(remote: string, reason: RejectionReason, only?: Socket): void {
    const socket = this.#unproven.get(remote)?.socket;
    if (socket === undefined || (only !== undefined && socket !== only)) return;
    this.#unproven.delete(remote);
    this.refused(remote, reason);
    socket.destroy();
  }
}

/** An IPv4 address has two forms where a server listens on both. */
export function plainHost(host: string | undefined): string {
  return (host ?? '?').replace(/^::ffff:(?=\d+\.)/i, '');
}

function remoteOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? '?' : formatAddress({ host: remoteAddress, port: remotePort ?? 0 });
}

function bindingOf(socket: Socket): string {
  if (!('exportKeyingMaterial' in socket)) return '';
  return (socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-foundation', Buffer.alloc(0)).toString('hex');
}
