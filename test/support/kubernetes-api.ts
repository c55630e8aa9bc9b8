// A small API server: namespaces, pods with status and graceful deletion, list and watch with versions, bookmarks and
// 410, service accounts with tokens, and rights that come from RoleBindings. Speaks HTTP on a free port of 127.0.0.1.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;
interface Pod {
  apiVersion: string;
  kind: string;
  metadata: Json & { name: string; uid: string; resourceVersion: string; labels: Record<string, string> };
  spec: Json;
  status: Json;
}
interface Event {
  type: string;
  version: number;
  object: Pod;
}
interface Watcher {
  response: ServerResponse;
  wants: (pod: Pod) => boolean;
}

export const ADMIN = 'admin-token';

/** What a test may break. */
export type Fault = 'none' | 'refuse' | 'hang' | 'broken';

export class FakeKubernetesApi {
  fault: Fault = 'none';
  /** `GET /path?query` of everything but watches' events. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #pods = new Map<string, Pod>();
  readonly #events: Event[] = [];
  readonly #watchers = new Set<Watcher>();
  /** Of `namespace name`: `apply` replaces one as a whole. */
  readonly #bindings = new Map<string, { users: string[]; role: string }>();
  readonly #roles = new Map<string, string[]>();
  /** Tokens that are accepted no more. */
  readonly revoked = new Set<string>();
  readonly #waiting = new Set<ServerResponse>();
  #version = 100;
  #oldest = 0;
  #uids = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async open(): Promise<FakeKubernetesApi> {
    const api = new FakeKubernetesApi();
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Ends every watch, as the server does when its time is over. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  /** Breaks every connection. */
  cut(): void {
    this.#watchers.clear();
    this.#server.closeAllConnections();
  }

  /** Forgets what happened so far, so that a watch from before is answered with 410. */
  compact(): void {
    this.#version += 1000;
    this.#oldest = this.#version;
    this.#events.length = 0;
  }

