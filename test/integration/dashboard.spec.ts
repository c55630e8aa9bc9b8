// The dashboard over HTTP, on two applications in this process and real Redis.
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  Logger,
  type LoggerService,
  type NestInterceptor,
  type Provider,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  Callable,
  Channels,
  ClusterCron,
  FoundationConfigError,
  FoundationModule,
  type Inspectable,
  Membership,
  Partitioned,
  ProcessManager,
  ServiceMesh,
  Singleton,
  Telemetry,
} from 'nestjs-foundation';
import {
  type DashboardTraces,
  FoundationDashboardModule,
  type FoundationDashboardOptions,
} from 'nestjs-foundation/dashboard';
import { map } from 'rxjs';
import type { Overview } from '../../libs/foundation/src/dashboard/dashboard.overview.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { closeLater, freshName, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

const TOKEN = secret('a token of the dashboard spec');
const READ_ONLY = secret('a token that may look and not act');
const OWN = { 'x-foundation-dashboard': '1', 'content-type': 'application/json' };
const BEARER = { ...OWN, authorization: `Bearer ${TOKEN}` };

@Singleton({ name: 'feed' })
class Feed implements Inspectable {
  #added = 0;

  @Callable()
  add(amount: number): number {
    if (amount < 0) throw new Error('a negative amount');
    return (this.#added += amount);
  }

  inspect(): unknown {
    return { added: this.#added };
  }
}

@Partitioned({ partitions: 8 })
class Carts {}

class Quotes implements Inspectable {
  #quotes = 0;

  constructor(private readonly says: string) {}

  @Callable()
  quote(amount: number): string {
    this.#quotes += 1;
    return `${this.says} ${amount}`;
  }

  secret(): string {
    return 'not callable';
  }

  inspect(): unknown {
    return { quotes: this.#quotes };
  }
}

/** Lets in whoever says please. */
@Injectable()
class Politeness implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<IncomingMessage>().headers['x-please'] === 'yes';
  }
}

/** Lets in whoever says a name, as a guard of Passport does. */
@Injectable()
class Introduction implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<IncomingMessage & { user?: unknown }>();
    request.user = { id: 7, username: request.headers['x-user'] };
    return request.headers['x-user'] !== undefined;
  }
}

/** Puts something around every answer, as many applications do. */
@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

let server: RedisServer;
let appName: string;
onOwnRedis((ground) => ({ server, appName } = ground));

interface Node {
  app: INestApplication;
  name: string;
  port: number;
}

async function node(
  options: FoundationDashboardOptions = { token: TOKEN },
  labels = {},
  providers: Provider[] = [Feed],
): Promise<Node> {
  const name = freshName('node');
  const foundation = FoundationModule.forRoot({
    ...{ cluster: true, redis: server.url, appName, nodeName: name, lease: LEASE, membership: MEMBERSHIP, labels },
  });
  const imports = [foundation, FoundationDashboardModule.forRoot(options)];
  const logger = (Logger as unknown as { staticInstanceRef: LoggerService }).staticInstanceRef;
  const app = (
    await Test.createTestingModule({ imports, providers }).setLogger(logger).compile()
  ).createNestApplication({ logger });
  closeLater(() => app.close());
  await app.listen(0, '127.0.0.1');
  return { app, name, port: ((app.getHttpServer() as Server).address() as AddressInfo).port };
}

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

async function ask(
  { port }: Node,
  method: string,
  path: string,
  headers: object = {},
  body?: unknown,
): Promise<Answer> {
  const asked = request({ host: '127.0.0.1', port, method, path, agent: false, headers: { ...headers } });
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Server-sent events as they come. */
class Watched {
  readonly events: { event: string; data: Record<string, unknown> }[] = [];
  ended = false;

  static async of({ port }: Node, headers: object = BEARER): Promise<Watched> {
    const asked = request({
      host: '127.0.0.1',
      port,
      path: '/foundation/events',
      agent: false,
      headers: { ...headers },
    });
    asked.end();
    closeLater(async () => void asked.destroy());
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/event-stream');
    const watched = new Watched();
    let rest = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const blocks = `${rest}${chunk}`.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
        if (event !== undefined) watched.events.push({ event, data: JSON.parse(data!) as Record<string, unknown> });
      }
    });
    response.on('error', () => undefined).on('close', () => (watched.ended = true));
    return watched;
  }

  overview<T>(read: (overview: Overview) => T | undefined | false): Promise<T> {
    return eventually(
      () => {
        const last = this.events.findLast(({ event }) => event === 'overview')?.data;
        return last === undefined ? undefined : (read(last as unknown as Overview) as T);
      },
      { lastSeen: () => this.events.at(-1) },
    );
  }
}

const TRACE = 'a'.repeat(32);
const SPAN = { id: 'b'.repeat(16), node: 'a', name: 'POST /orders', kind: 'server', start: 1, end: 2 };

