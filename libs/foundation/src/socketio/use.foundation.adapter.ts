/**
 * Makes the adapter of a socket.io server one of the cluster.
 * Used by `FoundationIoAdapter`, and by applications with a server of their own.
 */
import type { Namespace, Server } from 'socket.io';
import type { Gap } from '../channels/channel.js';
import type { Channels } from '../channels/channels.js';
import { requireChannels } from '../channels/require.channels.js';
import { ArgumentError } from '../errors/config.errors.js';
import { read, show } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { givenOptions } from '../foreign/given.options.js';
import { isName } from '../wire/names.js';
import type { LocalSockets } from './link.answers.js';
import type { SocketDetails } from './link.messages.js';
import { ServerLink } from './server.link.js';

/** Options of {@link useFoundationAdapter}. */
export interface FoundationAdapterOptions {
  /**
   * Servers of one name are one on all nodes; a node has one of each name. Up to 100 characters; default: the one
   * without a name.
   */
  name?: string;
  /**
   * Called when messages of the server of another node were lost on their way to this one: clients of this node may
   * have missed events, and rooms may differ. They are logged in any case, and an event `message.gap`.
   */
  onGap?: (gap: Gap) => unknown;
}

type Adapter = Namespace['adapter'];
type Packet = Parameters<Adapter['broadcast']>[0];
type Options = Parameters<Adapter['broadcast']>[1];
type AdapterType = new (nsp: Namespace) => Adapter;

/** The longest name of a server, in characters. */
const LONGEST_NAME = 100;

/**
 * From now on this server and those of its name on the other nodes are one: rooms, broadcasts, acknowledgements,
 * `fetchSockets`, `serverSideEmit`, `socketsJoin`, `socketsLeave` and `disconnectSockets` reach the clients of all.
 * Call it before clients connect.
 *
 * ```ts
 * const io = new Server(httpServer);
 * useFoundationAdapter(io, app.get(Channels));
 * ```
 *
 * Underneath: `io.adapter()` with a class that extends the adapter of the server, which keeps doing what concerns this
 * node alone; a channel of Foundation's own, and its `gather` for what is answered.
 *
 * A node that dies is no longer waited for as soon as the membership says so: `fetchSockets` and `serverSideEmit` give
 * what the others answered, a broadcast with acknowledgements what its clients had acknowledged by then. A node that is
 * alive and does not answer is an error that names it. Events are delivered at most once, and up to
 * `channels.maxMessageBytes`; what is larger reaches the clients of this node alone, and the log says so.
 *
 * @throws ArgumentError for a name that another server of this node has, and for wrong options.
 */
export function useFoundationAdapter(io: Server, channels: Channels, options: FoundationAdapterOptions = {}): void {
  requireChannels('useFoundationAdapter', channels, 'app.get(Channels)');
  const { name = '', onGap } = givenOptions<FoundationAdapterOptions>('useFoundationAdapter', options, [
    'name',
    'onGap',
  ]);
  if (name !== '' && !(isName(name) && name.length <= LONGEST_NAME)) {
    throw new ArgumentError('useFoundationAdapter', 'name', show(name), `1 to ${LONGEST_NAME} characters in one line`);
  }
  if (onGap !== undefined && typeof onGap !== 'function') {
    throw new ArgumentError('useFoundationAdapter', 'onGap', show(onGap), 'a function');
  }
  if (typeof read(io, 'adapter') !== 'function') {
    throw new ArgumentError('useFoundationAdapter', 'io', show(io), 'a Server of socket.io');
  }
  const link = new ServerLink(channels, { name, onGap });
  io.adapter(adapterOver(io.adapter() as unknown as AdapterType, link) as unknown as Parameters<Server['adapter']>[0]);
}

/** What concerns this node alone is `super`: that of the server as it was. */
function adapterOver(Base: AdapterType, link: ServerLink): AdapterType {
  return class FoundationAdapter extends Base {
    readonly #nsp = this.nsp as Namespace;
    readonly #sockets: LocalSockets = {
      emit: (packet, to) => super.broadcast(packet as Packet, to),
      emitWithAck: (packet, to, count, ack) => super.broadcastWithAck(packet as Packet, to, count, ack),
      join: (to, rooms) => super.addSockets(to, rooms),
      leave: (to, rooms) => super.delSockets(to, rooms),
      disconnect: (to, close) => super.disconnectSockets(to, close),
      fetch: async (to) => ((await super.fetchSockets(to)) as SocketDetails[]).map(detailsOf),
      serverSide: (args) => {
        if (this.#nsp.listenerCount(args[0] as never) === 0) return false;
        (this.#nsp as unknown as { _onServerSideEmit(args: unknown[]): void })._onServerSideEmit(args);
        return true;
      },
    };

    override init(): void {
      link.open(this.#nsp.name, this.#sockets);
    }

    override close(): void {
      unattended('ending the link of a socket.io server', link.close(this.#nsp.name, this.#sockets));
    }

    override serverCount(): Promise<number> {
      return Promise.resolve(link.serverCount);
    }

    // Sent first: what keeps sessions adds an offset of its own to the packet.
    override broadcast(packet: Packet, to: Options): void {
      if (!isLocal(to)) link.send(this.#nsp.name, 'emit', packet, to);
      super.broadcast(packet, to);
    }

    override broadcastWithAck(
      packet: Packet,
      to: Options,
      count: (clients: number) => void,
      ack: (...args: unknown[]) => void,
    ): void {
      if (!isLocal(to)) link.ask(this.#nsp.name, packet, to, count, ack);
      // socket.io waits for a count of each server.
      else for (let other = 1; other < link.serverCount; other++) count(0);
      super.broadcastWithAck(packet, to, count, ack);
    }

    override addSockets(to: Options, rooms: string[]): void {
      if (!isLocal(to)) link.send(this.#nsp.name, 'join', rooms, to);
      super.addSockets(to, rooms);
    }

    override delSockets(to: Options, rooms: string[]): void {
      if (!isLocal(to)) link.send(this.#nsp.name, 'leave', rooms, to);
      super.delSockets(to, rooms);
    }

    override disconnectSockets(to: Options, close: boolean): void {
      if (!isLocal(to)) link.send(this.#nsp.name, 'disconnect', undefined, to, close);
      super.disconnectSockets(to, close);
    }

    override async fetchSockets(to: Options): Promise<unknown[]> {
      const here = super.fetchSockets(to) as Promise<unknown[]>;
      const there = isLocal(to) ? [] : link.fetch(this.#nsp.name, to);
      return (await Promise.all([here, there])).flat();
    }

    override serverSideEmit(args: unknown[]): void {
      const ack =
        typeof args.at(-1) === 'function' ? (args.pop() as (error: unknown, responses: unknown[]) => void) : undefined;
      if (ack === undefined) return link.send(this.#nsp.name, 'tell', args);
      link.query(this.#nsp.name, args, ack);
    }
  };
}

function isLocal({ flags }: Options): boolean {
  return flags?.local === true;
}

function detailsOf({ id, handshake, rooms, data }: SocketDetails): SocketDetails {
  // What keeps sessions puts its store there, which holds everything.
  const { sessionStore: _store, ...rest } = handshake as { sessionStore?: unknown };
  return { id, handshake: rest, rooms: [...(rooms as Iterable<unknown>)], data };
}