  /** Tells the watchers how far they are. */
  bookmark(): void {
    this.#version++;
    const object = { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: String(this.#version) } };
    for (const { response } of this.#watchers) send(response, { type: 'BOOKMARK', object });
  }

  /** Sends something to every watch as it is. */
  inject(line: string): void {
    for (const { response } of this.#watchers) response.write(`${line}\n`);
  }

  async close(): Promise<void> {
    for (const response of this.#waiting) response.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token !== ADMIN && this.fault !== 'none') return this.#fail(response);
    const body = await bodyOf(request);
    const [, namespace = '', kind = '', name = '', sub = ''] =
      /^\/(?:api|apis\/rbac\.authorization\.k8s\.io)\/v1\/namespaces(?:\/([^/]+)(?:\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?)?)?$/.exec(
        url.pathname,
      ) ?? [];
    const method = request.method ?? '';
    if (kind === 'serviceaccounts' && sub === 'token')
      return reply(response, 201, { status: { token: this.#token(`system:serviceaccount:${namespace}:${name}`) } });
    if (kind === 'rolebindings') return this.#bind(namespace, body, response);
    if (kind === 'roles') return this.#role(namespace, body, response);
    if (kind !== 'pods') return reply(response, 201, body);
    if (token === undefined || this.revoked.has(token)) return refuse(response, 401, 'Unauthorized');
    const watches = url.searchParams.get('watch') === 'true';
    const user = userOf(token);
    if (token !== ADMIN && !this.#may(namespace, user, watches ? 'watch' : 'list')) {
      // As a real one does; the client does not hand on what the refusal of a watch says.
      const what = `pods is forbidden: User ${JSON.stringify(user)} cannot list resource "pods" in API group "" in the namespace "${namespace}"`;
      return refuse(response, 403, what);
    }
    if (method === 'POST') return this.#create(namespace, body, response);
    const key = `${namespace}/${name}`;
    if (method === 'PATCH') return this.#patch(key, body, response);
    if (method === 'DELETE') return this.#delete(key, url.searchParams.get('gracePeriodSeconds'), response);
    const selector = url.searchParams.get('labelSelector') ?? '';
    const wants = (pod: Pod): boolean => pod.metadata['namespace'] === namespace && matches(pod, selector);
    if (watches) return this.#watch(Number(url.searchParams.get('resourceVersion')), wants, response);
    const items = [...this.#pods.values()].filter(wants);
    reply(response, 200, {
      kind: 'PodList',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.#version) },
      items,
    });
  }

  #fail(response: ServerResponse): void {
    if (this.fault === 'refuse') return refuse(response, 500, 'etcdserver: leader changed');
    if (this.fault === 'broken')
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"items": 5}');
    this.#waiting.add(response);
  }

  #token(sub: string): string {
    const payload = Buffer.from(JSON.stringify({ sub, jti: String(++this.#uids) })).toString('base64url');
    return `head.${payload}.signature`;
  }

  /** The token of a person, as a kubeconfig of a laptop has it. */
  tokenOf(user: string): string {
    return this.#token(user);
  }

  #bind(namespace: string, body: Json, response: ServerResponse): void {
    const { name } = body['metadata'] as { name: string };
    const subjects = body['subjects'] as { kind: string; name: string; namespace: string }[];
    const users = subjects.map((each) =>
      each.kind === 'User' ? each.name : `system:serviceaccount:${each.namespace}:${each.name}`,
    );
    const role = (body['roleRef'] as { name: string } | undefined)?.name ?? '';
    this.#bindings.set(`${namespace} ${name}`, { users, role });
    reply(response, 201, body);
  }

  #role(namespace: string, body: Json, response: ServerResponse): void {
    const { name } = body['metadata'] as { name: string };
    const rules = body['rules'] as { verbs: string[] }[];
    this.#roles.set(
      `${namespace} ${name}`,
      rules.flatMap(({ verbs }) => verbs),
    );
    reply(response, 201, body);
  }

  #may(namespace: string, user: string, verb: string): boolean {
    return [...this.#bindings].some(
      ([key, { users, role }]) =>
        key.startsWith(`${namespace} `) &&
        users.includes(user) &&
        (this.#roles.get(`${namespace} ${role}`)?.includes(verb) ?? true),
    );
  }

  #create(namespace: string, body: Json, response: ServerResponse): void {
    const metadata = body['metadata'] as Pod['metadata'];
    const pod: Pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', spec: body['spec'] as Json, status: { phase: 'Pending' } },
      metadata: { ...metadata, namespace, uid: `uid-${++this.#uids}`, resourceVersion: '' },
    };
    reply(response, 201, this.#put(`${namespace}/${metadata.name}`, 'ADDED', pod));
  }

  #patch(key: string, body: Json, response: ServerResponse): void {
    const pod = this.#pods.get(key);
    if (pod === undefined) return refuse(response, 404, 'not found');
    reply(
      response,
      200,
      this.#put(key, 'MODIFIED', { ...pod, status: { ...pod.status, ...(body['status'] as Json) } }),
    );
  }

  #delete(key: string, grace: string | null, response: ServerResponse): void {
    const pod = this.#pods.get(key);
    if (pod === undefined) return refuse(response, 404, 'not found');
    if (grace === '0') {
      this.#put(key, 'DELETED', pod);
      this.#pods.delete(key);
    } else {
      this.#put(key, 'MODIFIED', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    }
    reply(response, 200, pod);
  }

  #put(key: string, type: string, pod: Pod): Pod {
    const version = ++this.#version;
    const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(version) } };
    this.#pods.set(key, object);
    this.#events.push({ type, version, object });
    for (const { response, wants } of this.#watchers) if (wants(object)) send(response, { type, object });
    return object;
  }

  #watch(from: number, wants: Watcher['wants'], response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#oldest) {
      send(response, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
      return void response.end();
    }
    const missed = this.#events.filter(({ version, object }) => version > from && wants(object));
    for (const { type, object } of missed) send(response, { type, object });
    const watcher = { response, wants };
    this.#watchers.add(watcher);
    response.once('close', () => this.#watchers.delete(watcher));
  }
}

function userOf(token: string): string {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return payload === '' ? 'system:anonymous' : (JSON.parse(payload) as { sub: string }).sub;
}

const send = (response: ServerResponse, event: object): void => void response.write(`${JSON.stringify(event)}\n`);

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: number, message: string): void {
  reply(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code });
}

function matches(pod: Pod, selector: string): boolean {
  return selector.split(',').every((term) => {
    const [key = '', value] = term.split('=');
    return key === '' || pod.metadata.labels[key] === value;
  });
}

async function bodyOf(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Json);
}