/** Says of a trace what a test wants it to say. */
@Injectable()
class Collected implements DashboardTraces {
  readonly asked: string[] = [];
  lines: unknown = [{ id: TRACE, startedAt: 1, spans: 1, complete: true }];
  trace: unknown = { id: TRACE, startedAt: 1, nodes: ['a'], spans: [SPAN], complete: true, reasons: [] };

  list(): never {
    return this.lines as never;
  }

  get(id: string): never {
    this.asked.push(id);
    return (typeof this.trace === 'function' ? (this.trace as () => unknown)() : this.trace) as never;
  }
}

describe('the traces of the dashboard', () => {
  const collecting = (): Promise<Node> => node({ token: TOKEN, traces: Collected }, {}, [Collected]);
  const read = async (from: Node, path: string): Promise<[number | undefined, unknown]> => {
    const { status, body } = await ask(from, 'GET', `/foundation/${path}`, BEARER);
    return [status, JSON.parse(body)];
  };

  it('are those that a provider of the application has, for whoever knows the token', async () => {
    const one = await collecting();
    expect(await read(one, 'traces')).toEqual([
      200,
      { traces: [{ id: TRACE, startedAt: 1, spans: 1, complete: true }] },
    ]);
    const [status, trace] = await read(one, `traces/${TRACE}`);
    expect([status, trace]).toEqual([200, { ...(one.app.get(Collected).trace as object), leftOut: 0 }]);
    for (const path of ['traces', `traces/${TRACE}`])
      expect((await ask(one, 'GET', `/foundation/${path}`, OWN)).status).toBe(401);
    expect((await ask(one, 'GET', '/foundation')).body).toContain('data-traces="on"');
  });

  it('are not there without the option, and a provider that is not there fails the start', async () => {
    const one = await node();
    expect((await ask(one, 'GET', '/foundation/traces', BEARER)).status).toBe(404);
    expect((await ask(one, 'GET', '/foundation')).body).toContain('data-traces="off"');
    await expect(node({ token: TOKEN, traces: Collected })).rejects.toThrow(FoundationConfigError);
    await expect(node({ token: TOKEN, traces: Feed as never })).rejects.toThrow('list() and get(id)');
    expect(() => FoundationDashboardModule.forRoot({ token: TOKEN, traces: 7 as never })).toThrow('dashboard.traces');
  });

  it('asks for nothing that is not a trace id', async () => {
    const one = await collecting();
    for (const id of ["'; DROP", '..%2f..', '__proto__', '0'.repeat(32), 'A'.repeat(32), 'a'.repeat(8000)])
      expect((await read(one, `traces/${encodeURIComponent(id)}`))[0]).toBe(400);
    expect(one.app.get(Collected).asked).toEqual([]);
  });

  it.each<[string, unknown, number]>([
    ['nothing', undefined, 404],
    ['null', null, 404],
    ['a text', 'trace', 503],
    ['no spans', { id: TRACE, startedAt: 1, nodes: [], complete: true }, 503],
    ['what throws when it is read', Object.defineProperty({}, 'id', { get: () => fail() }), 503],
    ['a throw', () => fail(), 503],
    ['a rejection', () => Promise.reject(new Error('no trace')), 503],
  ])('says that there is none for %s', async (_what, answer, status) => {
    const one = await collecting();
    one.app.get(Collected).trace = answer;
    expect((await read(one, `traces/${TRACE}`))[0]).toBe(status);
    one.app.get(Collected).lines = answer;
    expect((await read(one, 'traces'))[0]).toBe(503);
  });

  it('bounds what it is given', async () => {
    const one = await collecting();
    const long = 'x'.repeat(1024 * 1024);
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, long]));
    const spans = Array.from({ length: 10_000 }, () => ({ ...SPAN, name: long, error: long, attributes }));
    one.app.get(Collected).trace = {
      ...{ id: TRACE, startedAt: 1, nodes: Array(1000).fill(long), complete: false, reasons: Array(100).fill(long) },
      spans: [...spans.slice(0, 3), { ...SPAN, start: 'soon' }, ...spans],
    };
    const [status, trace] = (await read(one, `traces/${TRACE}`)) as [number, { spans: unknown[]; leftOut: number }];
    expect([status, trace.spans.length, trace.leftOut]).toEqual([200, 999, 9005]);
    expect(JSON.stringify(trace).length).toBeLessThan(5_000_000);
    one.app.get(Collected).lines = Array(1000).fill({ id: TRACE, startedAt: 1 });
    expect(((await read(one, 'traces')) as [number, { traces: unknown[] }])[1].traces).toHaveLength(50);
  });
});

function fail(): never {
  throw new Error('no trace');
}

