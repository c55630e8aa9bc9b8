/**
 * One server of socket.io and the servers of its name on the other nodes: what it sends to them, asks them, and does
 * for them. Underneath a channel of Foundation's own; who is there, and who has left, is the membership.
 */
import type { Gathered } from '../calls/gathering.js';
import type { Gap, MessageMeta, Subscription } from '../channels/channel.js';
import { type Channels, runtimeOf } from '../channels/channels.js';
import type { NodeAddress } from '../channels/node.messages.js';
import type { ReservedChannel } from '../channels/reserved.channel.js';
import { ArgumentError } from '../errors/config.errors.js';
import { describe, show } from '../errors/describe.js';
import { RequestError } from '../errors/message.errors.js';
import { called } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { isObject } from '../wire/decode.js';
import { answerOf, type LocalSockets } from './link.answers.js';
import {
  DEFAULT_TIMEOUT_MS,
  type Kind,
  readAcks,
  readCount,
  readPage,
  readResponse,
  readSaid,
  type Said,
  said,
  type Selection,
  type SocketDetails,
  timeoutOf,
} from './link.messages.js';
import { readBytes, withBytes } from './packet.bytes.js';

/** Options of {@link ServerLink}. */
export interface LinkOptions {
  name: string;
  onGap: ((gap: Gap) => unknown) | undefined;
}

/** Acknowledgements of clients of other nodes that this node waits for. */
interface Asked {
  ack: (value: unknown) => void;
  acked: Map<string, number>;
  settle: () => void;
}

/** Messages of other servers that are being answered at a time. */
export const MAX_SOCKET_ANSWERS = 10_000;

/** The names of the servers of a node. */
const linked = new WeakMap<Channels, Set<string>>();

/** See the file header. */
export class ServerLink {
  readonly #channel: ReservedChannel;
  readonly #namespaces = new Map<string, LocalSockets>();
  readonly #asked = new Map<number, Asked>();
  readonly #log = new ThrottledLog();
  readonly #subscribed: Promise<Subscription | undefined>;
  #lastId = 0;

  /** @throws ArgumentError for a name that another server of this node has. */
  constructor(
    private readonly channels: Channels,
    private readonly options: LinkOptions,
  ) {
    const { name } = options;
    const names = linked.get(channels) ?? new Set<string>();
    if (names.has(name)) {
      const other = 'another one: a server of this node has it already';
      throw new ArgumentError('useFoundationAdapter', 'name', show(name), other);
    }
    linked.set(channels, names.add(name));
    this.#channel = runtimeOf(channels).reserve(`#socket.io:${name}`, { isLasting: true });
    this.#channel.onTold((body, from) => this.#told(body, from));
    this.#subscribed = this.#subscribe();
  }

  /** The servers of this name in the cluster, this one included. */
  get serverCount(): number {
    return 1 + this.#channel.others().length;
  }

  /** From now on this namespace is here. */
  open(nsp: string, sockets: LocalSockets): void {
    this.#namespaces.set(nsp, sockets);
  }

