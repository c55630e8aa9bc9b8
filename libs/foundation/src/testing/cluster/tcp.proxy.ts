/**
 * A TCP proxy, to put between one node and Redis and to break in one place.
 * What is held back is delivered when the fault ends, as TCP does it: a short fault loses nothing, it delays.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { givenOptions } from '../../foreign/given.options.js';
import { LONGEST_TIMER_MS } from '../../time/duration.js';

/**
 * `blackhole`: nothing passes and nothing is closed. `norequest`, `noreply`: one direction of it.
 * `cut`: connections are reset and new ones too. A number: milliseconds of delay in each direction.
 */
export type ProxyMode = 'ok' | 'blackhole' | 'norequest' | 'noreply' | 'cut' | number;

/**
 * What is done to connections of one role: `half-open`: nothing passes on those that exist, new ones work; `hung`: nor
 * on new ones; `refused`: all are reset; `full`: as a Redis with too many clients, which says so and closes.
 */
export type RoleFault = 'half-open' | 'hung' | 'refused' | 'full';

type Direction = 'request' | 'reply';

const MODES: readonly ProxyMode[] = ['ok', 'blackhole', 'norequest', 'noreply', 'cut'];
const FAULTS: readonly RoleFault[] = ['half-open', 'hung', 'refused', 'full'];
const HOST = '127.0.0.1';
/** Foundation names its connections `foundation:<node>:<role>`, and says so with its first commands. */
const ROLE = /foundation:[^:\s]*:(\w+)/;
/** What one connection holds back at most, in bytes; one that brings more is reset, as TCP with a full buffer ends. */
export const MAX_HELD = 64 * 1024 * 1024;
const FULL = '-ERR max number of clients reached\r\n';

/** Where a proxy leads, where it listens, and how it knows one connection from another. */
export interface TcpProxyOptions {
  port: number;
  /** Default `127.0.0.1`. */
  host?: string;
  /** The port to listen on. Default 0: any free one. */
  own?: number;
  /** The first group of what it finds in the first bytes is the role of a connection. Default: that of Foundation. */
  role?: RegExp;
}

/**
 * Listens on 127.0.0.1 and passes everything on to one server, until it is told to delay, hold or reset it.
 *
 * Underneath: `node:net`; it runs in the process of the test.
 */
export class TcpProxy {
  readonly #links = new Set<Link>();
  readonly #server: Server;
  readonly #faults = new Map<string, RoleFault>();
  #mode: ProxyMode = 'ok';