describe('the dashboard', () => {
  it.each([
    ['nothing', {}],
    ['a token that is too short', { token: 'fifteen chars..' }],
    ['a token and a guard', { token: TOKEN, guard: Politeness }],
    ['a path out of place', { token: TOKEN, path: '../x' }],
    ['a read-only token that is too short', { token: TOKEN, readOnlyToken: 'fifteen chars..' }],
    ['the same token twice', { token: TOKEN, readOnlyToken: TOKEN }],
    ['a read-only token alone', { readOnlyToken: READ_ONLY }],
    ['a read-only token and a guard', { guard: Politeness, readOnlyToken: READ_ONLY }],
    ['a guard of operators alone', { token: TOKEN, operatorGuard: Politeness }],
    ['a guard of operators that is none', { guard: Politeness, operatorGuard: 'x' as never }],
    ['calls that are neither on nor off', { token: TOKEN, calls: 'no' as never }],
  ])('does not begin with %s, and shows no token', (_what, options) => {
    let message = '';
    try {
      FoundationDashboardModule.forRoot(options);
    } catch (error) {
      expect(error).toBeInstanceOf(FoundationConfigError);
      ({ message } = error as Error);
    }
    expect(message).toContain('dashboard');
    expect(message).not.toContain('fifteen chars');
  });

  it('serves a page that holds no data, loads nothing, and lets nothing else run', async () => {
    const { status, headers, body } = await ask(await node(), 'GET', '/foundation');
    expect(status).toBe(200);
    const nonce = /style-src 'nonce-([^']+)'; script-src 'nonce-\1'/.exec(headers['content-security-policy'] as string);
    expect(nonce).not.toBeNull();
    expect(body).toContain(`<script type="module" nonce="${nonce![1]}">`);
    expect(body).not.toMatch(/__NONCE__|\/\*page\.css\*\/|(src|href)="(https?:)?\/\//);
    expect(headers['cache-control']).toBe('no-store');
  });

  it('serves the modules of the page, those that they import, and nothing else', async () => {
    const one = await node({ token: TOKEN, path: 'ops/cluster' });
    const served = new Map<string, string>();
    const follow = async (name: string): Promise<void> => {
      if (served.has(name)) return;
      const { status, headers, body } = await ask(one, 'GET', `/ops/cluster/page/${name}`);
      expect([name, status, headers['content-type']]).toEqual([name, 200, 'text/javascript; charset=utf-8']);
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      served.set(name, body);
      for (const [, imported] of body.matchAll(/from '\.\/([^']+)'/g)) await follow(imported!);
    };
    await follow('main.js');
    expect(served.size).toBeGreaterThan(8);
    for (const name of [
      'page.html',
      'page.css',
      'nothing.js',
      '..%2fdashboard.guard.js',
      '%2e%2e%2findex.js',
      '__proto__',
    ])
      expect([name, (await ask(one, 'GET', `/ops/cluster/page/${name}`)).status]).toEqual([name, 404]);
  });

  it('shows nothing and does nothing without the token, and with another one', async () => {
    const one = await node();
    for (const headers of [
      OWN,
      { ...OWN, authorization: 'Bearer another token entirely' },
      { ...OWN, cookie: 'foundation-dashboard=9999999999999.x' },
    ]) {
      for (const [method, path] of [
        ['GET', 'session'],
        ['GET', 'events'],
        ['POST', 'drain'],
        ['POST', 'undrain'],
        ['POST', 'move'],
        ['POST', 'restart'],
        ['POST', 'run'],
      ] as const) {
        const answer = await ask(
          one,
          method,
          `/foundation/${path}`,
          headers,
          method === 'POST' ? { node: one.name } : undefined,
        );
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      }
    }
    expect(one.app.get(Membership).state).toBe('up');
  });

  it('gives a session for the token, by a cookie that no script reads and no other site sends', async () => {
    const one = await node();
    expect((await ask(one, 'POST', '/foundation/login', OWN, { token: 'another token entirely' })).status).toBe(401);
    const { status, headers } = await ask(one, 'POST', '/foundation/login', OWN, { token: TOKEN });
    expect(status).toBe(204);
    const [set = ''] = headers['set-cookie'] ?? [];
    expect(set).toMatch(/^foundation-dashboard-[\w-]{8}=[\d.\w-]+; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    for (const proto of ['https', 'HTTPS', 'https,http'])
      expect(
        (await ask(one, 'POST', '/foundation/login', { ...OWN, 'x-forwarded-proto': proto }, { token: TOKEN })).headers[
          'set-cookie'
        ]?.[0],
      ).toMatch(/; Secure$/);
    expect(set).not.toContain(TOKEN);
    const cookie = set.split(';')[0]!;
    expect((await ask(one, 'GET', '/foundation/session', { cookie })).status).toBe(200);
    expect((await ask(one, 'GET', '/foundation/session', { cookie: `${cookie}x` })).status).toBe(401);
    // A form of another site has the cookie at most, and never the header.
    expect(
      (
        await ask(
          one,
          'POST',
          '/foundation/restart',
          { 'content-type': 'application/json', cookie },
          { process: 'feed' },
        )
      ).status,
    ).toBe(403);
    // Nor can it with the header, where CORS lets it send that: the browser says where it comes from.
    const cross = { ...OWN, cookie, 'sec-fetch-site': 'cross-site' };
    expect((await ask(one, 'POST', '/foundation/restart', cross, { process: 'feed' })).status).toBe(403);
    // HEAD takes no place of a viewer.
    expect((await ask(one, 'HEAD', '/foundation/events', { cookie })).status).toBe(204);
    expect((await ask(one, 'POST', '/foundation/logout', { ...OWN, cookie })).headers['set-cookie']?.[0]).toContain(
      'Max-Age=0',
    );
    expect((await ask(one, 'GET', '/foundation/session', { cookie })).status).toBe(401);
  });

  it('lets the read-only token look, and not act, not even by both sessions one after the other', async () => {
    const one = await node({ token: TOKEN, readOnlyToken: READ_ONLY });
    const viewer = { ...OWN, authorization: `Bearer ${READ_ONLY}` };
    const session = await ask(one, 'GET', '/foundation/session', viewer);
    expect([session.status, JSON.parse(session.body)]).toEqual([200, { role: 'viewer' }]);
    expect(JSON.parse((await ask(one, 'GET', '/foundation/session', BEARER)).body)).toEqual({ role: 'operator' });
    expect((await ask(one, 'GET', '/foundation/figures', viewer)).status).toBe(200);
    await (await Watched.of(one, viewer)).overview(({ nodes }) => nodes.length === 1);
    const refused = [
      ...['drain', 'undrain', 'move', 'restart', 'run'].map((path) => [
        path,
        { node: one.name, process: 'feed', job: 'x' },
      ]),
      ['processes/inspect', { process: 'feed' }],
      ['processes/call', { process: 'feed', method: 'add', args: [1] }],
      ['services/inspect', { name: 'quotes', instance: 'x' }],
      ['services/call', { name: 'quotes', instance: 'x', method: 'quote' }],
    ] as const;
    for (const [path, body] of refused) {
      const answer = await ask(one, 'POST', `/foundation/${path as string}`, viewer, body);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.body).toContain('read-only');
    }
    expect(one.app.get(Membership).state).toBe('up');

    const signIn = async (token: string, cookie = '') => {
      const { headers } = await ask(one, 'POST', '/foundation/login', { ...OWN, cookie }, { token });
      // As a browser keeps them: what has no age left is gone.
      const kept = (headers['set-cookie'] ?? []).filter((each) => !each.includes('Max-Age=0'));
      expect(headers['set-cookie']).toHaveLength(2);
      expect(kept).toHaveLength(1);
      return kept[0]!.split(';')[0]!;
    };
    const roleOf = async (cookie: string): Promise<unknown> =>
      JSON.parse((await ask(one, 'GET', '/foundation/session', { cookie })).body);
    const looking = await signIn(READ_ONLY);
    expect(await roleOf(looking)).toEqual({ role: 'viewer' });
    expect(
      (await ask(one, 'POST', '/foundation/restart', { ...OWN, cookie: looking }, { process: 'feed' })).status,
    ).toBe(403);
    const acting = await signIn(TOKEN, looking);
    expect(await roleOf(acting)).toEqual({ role: 'operator' });
    // A session of the one token is none of the other, whatever the cookie is called.
    const renamed = `${acting.split('=')[0]!}=${looking.split('=')[1]!}`;
    expect((await ask(one, 'GET', '/foundation/session', { cookie: renamed })).status).toBe(401);
    const ended = await ask(one, 'POST', '/foundation/logout', { ...OWN, cookie: looking });
    expect(ended.headers['set-cookie']).toHaveLength(2);
    expect((await ask(one, 'GET', '/foundation/session', { cookie: looking })).status).toBe(401);
    expect(await roleOf(acting)).toEqual({ role: 'operator' });
  });

  it('lets a second guard of the application decide who acts', async () => {
    @Injectable()
    class Haste implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        return context.switchToHttp().getRequest<IncomingMessage>().headers['x-now'] === 'yes';
      }
    }
    const one = await node({ guard: Politeness, operatorGuard: Haste });
    const polite = { ...OWN, 'x-please': 'yes' };
    expect((await ask(one, 'GET', '/foundation/figures', polite)).status).toBe(200);
    expect((await ask(one, 'POST', '/foundation/processes/inspect', polite, { process: 'feed' })).status).toBe(403);
    expect((await ask(one, 'POST', '/foundation/restart', polite, { process: 'feed' })).status).toBe(403);
    expect(
      (await ask(one, 'POST', '/foundation/restart', { ...polite, 'x-now': 'yes' }, { process: 'no' })).status,
    ).toBe(400);
    expect((await ask(one, 'POST', '/foundation/restart', { ...OWN, 'x-now': 'yes' }, { process: 'no' })).status).toBe(
      403,
    );
  });

  it('looks into a process and calls its methods, from a node that does not run it', async () => {
    const nodes = [await node(), await node()];
    await eventually(() => nodes.every(({ app }) => app.get(Membership).members().length === 2));
    const owner = await eventually(async () => (await nodes[0]!.app.get(ProcessManager).lookupSingleton(Feed))?.node);
    const other = nodes.find(({ name }) => name !== owner)!;
    const post = async (path: string, body: object): Promise<[number | undefined, Record<string, unknown>]> => {
      const answer = await ask(other, 'POST', `/foundation/processes/${path}`, BEARER, body);
      return [answer.status, JSON.parse(answer.body) as Record<string, unknown>];
    };
    expect(await post('call', { process: 'feed', method: 'add', args: [5] })).toEqual([200, { result: '5' }]);
    expect(await post('inspect', { process: 'feed' })).toEqual([
      200,
      { node: owner, methods: ['add'], state: '{\n  "added": 5\n}' },
    ]);
    const [failed, { message }] = await post('call', { process: 'feed', method: 'add', args: [-1] });
    expect([failed, message]).toEqual([503, expect.stringContaining('a negative amount')]);
    for (const [path, body, status] of [
      ['inspect', { process: 'nothing' }, 404],
      ['inspect', {}, 400],
      ['inspect', { process: ['feed'] }, 400],
      ['inspect', { process: 'x'.repeat(301) }, 400],
      ['call', { process: 'nothing', method: 'add' }, 404],
      ['call', { process: 'feed' }, 400],
      ['call', { process: 'feed', method: 'add', args: 'x' }, 400],
      ['call', { process: 'feed', method: 'add', args: Array(21).fill(1) }, 400],
      ['call', { process: 'feed', method: 'inspect' }, 503],
      ['call', { process: 'feed', method: 'constructor' }, 503],
    ] as const) {
      expect([path, body, (await post(path, body))[0]]).toEqual([path, body, status]);
    }
    const figures = (await ask(other, 'GET', '/foundation/figures', BEARER)).body;
    expect(JSON.parse(figures)).toMatchObject({
      silent: [],
      work: [{ kind: 'call', of: 'feed', work: 'add', nodes: 1 }],
    });
    const query = (text: string) => ask(other, 'GET', `/foundation/figures/history?${text}`, BEARER);
    const history = await query('kind=call&of=feed&work=add');
    const { points } = JSON.parse(history.body) as { points: { perSecond: number; failedPerSecond: number }[] };
    expect(points.some(({ perSecond, failedPerSecond }) => perSecond > 0 && failedPerSecond > 0)).toBe(true);
    expect(JSON.parse((await query('kind=job&of=nothing&work=')).body)).toEqual({ points: [], silent: [] });
    for (const wrong of ['', 'kind=call', 'kind=x&of=feed&work=add', 'kind=call&of=&work=', 'kind=call&of[a]=1&work=x'])
      expect([wrong, (await query(wrong)).status]).toEqual([wrong, 400]);
    // Without its header another site may have sent it; a look runs code of the application.
    const bare = { authorization: BEARER.authorization, 'content-type': 'application/json' };
    expect((await ask(other, 'POST', '/foundation/processes/inspect', bare, { process: 'feed' })).status).toBe(403);
  });

  it('answers as it is, whatever interceptors the application has', async () => {
    const wrapping = { provide: APP_INTERCEPTOR, useClass: Wrapping };
    const one = await node({ token: TOKEN, traces: Collected }, {}, [Feed, Collected, wrapping]);
    await eventually(() => one.app.get(ProcessManager).lookupSingleton(Feed));
    const fields = async (method: string, path: string, body?: object): Promise<[number | undefined, string[]]> => {
      const answer = await ask(one, method, `/foundation/${path}`, BEARER, body);
      return [answer.status, Object.keys(JSON.parse(answer.body) as object)];
    };
    const process = 'feed';
    expect(await fields('GET', 'session')).toEqual([200, ['role']]);
    expect(await fields('GET', 'figures')).toEqual([200, ['work', 'leftOut', 'silent']]);
    expect(await fields('GET', 'figures/history?kind=call&of=Feed&work=add')).toEqual([200, ['points', 'silent']]);
    expect(await fields('GET', 'history')).toEqual([200, ['entries']]);
    expect(await fields('GET', 'traces')).toEqual([200, ['traces']]);
    expect(await fields('GET', `traces/${TRACE}`)).toEqual([200, expect.arrayContaining(['spans'])]);
    expect(await fields('POST', 'processes/inspect', { process })).toEqual([200, ['node', 'methods', 'state']]);
    expect(await fields('POST', 'processes/call', { process, method: 'add', args: [1] })).toEqual([200, ['result']]);
    expect(await fields('POST', 'restart', { process })).toEqual([200, ['ok']]);
    const { instanceId: instance } = await one.app.get(ServiceMesh).registerService('quotes', new Quotes('a'));
    const quotes = { name: 'quotes', instance };
    expect(await fields('POST', 'services/inspect', quotes)).toEqual([200, ['node', 'methods', 'state']]);
    const call = { ...quotes, method: 'quote', args: [1] };
    expect(await fields('POST', 'services/call', call)).toEqual([200, ['result']]);
    expect(await fields('POST', 'restart', {})).toEqual([400, expect.arrayContaining(['message'])]);
  });

  it('looks into an instance of a service and calls it, and no other one, from another node', async () => {
    const [one, two] = [await node(), await node()];
    await eventually(() => one.app.get(Membership).members().length === 2);
    const offer = (by: Node, target: object) => by.app.get(ServiceMesh).registerService('quotes', target);
    const [first, second] = [await offer(one, new Quotes('first')), await offer(two, new Quotes('second'))];
    const ref = await eventually(() => one.app.get(ProcessManager).lookupSingleton(Feed));
    const [outside, byRef] = [await offer(two, { url: 'http://quotes.test' }), await offer(two, ref)];
    await eventually(async () => (await one.app.get(ServiceMesh).discoverServices()).length === 4);
    const post = async (path: string, body: object): Promise<[number | undefined, Record<string, unknown>]> => {
      const answer = await ask(one, 'POST', `/foundation/services/${path}`, BEARER, body);
      return [answer.status, JSON.parse(answer.body) as Record<string, unknown>];
    };
    const [mine, its] = [first, second].map(({ instanceId: instance }) => ({ name: 'quotes', instance }));
    for (const [instance, says, by] of [
      [mine, 'first', one],
      [its, 'second', two],
    ] as const) {
      expect(await post('call', { ...instance, method: 'quote', args: [2] })).toEqual([200, { result: `"${says} 2"` }]);
      expect(await post('call', { ...instance, method: 'quote', args: [3] })).toEqual([200, { result: `"${says} 3"` }]);
      expect(await post('inspect', instance!)).toEqual([
        200,
        { node: by.name, methods: ['quote'], state: `{\n  "quotes": 2\n}` },
      ]);
    }
    // One that stands for a process is the process.
    const process = { name: 'quotes', instance: byRef.instanceId };
    expect((await post('inspect', process))[1]).toMatchObject({ methods: ['add'] });
    expect(await post('call', { ...process, method: 'add', args: [4] })).toEqual([200, { result: '4' }]);
    for (const [path, body, status] of [
      ['inspect', { name: 'quotes', instance: 'nothing' }, 404],
      ['inspect', { name: 'other', instance: second.instanceId }, 404],
      ['inspect', { name: 'quotes' }, 400],
      ['inspect', { name: 'quotes', instance: outside.instanceId }, 400],
      ['call', { name: 'quotes', instance: outside.instanceId, method: 'quote' }, 400],
      ['call', { ...its, method: 'quote', args: {} }, 400],
      ['call', { ...its }, 400],
      ['call', { ...its, method: 'inspect' }, 503],
      ['call', { ...its, method: 'secret' }, 503],
    ] as const) {
      expect([path, body, (await post(path, body))[0]]).toEqual([path, body, status]);
    }
    const bare = { authorization: BEARER.authorization, 'content-type': 'application/json' };
    expect((await ask(one, 'POST', '/foundation/services/call', bare, { ...its, method: 'quote' })).status).toBe(403);
    await second.deregister();
    // Until this node hears of that, the call is refused by the other one.
    await eventually(async () => (await one.app.get(ServiceMesh).discoverServices()).length === 3);
    const [gone, { message }] = await post('call', { ...its, method: 'quote' });
    expect([gone, message]).toEqual([404, 'It is not registered any longer.']);
  });

  it('has no way to call where the application says so', async () => {
    const one = await node({ token: TOKEN, calls: false });
    expect(
      (await ask(one, 'POST', '/foundation/processes/call', BEARER, { process: 'feed', method: 'add' })).status,
    ).toBe(404);
    expect((await ask(one, 'POST', '/foundation/services/call', BEARER, { name: 'quotes' })).status).toBe(404);
    expect((await ask(one, 'GET', '/foundation')).body).toContain('data-calls="off"');
  });

  it('has the partitions of a process as one line, and a node that has left as a card of its own', async () => {
    const [one, two] = [
      await node({ token: TOKEN }, {}, [Feed, Carts]),
      await node({ token: TOKEN }, {}, [Feed, Carts]),
    ];
    const watched = await Watched.of(one);
    await watched.overview(({ groups, nodes }) => nodes.length === 2 && groups[0]?.states['running'] === 8);
    const { groups, departed } = await watched.overview((overview) => overview);
    expect(groups).toMatchObject([{ name: 'Carts', kind: 'partitioned', count: 8, restarts: 0 }]);
    expect(groups[0]!.nodes.reduce((sum, [, running]) => sum + running, 0)).toBe(8);
    expect(departed).toEqual([]);
    await two.app.close();
    const left = await watched.overview((overview) => overview.departed[0]);
    expect(left).toMatchObject({ name: two.name, state: 'left', pid: process.pid });
  });

  it('answers no more than ten wrong tokens a minute', async () => {
    const one = await node();
    const statuses: (number | undefined)[] = [];
    for (let guess = 0; guess < 12; guess++) {
      statuses.push(
        (await ask(one, 'POST', '/foundation/login', OWN, { token: `guess number ${guess} of many` })).status,
      );
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses.slice(10)).toEqual([429, 429]);
    expect((await ask(one, 'POST', '/foundation/login', OWN, { token: TOKEN })).status).toBe(429);
  });

  it('lets the guard of the application decide over all of it', async () => {
    const one = await node({ guard: Politeness, path: 'ops/cluster' });
    expect((await ask(one, 'GET', '/ops/cluster')).status).toBe(403);
    expect((await ask(one, 'GET', '/ops/cluster', { 'x-please': 'yes' })).status).toBe(200);
    expect((await ask(one, 'GET', '/ops/cluster/page/main.js')).status).toBe(403);
    expect((await ask(one, 'GET', '/ops/cluster/page/main.js', { 'x-please': 'yes' })).status).toBe(200);
    expect((await ask(one, 'GET', '/ops/cluster/session', { 'x-please': 'yes' })).status).toBe(200);
    expect((await ask(one, 'POST', '/ops/cluster/login', { ...OWN, 'x-please': 'yes' }, { token: 'x' })).status).toBe(
      400,
    );
  });

  it('tells once a second of nodes, processes, services, channels and what happens', async () => {
    const one = await node({ token: TOKEN }, { zone: '<script>alert(1)</script>' });
    const other = await node();
    await one.app.get(ProcessManager).startSingleton(Feed, []);
    await other.app.get(Channels).subscribe('events', () => undefined);
    const watched = await Watched.of(one);
    const nodes = await watched.overview(({ nodes }) => nodes.length === 2 && nodes);
    expect(nodes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: one.name, state: 'up', labels: { zone: '<script>alert(1)</script>' } }),
      ]),
    );
    const feed = await watched.overview(({ processes }) =>
      processes.find(({ name, state }) => name === 'feed' && state === 'running'),
    );
    expect(feed).toMatchObject({
      kind: 'singleton',
      node: expect.any(String),
      epoch: expect.any(Number),
      restarts: 0,
      why: expect.any(String),
    });
    const sending = setInterval(() => void one.app.get(Channels).broadcast('events', 'x'), 20);
    closeLater(async () => clearInterval(sending));
    const busy = await watched.overview(({ channels }) =>
      channels.find((each) => each.node === other.name && each.receivedPerSecond > 0),
    );
    expect(busy).toMatchObject({ channel: 'events', waiting: expect.any(Number), dropped: 0, failed: 0 });
    await other.app.close();
    await eventually(
      () => watched.events.some(({ event, data }) => event === 'happened' && data['event'] === 'cluster.node_left'),
      {
        lastSeen: () => watched.events.filter(({ event }) => event === 'happened'),
      },
    );
  });

  it('shows cron jobs, and runs one', async () => {
    @Injectable()
    class Reports {
      @ClusterCron('0 3 1 1 *', { name: 'close', timeZone: 'UTC' })
      close(): void {}
    }
    const one = await node(undefined, {}, [Reports]);
    const watched = await Watched.of(one);
    const job = () => {
      const overviews = watched.events.filter(({ event }) => event === 'overview');
      return (overviews.at(-1)?.data as Overview | undefined)?.jobs[0];
    };
    await eventually(() => job()?.next !== undefined, { lastSeen: job });
    expect(job()).toMatchObject({ name: 'close', expression: '0 3 1 1 *', timeZone: 'UTC', node: one.name, missed: 0 });
    expect((await ask(one, 'POST', '/foundation/run', BEARER, { job: 'close' })).status).toBe(200);
    await eventually(() => job()?.last !== undefined, { lastSeen: job });
    expect(job()?.last).toMatchObject({ cause: 'manual', outcome: 'done' });
  });

  it('moves, restarts, drains and undrains, and says in one sentence why it did not', async () => {
    const [one, other] = [await node(), await node()];
    const ref = await one.app.get(ProcessManager).startSingleton(Feed, []);
    await eventually(() => one.app.get(Membership).members().length === 2);
    const target = ref.node === one.name ? other : one;
    expect(await ask(one, 'POST', '/foundation/move', BEARER, { process: 'feed', node: target.name })).toMatchObject({
      status: 200,
      body: '{"ok":true}',
    });
    const owner = async () => (await one.app.get(ProcessManager).lookupSingleton('feed'))!;
    const moved = await owner();
    expect(moved.node).toBe(target.name);
    expect((await ask(one, 'POST', '/foundation/restart', BEARER, { process: 'feed' })).status).toBe(200);
    expect((await owner()).epoch).toBeGreaterThan(moved.epoch);
    for (const [path, body, sentence] of [
      ['move', { process: 'feed', node: 'nowhere' }, /no member/],
      ['move', { process: 'feed' }, /Send node/],
      ['restart', { process: 'nothing' }, /not known/],
      ['restart', { process: { $ne: 1 } }, /Send process/],
      ['drain', { node: 'nowhere' }, /no member/],
      ['drain', { node: 'x'.repeat(301) }, /Send node/],
      ['undrain', { node: 'nowhere' }, /no member/],
      ['undrain', {}, /Send node/],
      ['run', { job: 'nothing' }, /not known/],
      ['run', {}, /Send job/],
    ] as const) {
      const { status, body: answer } = await ask(one, 'POST', `/foundation/${path}`, BEARER, body);
      expect([path, status]).toEqual([path, 400]);
      expect((JSON.parse(answer) as { message: string }).message).toMatch(sentence);
    }
    const drained = (await owner()).node === other.name ? other : one;
    const asked = drained === one ? other : one;
    expect((await ask(asked, 'POST', '/foundation/drain', BEARER, { node: drained.name })).status).toBe(200);
    await eventually(async () => (await owner()).node === asked.name);
    expect(drained.app.get(Membership).state).toBe('draining');
    expect((await ask(asked, 'POST', '/foundation/undrain', BEARER, { node: drained.name })).status).toBe(200);
    expect(drained.app.get(Membership).state).toBe('up');
  });

  it('shows the journal, filtered, and says there who has pressed a button', async () => {
    const one = await node({ guard: Introduction });
    const ada = { ...OWN, 'x-user': 'ada' };
    await one.app.get(ProcessManager).startSingleton(Feed, []);
    expect((await ask(one, 'POST', '/foundation/restart', ada, { process: 'feed' })).status).toBe(200);
    const history = async (query = ''): Promise<Record<string, unknown>[]> => {
      const { status, body, headers } = await ask(one, 'GET', `/foundation/history${query}`, ada);
      expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
      return (JSON.parse(body) as { entries: Record<string, unknown>[] }).entries;
    };
    const all = await eventually(async () => {
      const entries = await history();
      return entries.some(({ kind }) => kind === 'command.restart') ? entries : undefined;
    });
    expect(all.map(({ kind }) => kind)).toContain('cluster.node_joined');
    expect(await history('?kind=command.*&process=feed&since=1h')).toMatchObject([
      { kind: 'command.restart', process: 'feed', via: 'dashboard', actor: 'ada', text: 'by ada, dashboard' },
    ]);
    expect(await history('?until=1000')).toEqual([]);
    expect(await history(`?node=${one.name}&limit=1`)).toHaveLength(1);
    expect(await history(`?after=${String(all[0]!['id'])}&process=`)).toEqual(expect.any(Array));
    // What comes twice, or is no text, is nothing that was asked for.
    expect(await history('?process=a&process=b&kind[x]=1')).not.toHaveLength(0);
    for (const query of [
      'kind=what',
      'since=never',
      'limit=0',
      'limit=many',
      'after=x',
      `process=${'x'.repeat(301)}`,
    ]) {
      const { status, body } = await ask(one, 'GET', `/foundation/history?${query}`, ada);
      expect([query, status, (JSON.parse(body) as { message: string }).message]).toEqual([
        ...[query, 400, expect.stringContaining(query.split('=')[0]!)],
      ]);
    }
    expect((await ask(one, 'GET', '/foundation/history')).status).toBe(403);
    const other = await node();
    expect((await ask(other, 'GET', '/foundation/history')).status).toBe(401);
    expect((await ask(other, 'GET', '/foundation/history', BEARER)).status).toBe(200);
  });

  it('goes on while Redis hangs, and says that it is critical', async () => {
    const one = await node();
    const watched = await Watched.of(one);
    await watched.overview(({ health }) => health.status === 'healthy');
    server.pause();
    try {
      await watched.overview(({ health }) => health.status === 'critical');
    } finally {
      server.resume();
    }
    await watched.overview(({ health }) => health.status === 'healthy');
  });

  it('keeps its viewers through a flood of events, and tells the first of them', async () => {
    const one = await node();
    const watched = await Watched.of(one);
    await watched.overview(({ self }) => self === one.name);
    const before = watched.events.length;
    for (let index = 0; index < 20_000; index++) {
      one.app.get(Telemetry).emit('message.dropped', { channel: `c${index}`, reason: 'duplicate', count: 1 });
    }
    await eventually(() => watched.events.slice(before).filter(({ event }) => event === 'overview').length > 1);
    expect(watched.ended).toBe(false);
    expect(watched.events.length - before).toBeLessThan(250);
  });

  it('ends its streams when the application closes, which does not wait for them', async () => {
    const one = await node();
    const watched = await Watched.of(one);
    await watched.overview(({ self }) => self === one.name);
    await one.app.close();
    await eventually(() => watched.ended);
  });
});
