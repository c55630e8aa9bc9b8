// The ways of nodes with the direct transport to each other: a proxy before the links of each, which knows who dials.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { TcpProxy } from 'nestjs-foundation/testing';

const HOST = '127.0.0.1';
/** How a link begins: with who dials, by its boot id. */
const DIALER = /"from":"([^"]+)"/;

/** A node of now. */
export interface Peer {
  name: string;
  bootId: string;
}

export class Links {
  readonly #proxies = new Map<string, { proxy: TcpProxy; port: number }>();

  /** The environment of a node, the same in each of its lives. */
  async open(name: string): Promise<Record<string, string>> {
    const known = this.#proxies.get(name) ?? (await this.#begin(name));
    return {
      FOUNDATION_TRANSPORT: 'direct',
      FOUNDATION_DIRECT_HOST: HOST,
      FOUNDATION_DIRECT_PORT: String(known.port),
      FOUNDATION_DIRECT_ADVERTISE: `${HOST}:${known.proxy.port}`,
    };
  }

  /** No link between two nodes, in either direction, and nothing passes on one that there was. */
  part(one: Peer, other: Peer): void {
    this.#of(one).break(other.bootId, 'hung');
    this.#of(other).break(one.bootId, 'hung');
  }

  join(one: Peer, other: Peer): void {
    this.#of(one).mend(other.bootId);
    this.#of(other).mend(one.bootId);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map(({ proxy }) => proxy.close()));
  }

  async #begin(name: string): Promise<{ proxy: TcpProxy; port: number }> {
    const server = createServer().listen(0, HOST);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const made = { proxy: await TcpProxy.open({ port, role: DIALER }), port };
    this.#proxies.set(name, made);
    return made;
  }

  #of({ name }: Peer): TcpProxy {
    const known = this.#proxies.get(name);
    if (known === undefined) throw new Error(`Node ${name} has no links`);
    return known.proxy;
  }
}
