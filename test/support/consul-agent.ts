// A small Consul agent: registration with a TTL check that runs out, blocking queries with an index, ACL tokens, and
// what a test wants to break. Speaks HTTP on a free port of 127.0.0.1.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Registration {
  ID: string;
  Name: string;
  Address?: string;
  Port?: number;
  Meta?: Record<string, string>;
  Check?: { CheckID: string; TTL: string; Status?: string };
}
interface Instance {
  registration: Registration;
  status: 'passing' | 'critical';
  timer?: NodeJS.Timeout;
}
interface Waiting {
  service: string;
  response: ServerResponse;
  timer: NodeJS.Timeout;
}

export class FakeConsul {
  /** Required of every request when it is set. */
  token: string | undefined;
  fault: 'none' | 'refuse' | 'broken' | 'redirect' = 'none';
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #instances = new Map<string, Instance>();
  readonly #waiting = new Set<Waiting>();
  #index = 10;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async open(): Promise<FakeConsul> {
    const consul = new FakeConsul();
    consul.#server.listen(0, '127.0.0.1');
    await once(consul.#server, 'listening');
    return consul;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get registrations(): Registration[] {
    return [...this.#instances.values()].map(({ registration }) => registration);
  }

  register(registration: Registration): void {
    clearTimeout(this.#instances.get(registration.ID)?.timer);
    this.#instances.set(registration.ID, { registration, status: 'passing' });
    this.#pass(registration.ID);
    this.#changed();
  }

  deregister(id: string): boolean {
    clearTimeout(this.#instances.get(id)?.timer);
    const known = this.#instances.delete(id);
    this.#changed();
    return known;
  }

  /** As an agent and a server that lost their data: nothing is known, and the index begins anew. */
  forget(): void {
    for (const id of [...this.#instances.keys()]) this.deregister(id);
    this.#index = 1;
  }

  cut(): void {
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    for (const { timer } of this.#instances.values()) clearTimeout(timer);
    for (const { timer } of this.#waiting) clearTimeout(timer);
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.address}`);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const body = await bodyOf(request);
    if (this.fault === 'refuse') return answer(response, 500, 'No cluster leader');
    if (this.fault === 'broken') return answer(response, 200, '<html>');
    if (this.fault === 'redirect')
      return void response.writeHead(307, { location: `http://${this.address}/other` }).end();
    if (this.token !== undefined && request.headers['x-consul-token'] !== this.token) {
      return answer(response, 403, 'Permission denied: token lacks permission');
    }
    const [, verb = '', id = ''] =
      /^\/v1\/(agent\/service\/register|agent\/service\/deregister|agent\/check\/pass|health\/service)\/?(.*)$/.exec(
        url.pathname,
      ) ?? [];
    const name = decodeURIComponent(id);
    if (verb === 'agent/service/register') {
      this.register(JSON.parse(body) as Registration);
      return answer(response, 200, '');
    }
    if (verb === 'agent/service/deregister') return answer(response, this.deregister(name) ? 200 : 404, '');
    if (verb === 'agent/check/pass') {
      const known = this.#pass(name.replace(/^service:/, ''));
      return answer(response, known ? 200 : 404, known ? '' : `Unknown check ID "${name}"`);
    }
    if (verb === '') return answer(response, 404, 'no such path');
    const index = Number(url.searchParams.get('index') ?? 0);
    if (index < this.#index) return this.#list(name, response);
    const seconds = Number(/^(\d+)s$/.exec(url.searchParams.get('wait') ?? '')?.[1] ?? 300);
    const waiting: Waiting = { service: name, response, timer: setTimeout(() => this.#wake(waiting), seconds * 1000) };
    this.#waiting.add(waiting);
    response.once('close', () => {
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
    });
  }

  #pass(id: string): boolean {
    const instance = this.#instances.get(id);
    if (instance === undefined) return false;
    clearTimeout(instance.timer);
    const ttl = instance.registration.Check?.TTL;
    if (ttl !== undefined) instance.timer = setTimeout(() => this.#expire(instance), Number.parseInt(ttl, 10) * 1000);
    if (instance.status === 'passing') return true;
    instance.status = 'passing';
    this.#changed();
    return true;
  }

  #expire(instance: Instance): void {
    instance.status = 'critical';
    this.#changed();
  }

  #changed(): void {
    this.#index++;
    for (const waiting of [...this.#waiting]) this.#wake(waiting);
  }

  #wake(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    clearTimeout(waiting.timer);
    this.#list(waiting.service, waiting.response);
  }

  #list(service: string, response: ServerResponse): void {
    const entries = [...this.#instances.values()]
      .filter(({ registration }) => registration.Name === service)
      .map(({ registration: { ID, Name, Address = '', Port = 0, Meta = {} }, status }) => ({
        Node: { Node: 'machine-1', Address: '127.0.0.1' },
        Service: { ID, Service: Name, Address, Port, Meta },
        Checks: [
          { CheckID: 'serfHealth', Status: 'passing' },
          { CheckID: `service:${ID}`, Status: status },
        ],
      }));
    answer(response, 200, JSON.stringify(entries), this.#index);
  }
}

function answer(response: ServerResponse, status: number, body: string, index?: number): void {
  if (response.destroyed) return;
  response.writeHead(status, index === undefined ? {} : { 'x-consul-index': String(index) }).end(body);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
