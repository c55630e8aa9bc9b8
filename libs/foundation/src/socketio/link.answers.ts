/**
 * What a server of socket.io does for one of another node, and what it answers.
 */
import { show } from '../errors/describe.js';
import { within } from '../time/timeout.js';
import { anyList } from '../wire/decode.js';
import {
  DEFAULT_TIMEOUT_MS,
  readPacket,
  type Said,
  type Selection,
  selectionOf,
  type SocketDetails,
} from './link.messages.js';
import { withBytes, withoutBytes } from './packet.bytes.js';

/** What an adapter does with the sockets of its own server. */
export interface LocalSockets {
  emit(packet: unknown, selection: Selection): void;
  emitWithAck(
    packet: unknown,
    selection: Selection,
    count: (clients: number) => void,
    ack: (value: unknown) => void,
  ): void;
  join(selection: Selection, rooms: string[]): void;
  leave(selection: Selection, rooms: string[]): void;
  disconnect(selection: Selection, close: boolean): void;
  fetch(selection: Selection): Promise<SocketDetails[]>;
  /** False when nothing listens to the event. */
  serverSide(args: unknown[]): boolean;
}

/** Who says it, and who answers. */
interface Ends {
  /** Names of this node and of the other one. */
  self: string;
  from: string;
  /** To the other one alone. */
  tell: (said: unknown) => Promise<unknown>;
}

/** Characters of JSON of the sockets that one node sends at a time. */
const PAGE = 256 * 1024;

/** Does it; what it returns is the answer to a question. Throws what goes wrong. */
export function answerOf(words: Said, sockets: LocalSockets, ends: Ends): unknown {
  const body = withBytes(words.body, words.bytes ?? []);
  const selection = selectionOf(words);
  // Clients are cut off by a packet that they cannot read.
  if ((words.kind === 'emit' || words.kind === 'ask') && readPacket(body) === undefined) return undefined;
  switch (words.kind) {
    case 'emit':
      return sockets.emit(body, selection);
    case 'join':
      return sockets.join(selection, (anyList(body) ?? []) as string[]);
    case 'leave':
      return sockets.leave(selection, (anyList(body) ?? []) as string[]);
    case 'disconnect':
      return sockets.disconnect(selection, words.close === true);
    case 'tell':
      return void sockets.serverSide(anyList(body) ?? []);
    case 'ask':
      return acknowledge(sockets, { ...words, body }, selection, ends.tell);
    case 'fetch':
      return pageOf(sockets, selection, words.after, ends.self);
    case 'query':
      return respond(sockets, anyList(body) ?? [], ends.from);
  }
}

/** Resolves with the number of clients, when all have acknowledged or the time is over. */
function acknowledge(
  sockets: LocalSockets,
  { id, body, timeout = 1 }: Said,
  selection: Selection,
  tell: Ends['tell'],
): Promise<unknown> {
  return new Promise((resolve) => {
    let clients = 0;
    let acks = 0;
    const timer = setTimeout(() => resolve({ clients }), timeout).unref();
    const done = (): void => {
      if (acks < clients) return;
      clearTimeout(timer);
      resolve({ clients });
    };
    const count = (many: number): void => {
      clients = many;
      done();
    };
    const ack = (value: unknown): void => {
      acks += 1;
      const { value: plain, bytes } = withoutBytes(value);
      tell({ id, value: plain, ...(bytes && { bytes }) }).catch(() => undefined);
      done();
    };
    sockets.emitWithAck(body, selection, count, ack);
  });
}

async function pageOf(
  sockets: LocalSockets,
  selection: Selection,
  after: Said['after'],
  self: string,
): Promise<unknown> {
  const last = after?.[self];
  if (after !== undefined && typeof last !== 'string') return undefined;
  const all = (await sockets.fetch(selection)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const page: SocketDetails[] = [];
  let size = 0;
  let more = false;
  for (const socket of all) {
    if (typeof last === 'string' && socket.id <= last) continue;
    const { value, bytes = [] } = withoutBytes(socket);
    size += JSON.stringify([value, bytes]).length;
    more = page.length > 0 && size > PAGE;
    if (more) break;
    page.push(socket);
  }
  const { value, bytes } = withoutBytes({ sockets: page, more });
  return { page: value, ...(bytes && { bytes }) };
}

function respond(sockets: LocalSockets, args: unknown[], from: string): Promise<unknown> {
  const event = show(args[0]);
  const response = new Promise((resolve, reject) => {
    const answer = (value: unknown): void => {
      const { value: response, bytes } = withoutBytes(value);
      resolve({ response, ...(bytes && { bytes }) });
    };
    if (!sockets.serverSide([...args, answer])) reject(new Error(`nothing listens to ${event} of ${from}`));
  });
  return within(DEFAULT_TIMEOUT_MS, response, `the listener of ${event} did not call back`);
}
