/**
 * One command to a Redis over a connection of its own, without a client library.
 * Underneath `node:net` and the protocol of Redis (RESP 2).
 */
import { connect } from 'node:net';

/** A reply: what Redis sends for a text, a number, nothing, and a list of these. */
export type Reply = string | number | null | Reply[];

/** Where it is, and who asks. */
export interface RedisPlace {
  port: number;
  /** Default `127.0.0.1`. */
  host?: string;
  password?: string;
  /** With a password; default that of `requirepass`. */
  user?: string;
}

/** An error that Redis answered with. */
export class ReplyError extends Error {}

/** Sends a command and resolves with its reply. Rejects with what Redis says, or when it says nothing in time. */
export async function sendCommand(place: RedisPlace, words: readonly string[], timeoutMs = 5000): Promise<Reply> {
  const { port, host = '127.0.0.1', password, user } = place;
  const login = password === undefined ? [] : [['AUTH', ...(user === undefined ? [] : [user]), password]];
  const commands = [...login, words];
  const socket = connect({ port, host });
  try {
    return await new Promise<Reply>((resolve, reject) => {
      const late = (): void => reject(new Error(`Redis on port ${port} did not answer in ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      const end = (work: () => void) => {
        clearTimeout(timer);
        work();
      };
      let bytes = Buffer.alloc(0);
      let awaited = commands.length;
      socket.once('error', (error) => end(() => reject(error)));
      socket.once('close', () => end(() => reject(new Error(`Redis on port ${port} closed the connection`))));
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        for (let read = readReply(bytes, 0); read !== undefined; read = readReply(bytes, 0)) {
          bytes = bytes.subarray(read.end);
          const { value } = read;
          if (value instanceof ReplyError) return end(() => reject(value));
          if (--awaited === 0) return end(() => resolve(value));
        }
      });
      socket.write(commands.map(encode).join(''));
    });
  } finally {
    socket.destroy();
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

interface Read {
  value: Reply | ReplyError;
  end: number;
}

/** The reply that begins there; `undefined` while it is not complete. */
function readReply(bytes: Buffer, at: number): Read | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const text = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[at]!)) {
    case '+':
      return { value: text, end };
    case '-':
      return { value: new ReplyError(text), end };
    case ':':
      return { value: Number(text), end };
    case '$': {
      const length = Number(text);
      if (length < 0) return { value: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { value: bytes.toString('utf8', end, end + length), end: end + length + 2 };
    }
    case '*':
      return readList(bytes, end, Number(text));
    default:
      return { value: new ReplyError(`no reply of Redis: ${text.slice(0, 100)}`), end };
  }
}

function readList(bytes: Buffer, at: number, length: number): Read | undefined {
  if (length < 0) return { value: null, end: at };
  const list: Reply[] = [];
  for (let left = length; left > 0; left--) {
    const read = readReply(bytes, at);
    if (read === undefined) return undefined;
    // An error within a list is a text there.
    list.push(read.value instanceof ReplyError ? read.value.message : read.value);
    at = read.end;
  }
  return { value: list, end: at };
}

/** A reply as `redis-cli --raw` prints it. */
export function render(reply: Reply): string {
  if (Array.isArray(reply)) return reply.map(render).join('\n');
  return reply === null ? '' : String(reply);
}
