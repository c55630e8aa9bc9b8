/**
 * Serves the page of `npm run demo -- --open` on 127.0.0.1: the page, its stream of server-sent events, two commands.
 * Whoever knows the address may use it, and nobody learns it from outside: it holds a random token, requests must name
 * this host, and commands must come from the page itself.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const FILES = new Map([
  ['', ['page.html', 'text/html']],
  ['page.css', ['page.css', 'text/css']],
  ['page.js', ['page.js', 'text/javascript']],
] as const);
const PUBLISH_EVERY_MS = 200;
const MAX_VIEWERS = 20;
const MAX_CONNECTIONS = 100;
const MAX_BODY_BYTES = 1000;
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** What the page shows and does. */
export interface PageSubject {
  /** All that it shows; sent as JSON. */
  view(): unknown;
  /** What a button asks for; a text says why it was refused. */
  command(command: PageCommand): string | undefined;
}

/** A button of a card. `pid` is the life that the card showed. */
export interface PageCommand {
  action: 'kill' | 'start';
  node: string;
  pid: number | null;
}

/** See the file header. */
export class PageServer {
  readonly #token = randomBytes(16).toString('base64url');
  readonly #viewers = new Set<ServerResponse>();
  readonly #server: Server;
  #timer: NodeJS.Timeout | undefined;

  /** `folder` has the files of the page. */
  constructor(
    private readonly subject: PageSubject,
    private readonly folder: string,
  ) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens on a free port; returns the address, which is the key. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#timer = setInterval(() => this.#publish(), PUBLISH_EVERY_MS);
    return `http://127.0.0.1:${this.#port}/${this.#token}/`;
  }

  /** Says goodbye to the pages that are open. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#server.listening) return;
    for (const viewer of this.#viewers) viewer.end('event: end\ndata: {}\n\n');
    const closed = once(this.#server, 'close');
    this.#server.close();
    setImmediate(() => this.#server.closeAllConnections());
    await closed;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const { method, headers, url = '' } = request;
    const hosts = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    // A name of somebody else's that leads here (DNS rebinding).
    if (!hosts.includes(headers.host ?? '')) return refuse(response, 421, 'This is the demo on 127.0.0.1.');
    const [, token = '', ...path] = url.split('/');
    if (!isSame(token, this.#token) || path.length !== 1) return refuse(response, 404, 'Use the address it printed.');
    const [name = ''] = path;
    if (method === 'POST' && name === 'command') {
      const isOurs = hosts.map((host) => `http://${host}`).includes(headers.origin ?? '');
      const site = headers['sec-fetch-site'] ?? 'same-origin';
      const isJson = headers['content-type'] === 'application/json';
      if (!isOurs || site !== 'same-origin' || !isJson) return refuse(response, 403, 'Only the page may do this.');
      return this.#command(await bodyOf(request), response);
    }
    if (method !== 'GET') return refuse(response, 405, 'Only GET.');
    if (name === 'events') return this.#watch(response);
    const file = FILES.get(name as '');
    if (file === undefined) return refuse(response, 404, 'There is no such file.');
    response.setHeader('content-type', `${file[1]}; charset=utf-8`);
    response.end(readFileSync(join(this.folder, file[0])));
  }

  #command(body: string | undefined, response: ServerResponse): void {
    const command = commandOf(body);
    if (command === undefined) return refuse(response, 400, 'Send {"action":"kill"|"start","node":"…","pid":1}.');
    const refusal = this.subject.command(command);
    if (refusal !== undefined) return refuse(response, 409, refusal);
    response.writeHead(204).end();
    this.#publish();
  }

  #watch(response: ServerResponse): void {
    if (this.#viewers.size >= MAX_VIEWERS) return refuse(response, 503, 'Too many pages are open.');
    response.setHeader('content-type', 'text/event-stream');
    this.#viewers.add(response);
    response.once('close', () => this.#viewers.delete(response));
    response.write(`retry: 1000\n\n${this.#message()}`);
  }

  #publish(): void {
    if (this.#viewers.size === 0) return;
    const message = this.#message();
    // A page that reads too slowly gets the next one.
    for (const viewer of this.#viewers) if (!viewer.writableNeedDrain) viewer.write(message);
  }

  #message(): string {
    return `data: ${JSON.stringify(this.subject.view())}\n\n`;
  }
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(`${why}\n`);
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `undefined` for one that is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function commandOf(body: string | undefined): PageCommand | undefined {
  try {
    const { action, node, pid } = JSON.parse(body ?? '') as Record<string, unknown>;
    const isKnown = action === 'kill' || action === 'start';
    const isLife = pid === null || Number.isSafeInteger(pid);
    return isKnown && typeof node === 'string' && isLife ? { action, node, pid: pid as number | null } : undefined;
  } catch {
    return undefined;
  }
}
