// A TCP proxy inside the test process, to put between one node and Redis and to break in one place.
// What is held back is delivered when the fault ends, as TCP does it: a short fault loses nothing, it delays.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

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

const HOST = '127.0.0.1';
/** Foundation names its connections `foundation:<node>:<role>`, and says so with its first commands. */
const ROLE = /foundation:[^:\s]*:(\w+)/;
const FULL = '-ERR max number of clients reached\r\n';

export class TcpProxy {
  readonly #links = new Set<Link>();
  readonly #server: Server;
  readonly #faults = new Map<string, RoleFault>();
  #mode: ProxyMode = 'ok';

  private constructor(readonly target: { port: number }) {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Leads to `port`; listens on any free port, or on `own`. */
  static async open(port: number, own = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy({ port });
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

  set mode(mode: ProxyMode) {
    this.#mode = mode;
    for (const link of this.#links) {
      if (mode === 'cut') link.reset();
      else link.obey(mode);
    }
  }

  /** Does something to the connections of one role only. */
  break(role: string, fault: RoleFault): void {
    this.#faults.set(role, fault);
    for (const link of [...this.#links]) if (link.role === role) this.#hurt(link, fault);
  }

  /** Ends the faults of all roles. What is half-open or hangs stays so: nothing of it is ever delivered. */
  heal(): void {
    this.#faults.clear();
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#mode === 'cut') return void client.resetAndDestroy();
    const link = new Link(client, connect(this.target.port, HOST), this.#mode, {
      closed: () => this.#links.delete(link),
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

class Link {
  readonly #held: Record<Direction, Buffer[]> = { request: [], reply: [] };
  readonly #timers = new Set<NodeJS.Timeout>();
  role: string | undefined;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private mode: ProxyMode,
    private readonly listener: { closed: () => void; named: (role: string) => void },
  ) {
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
    return !this.client.destroyed;
  }

  obey(mode: ProxyMode): void {
    this.mode = mode;
    for (const direction of ['request', 'reply'] as const) {
      if (this.#holds(direction)) continue;
      for (const chunk of this.#held[direction].splice(0)) this.#pass(direction, chunk);
    }
    if (this.client.destroyed || this.server.destroyed) this.#end();
  }

  /** Says something to the client, and closes. */
  end(last: string): void {
    drop(this.server);
    if (!this.client.destroyed) this.client.end(last);
    this.listener.closed();
  }

  reset(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    drop(this.client);
    drop(this.server);
    this.listener.closed();
  }

  #name(chunk: Buffer): void {
    if (this.role !== undefined) return;
    this.role = ROLE.exec(chunk.toString('latin1'))?.[1];
    if (this.role !== undefined) this.listener.named(this.role);
  }

  #holds(direction: Direction): boolean {
    return this.mode === 'blackhole' || this.mode === `no${direction}`;
  }

  #take(direction: Direction, chunk: Buffer): void {
    if (this.#holds(direction)) return void this.#held[direction].push(chunk);
    if (typeof this.mode !== 'number') return this.#pass(direction, chunk);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#pass(direction, chunk);
    }, this.mode);
    this.#timers.add(timer);
  }

  #pass(direction: Direction, chunk: Buffer): void {
    const socket = direction === 'request' ? this.server : this.client;
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
