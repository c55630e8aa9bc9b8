/**
 * The bus of bentocache over channels. It has the methods of the `Transport` of `@boringnode/bus`, and imports nothing
 * of these packages.
 */
import type { Channels } from '../channels/channels.js';
import { requireChannels } from '../channels/require.channels.js';
import { ArgumentError } from '../errors/config.errors.js';
import { read, show } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { givenOptions } from '../foreign/given.options.js';
import { anyText, ifRight, listOfAll, oneOf, optional, record, text } from '../wire/decode.js';
import { isName } from '../wire/names.js';
import { Invalidations } from './invalidations.js';

/** Options of {@link foundationBusDriver}. */
export interface FoundationBusOptions {
  channels: Channels;
  /** The `prefix` of the `BentoCache`, where that has one of its own. Default `bentocache`, as there. */
  prefix?: string;
}

/** What `useBus` takes. */
export interface FoundationBusDriver {
  /** Those of bentocache: of its retry queue. */
  options: { retryQueue?: { enabled?: boolean } };
  factory: () => FoundationBusTransport;
}

/** The methods that bentocache calls. */
export interface FoundationBusTransport {
  setId(id: string): FoundationBusTransport;
  onReconnect(callback: () => void): void;
  publish(channel: string, message: unknown): Promise<void>;
  subscribe<T>(channel: string, handler: (message: T) => unknown): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  disconnect(): Promise<void>;
}

/** Namespaces outside of the prefix that are remembered. */
export const MAX_CACHE_NAMESPACES = 1000;
/** Keys of one message; as many as fit into one. */
const MAX_BUS_KEYS = 1_000_000;

/** What bentocache says. It trusts it, and a process would end by what it cannot read. */
interface CacheMessage {
  type: 'set' | 'clear' | 'delete' | 'expire';
  keys: string[];
  namespace?: string;
}

const readMessage = record<{ busId: string; payload?: CacheMessage }>({
  busId: text(200),
  payload: ifRight(
    record<CacheMessage>({
      type: oneOf('set', 'clear', 'delete', 'expire'),
      keys: listOfAll(anyText, MAX_BUS_KEYS),
      namespace: optional(anyText),
    }),
  ),
});

/**
 * A bus for `bentostore().useL1Layer(…).useBus(foundationBusDriver({ channels }))`: what one node changes, all others
 * drop from memory. When messages may have been lost, the memory of this node is cleared.
 *
 * Underneath: a channel of Foundation's own for each name of a bus. A message that cannot be sent rejects; bentocache
 * keeps it and tries again.
 *
 * @throws ArgumentError
 */
export function foundationBusDriver(options: FoundationBusOptions): FoundationBusDriver {
  const given = givenOptions<FoundationBusOptions>('foundationBusDriver', options, ['channels', 'prefix']);
  const channels = requireChannels('foundationBusDriver', given.channels, 'inject them');
  const { prefix = 'bentocache' } = given;
  if (!isName(prefix)) {
    throw new ArgumentError('foundationBusDriver', 'prefix', show(prefix), 'the prefix of the cache, a text');
  }
  return { options: {}, factory: () => new ChannelBus(channels, prefix) };
}

class ChannelBus implements FoundationBusTransport {
  readonly #buses = new Map<string, Invalidations>();
  readonly #ends = new Map<string, () => Promise<void>>();
  readonly #namespaces: Set<string>;
  #id = '';

  constructor(
    private readonly channels: Channels,
    private readonly prefix: string,
  ) {
    this.#namespaces = new Set([prefix]);
  }

  setId(id: string): this {
    this.#id = id;
    return this;
  }

  /** What was not sent is tried again by the clock of the bus. */
  onReconnect(): void {}

  publish(channel: string, payload: unknown): Promise<void> {
    this.#know(read(payload, 'namespace'));
    return this.#bus(channel).say({ busId: this.#id, payload });
  }

  async subscribe<T>(channel: string, handler: (message: T) => unknown): Promise<void> {
    const tell = (payload: unknown): void =>
      unattended(
        'telling a cache',
        Promise.resolve(payload).then((message) => handler(message as T)),
      );
    // With the whole prefix the namespaces below it are cleared, too.
    const clear = (): void =>
      [...this.#namespaces].forEach((namespace) => tell({ type: 'clear', keys: [], namespace }));
    const end = await this.#bus(channel).listen({
      said: (message) => {
        const { busId, payload } = readMessage(message) ?? {};
        if (busId === this.#id) return;
        this.#know(payload?.namespace);
        // Of a version that says something else: what it is about may have changed.
        if (payload === undefined) clear();
        else tell(payload);
      },
      missed: clear,
    });
    this.#ends.set(channel, end);
  }

  async unsubscribe(channel: string): Promise<void> {
    const end = this.#ends.get(channel);
    this.#ends.delete(channel);
    await end?.();
  }

  async disconnect(): Promise<void> {
    await Promise.all([...this.#ends.keys()].map((channel) => this.unsubscribe(channel)));
  }

  #bus(channel: string): Invalidations {
    const bus = this.#buses.get(channel) ?? new Invalidations(this.channels, channel);
    this.#buses.set(channel, bus);
    return bus;
  }

  /** Those that are not below the prefix are cleared by their names. */
  #know(namespace: unknown): void {
    if (!isName(namespace) || namespace.startsWith(`${this.prefix}:`)) return;
    if (this.#namespaces.size < MAX_CACHE_NAMESPACES) this.#namespaces.add(namespace);
  }
}