  /** The link ends with its last namespace. */
  async close(nsp: string, sockets: LocalSockets): Promise<void> {
    if (this.#namespaces.get(nsp) === sockets) this.#namespaces.delete(nsp);
    if (this.#namespaces.size > 0) return;
    linked.get(this.channels)?.delete(this.options.name);
    await (await this.#subscribed)?.unsubscribe();
  }

  /** To all other servers, without an answer; what goes wrong is logged. */
  send(nsp: string, kind: Kind, body: unknown, selection?: Selection, close?: boolean): void {
    const failed = (error: unknown): void => this.#failed(nsp, kind, error);
    try {
      this.#channel.send(said({ kind, nsp, ...(close === undefined ? {} : { close }) }, body, selection)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /**
   * The same with acknowledgements: `ack` is called for each client of the other nodes that answers, and `count` once
   * for each of these nodes, when all have answered or left.
   */
  ask(nsp: string, packet: unknown, selection: Selection, count: (clients: number) => void, ack: Asked['ack']): void {
    const nodes = this.serverCount - 1;
    // socket.io counts the answers, and waits for ever for a number that it has passed.
    if (nodes === 0) return;
    const id = ++this.#lastId;
    const timeout = timeoutOf(selection, 1);
    const expected = new Map<string, number>();
    const acked = new Map<string, number>();
    let isOver = false;
    const settle = (): void => {
      if (!isOver || [...expected].some(([node, clients]) => (acked.get(node) ?? 0) < clients)) return;
      if (!this.#asked.delete(id)) return;
      count([...expected.values()].reduce((sum, clients) => sum + clients, 0));
      for (let index = 1; index < nodes; index++) count(0);
    };
    const over = ({ answers, missing }: Gathered): void => {
      for (const { node, value } of answers) expected.set(node, readCount(value)?.clients ?? 0);
      const left = missing.filter(({ reason }) => reason === 'left');
      for (const { node } of left) expected.set(node, acked.get(node) ?? 0);
      isOver = left.length === missing.length;
      settle();
      if (left.length > 0) this.#sayLeft(nsp, left);
    };
    this.#asked.set(id, { ack, acked, settle });
    setTimeout(() => this.#asked.delete(id), timeout).unref();
    this.#gather({ kind: 'ask', nsp, id, timeout }, packet, selection, timeout)
      .then(over)
      .catch((error: unknown) => this.#failed(nsp, 'ask', error));
  }

  /** The matching sockets of the other nodes. @throws RequestError when one of them does not answer. */
  async fetch(nsp: string, selection: Selection): Promise<SocketDetails[]> {
    const timeout = timeoutOf(selection);
    const sockets: SocketDetails[] = [];
    let after: Record<string, string> | undefined;
    do {
      const request: Said = { kind: 'fetch', nsp, ...(after && { after }) };
      const { answers, missing } = await this.#gather(request, undefined, selection, timeout);
      requireAnswers(`fetchSockets of ${nsp}`, missing);
      after = {};
      for (const { node, value } of answers) {
        const page = readPage(isObject(value) ? withBytes(value['page'], readBytes(value['bytes']) ?? []) : undefined);
        sockets.push(...(page?.sockets ?? []));
        const last = page?.sockets.at(-1);
        if (page?.more === true && last !== undefined) after[node] = last.id;
      }
    } while (Object.keys(after).length > 0);
    return sockets;
  }

  /** `serverSideEmit` with an acknowledgement: `ack` is called once, with what each other server answers. */
  query(nsp: string, args: unknown[], ack: (error: unknown, responses: unknown[]) => unknown): void {
    this.#answersTo(nsp, args)
      .catch((error: unknown) => ({ error, responses: [] }))
      .then(({ error, responses }) => called(() => ack(error, responses)))
      .catch((error: unknown) => {
        this.#log.warn('The acknowledgement of a serverSideEmit threw', { nsp, error: describe(error) }, nsp);
      });
  }

  async #answersTo(nsp: string, args: unknown[]): Promise<{ responses: unknown[]; error: unknown }> {
    const { answers, missing } = await this.#gather({ kind: 'query', nsp }, args, undefined, DEFAULT_TIMEOUT_MS);
    const responses = answers.flatMap(({ value }) => {
      const { response, bytes } = (value !== undefined && readResponse(value)) || {};
      return value === undefined || value === null ? [] : [withBytes(response, bytes ?? [])];
    });
    try {
      requireAnswers(`serverSideEmit of ${nsp}`, missing);
      return { responses, error: null };
    } catch (error) {
      return { responses, error };
    }
  }

  async #gather(request: Said, body: unknown, selection: Selection | undefined, timeout: number): Promise<Gathered> {
    return this.#channel.gather(said(request, body, selection), { timeout });
  }

  // -- what other servers say -----------------------------------------------------------------------------------------

  async #subscribe(): Promise<Subscription | undefined> {
    const { onGap } = this.options;
    const gap = (lost: Gap): unknown => {
      this.#log.warn(
        'Lost messages of a socket.io server; clients of this node may miss events, and rooms may differ',
        { from: lost.from, missing: lost.missing },
        lost.from,
      );
      return onGap?.(lost);
    };
    try {
      const hear = (message: unknown, meta: MessageMeta): unknown => this.#hear(message, meta);
      return await this.#channel.subscribe(hear, { concurrency: MAX_SOCKET_ANSWERS, onGap: gap });
    } catch (error) {
      const details = { server: this.options.name, error: describe(error) };
      this.#log.error(
        'A socket.io server does not hear the other nodes; only its own clients get what it sends',
        details,
      );
      return undefined;
    }
  }

  /** What a question is answered with; a node that does not have the namespace has no sockets of it. */
  #hear(message: unknown, { bootId, from }: MessageMeta): unknown {
    const words = bootId === this.#channel.self.bootId ? undefined : readSaid(message);
    const sockets = words && this.#namespaces.get(words.nsp);
    if (words === undefined || sockets === undefined) return words?.kind === 'ask' ? { clients: 0 } : undefined;
    return answerOf(words, sockets, {
      self: this.#channel.self.name,
      from,
      tell: (said) => this.#channel.tell(bootId, said),
    });
  }

  #told(body: unknown, from: NodeAddress): void {
    const { id = 0, value, bytes } = readAcks(body) ?? {};
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    asked.acked.set(from.name, (asked.acked.get(from.name) ?? 0) + 1);
    asked.ack(withBytes(value, bytes ?? []));
    asked.settle();
  }

  // -- what went wrong ------------------------------------------------------------------------------------------------

  #failed(nsp: string, kind: Kind, error: unknown): void {
    const details = { nsp, what: kind, error: describe(error) };
    this.#log.warn('A message did not reach the other socket.io servers; clients of this node got it', details, kind);
  }

  #sayLeft(nsp: string, left: Gathered['missing']): void {
    const details = { nsp, nodes: left.map(({ node }) => node) };
    this.#log.warn('A node left before all of its clients had acknowledged; they are no longer waited for', details);
  }
}

/** A node that left is no longer there to be asked; any other that does not answer is an error with its name. */
function requireAnswers(what: string, missing: Gathered['missing']): void {
  const silent = missing.filter(({ reason }) => reason !== 'left');
  if (silent.length === 0) return;
  const why = silent.map(({ node, reason, message }) => `${node} (${message ?? reason})`).join(', ');
  throw new RequestError(what, `there is no answer of ${why}`, true, 'Retry, or check the nodes that it names.');
}