  private constructor(
    /** Where new connections lead; may be changed. */
    readonly target: { port: number; host: string },
    private readonly name: RegExp,
  ) {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Opens one that leads to a port, or to what the options say. @throws ArgumentError */
  static async open(to: number | TcpProxyOptions): Promise<TcpProxy> {
    const known = ['port', 'host', 'own', 'role'] as const;
    const options = typeof to === 'number' ? { port: to } : givenOptions<TcpProxyOptions>('TcpProxy.open', to, known);
    const { port, host = HOST, own = 0, role = ROLE } = options;
    for (const [name, value, least] of [
      ['port', port, 1],
      ['own', own, 0],
    ] as const) {
      if (Number.isInteger(value) && value >= least && value <= 65_535) continue;
      throw new ArgumentError('TcpProxy.open', name, show(value), `a whole number from ${least} to 65535`);
    }
    if (!(role instanceof RegExp)) throw new ArgumentError('TcpProxy.open', 'role', show(role), 'a regular expression');
    const proxy = new TcpProxy({ port, host }, role);
    proxy.#server.listen(own, HOST);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** The roles of the connections that their clients have not closed, sorted; `?` for one that has not said it yet. */
  get roles(): string[] {
    return [...this.#links]
      .filter(({ isOpen }) => isOpen)
      .map(({ role }) => role ?? '?')
      .sort();
  }

  /** @throws ArgumentError for what is no mode: a test would go on without its fault. */
  set mode(mode: ProxyMode) {
    if (!(typeof mode === 'number' ? mode >= 0 && mode <= LONGEST_TIMER_MS : MODES.includes(mode))) {
      throw new ArgumentError('TcpProxy', 'mode', show(mode), `milliseconds, or one of ${MODES.join(', ')}`);
    }
    this.#mode = mode;
    for (const link of this.#links) {
      if (mode === 'cut') link.reset();
      else link.obey(mode);
    }
  }

  /** Does something to the connections of one role only. @throws ArgumentError for what is no fault. */
  break(role: string, fault: RoleFault): void {
    if (!FAULTS.includes(fault)) {
      throw new ArgumentError('TcpProxy.break', 'fault', show(fault), `one of ${FAULTS.join(', ')}`);
    }
    this.#faults.set(role, fault);
    for (const link of [...this.#links]) if (link.role === role) this.#hurt(link, fault);
  }

  /** Ends the faults of all roles. What is half-open or hangs stays so: nothing of it is ever delivered. */
  heal(): void {
    this.#faults.clear();
  }

  /** Ends the fault of one role, and resets its connections, so that their clients connect again at once. */
  mend(role: string): void {
    this.#faults.delete(role);
    for (const link of [...this.#links]) if (link.role === role) link.reset();
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#mode === 'cut') return void client.resetAndDestroy();
    const { port, host } = this.target;
    const link = new Link({
      client,
      server: connect(port, host),
      mode: this.#mode,
      role: this.name,
      closed: () => void this.#links.delete(link),
      named: (role) => {
        const fault = this.#faults.get(role);
        if (fault === undefined || fault === 'half-open') return;
        this.#hurt(link, fault);
      },
    });
    this.#links.add(link);
  }

  #hurt(link: Link, fault: RoleFault): void {
    if (fault === 'refused') link.reset();
    else if (fault === 'full') link.end(FULL);
    else link.obey('blackhole');
  }
}

interface LinkParts {
  client: Socket;
  server: Socket;
  mode: ProxyMode;
  role: RegExp;
  closed: () => void;
  named: (role: string) => void;
}

/** What has not passed yet, and from when on it may. */
interface Held {
  chunk: Buffer;
  dueAt: number;
}

class Link {
  /** One queue for all faults: bytes never overtake those before them, whatever the mode was when they came. */
  readonly #held: Record<Direction, Held[]> = { request: [], reply: [] };
  readonly #timers: Partial<Record<Direction, NodeJS.Timeout>> = {};
  #heldBytes = 0;
  private mode: ProxyMode;
  role: string | undefined;

  constructor(private readonly parts: LinkParts) {
    const { client, server, mode } = parts;
    this.mode = mode;
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on('data', (chunk: Buffer) => {
      this.#name(chunk);
      this.#take('request', chunk);
    });
    server.on('data', (chunk: Buffer) => this.#take('reply', chunk));
    for (const socket of [client, server]) {
      socket.on('error', () => this.reset());
      socket.on('close', () => this.#end());
    }
  }

  get isOpen(): boolean {
    return !this.parts.client.destroyed;
  }

  obey(mode: ProxyMode): void {
    this.mode = mode;
    for (const direction of ['request', 'reply'] as const) {
      if (typeof mode !== 'number') for (const held of this.#held[direction]) held.dueAt = 0;
      this.#deliver(direction);
    }
    if (this.parts.client.destroyed || this.parts.server.destroyed) this.#end();
  }

  /** Says something to the client, and closes. */
  end(last: string): void {
    drop(this.parts.server);
    if (!this.parts.client.destroyed) this.parts.client.end(last);
    this.parts.closed();
  }

  reset(): void {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    drop(this.parts.client);
    drop(this.parts.server);
    this.parts.closed();
  }

  #name(chunk: Buffer): void {
    if (this.role !== undefined) return;
    this.role = this.parts.role.exec(chunk.toString('latin1'))?.[1];
    if (this.role !== undefined) this.parts.named(this.role);
  }

  #holds(direction: Direction): boolean {
    return this.mode === 'blackhole' || this.mode === `no${direction}`;
  }

  #take(direction: Direction, chunk: Buffer): void {
    const delay = typeof this.mode === 'number' ? this.mode : 0;
    this.#held[direction].push({ chunk, dueAt: performance.now() + delay });
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > MAX_HELD) return this.reset();
    this.#deliver(direction);
  }

  /** What is due, in order; then a timer for what comes next. */
  #deliver(direction: Direction): void {
    clearTimeout(this.#timers[direction]);
    if (this.#holds(direction)) return;
    const queue = this.#held[direction];
    const now = performance.now();
    const later = queue.findIndex(({ dueAt }) => dueAt > now);
    for (const { chunk } of queue.splice(0, later === -1 ? queue.length : later)) {
      this.#heldBytes -= chunk.length;
      this.#pass(direction, chunk);
    }
    const [next] = queue;
    if (next !== undefined) this.#timers[direction] = setTimeout(() => this.#deliver(direction), next.dueAt - now);
  }

  #pass(direction: Direction, chunk: Buffer): void {
    const socket = direction === 'request' ? this.parts.server : this.parts.client;
    if (!socket.destroyed) socket.write(chunk);
  }

  /** A close does not pass either while the direction is held: the other side must find out by itself. */
  #end(): void {
    if (this.mode === 'blackhole' || this.mode === 'norequest' || this.mode === 'noreply') return;
    this.reset();
  }
}

/** libuv resets no socket that is being shut down, and Node 20 then keeps it for ever: the process would never end. */
function drop(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
