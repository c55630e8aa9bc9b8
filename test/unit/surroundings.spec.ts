// Applications of every kind around the module: each HTTP surface of ours answers in all of them as it does alone.
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  Inject,
  Injectable,
  type NestInterceptor,
  type Provider,
  SetMetadata,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost, Reflector } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import compression from 'compression';
import { FoundationHealthController, FoundationHealthModule, FoundationModule } from 'nestjs-foundation';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';
import { FoundationPrometheusController, FoundationPrometheusModule } from 'nestjs-foundation/prometheus';
import { map, type Observable } from 'rxjs';

const TOKEN = 'a token of the tests';
const PUBLIC = 'is public';
const Public = (): ClassDecorator => SetMetadata(PUBLIC, true);
// As an application does it that has a global guard.
Public()(FoundationHealthController);
Public()(FoundationPrometheusController);

@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class Guarding implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext): boolean {
    return this.reflector.getAllAndOverride<boolean>(PUBLIC, [context.getHandler(), context.getClass()]) === true;
  }
}

/** As hard as a filter can be on what it catches. */
@Catch()
class Hiding implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}
  catch(_error: unknown, context: ArgumentsHost): void {
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), { hidden: true }, 500);
  }
}

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

interface Surroundings {
  providers?: Provider[];
  around?: (app: INestApplication) => void;
  adapter?: () => FastifyAdapter;
  prefix?: string;
}

async function listen({ providers = [], around, adapter, prefix = '' }: Surroundings): Promise<string> {
  const module = await Test.createTestingModule({
    imports: [
      FoundationModule.forRoot(),
      FoundationHealthModule,
      FoundationPrometheusModule,
      FoundationDashboardModule.forRoot({ token: TOKEN, decorators: [Public()] }),
    ],
    providers,
  }).compile();
  app =
    adapter === undefined
      ? module.createNestApplication()
      : module.createNestApplication<NestFastifyApplication>(adapter());
  around?.(app);
  await app.listen(0, '127.0.0.1');
  return (await app.getUrl()) + prefix;
}

const KINDS: [string, Surroundings][] = [
  ['nothing', {}],
  ['versions in the URI', { around: (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }) }],
  [
    'versions in a header',
    {
      around: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version', defaultVersion: '2' }),
    },
  ],
  ['a prefix', { around: (app) => app.setGlobalPrefix('api/shop'), prefix: '/api/shop' }],
  ['a global guard', { providers: [{ provide: APP_GUARD, useClass: Guarding }] }],
  ['an interceptor that wraps answers', { providers: [{ provide: APP_INTERCEPTOR, useClass: Wrapping }] }],
  ['a filter', { providers: [{ provide: APP_FILTER, useClass: Hiding }] }],
  [
    'a strict pipe',
    {
      providers: [
        {
          provide: APP_PIPE,
          useValue: new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }),
        },
      ],
    },
  ],
  ['CORS', { around: (app) => app.enableCors({ origin: true, credentials: true }) }],
  ['compression', { around: (app) => void app.use(compression({ threshold: 0 })) }],
  [
    'trust in a proxy',
    {
      around: (app) =>
        void (app.getHttpAdapter().getInstance() as { set(key: string, value: unknown): void }).set(
          'trust proxy',
          true,
        ),
    },
  ],
];
const FASTIFY: [string, Surroundings][] = KINDS.filter(([kind]) => !/compression|proxy/.test(kind)).map(
  ([kind, surroundings]) => [`Fastify and ${kind}`, { ...surroundings, adapter: () => new FastifyAdapter() }],
);

describe.each([...KINDS, ...FASTIFY])('With %s', (_kind, surroundings) => {
  it('probes, figures and the dashboard answer as they are', async () => {
    const url = await listen(surroundings);
    const live = await fetch(`${url}/health/live`);
    expect([live.status, await live.json()]).toEqual([200, { status: 'live' }]);
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
    const cluster = await fetch(`${url}/health/cluster`);
    expect([cluster.status, await cluster.json()]).toEqual([200, expect.objectContaining({ status: 'healthy' })]);

    const metrics = await fetch(`${url}/metrics`);
    expect([metrics.status, metrics.headers.get('content-type')]).toEqual([
      200,
      expect.stringMatching(/^text\/plain; version=/),
    ]);
    expect(await metrics.text()).toMatch(/^# HELP foundation_/);

    const page = await fetch(`${url}/foundation`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toMatch(/^<!doctype html>/i);
    const script = await fetch(`${url}/foundation/page/main.js`);
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);

    const headers = {
      authorization: `Bearer ${TOKEN}`,
      'x-foundation-dashboard': '1',
      'content-type': 'application/json',
    };
    expect((await fetch(`${url}/foundation/session`)).status).toBe(401);
    expect((await fetch(`${url}/foundation/session`, { headers })).status).toBe(200);
    const login = await fetch(`${url}/foundation/login`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ token: TOKEN }),
    });
    expect([login.status, login.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('HttpOnly')]);
    const unknown = await fetch(`${url}/foundation/restart`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ process: 'none' }),
    });
    expect([unknown.status, await unknown.text()]).toEqual([expect.any(Number), expect.stringContaining('none')]);
    expect(unknown.status).toBeGreaterThanOrEqual(400);

    const stop = new AbortController();
    const stream = await fetch(`${url}/foundation/events`, { headers, signal: stop.signal });
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const { value } = await stream.body!.getReader().read();
    expect(new TextDecoder().decode(value as Uint8Array)).toMatch(/^(?:event|data|retry|:)/);
    stop.abort();
  });
});

it('a global guard keeps out whom the application lets it', async () => {
  const url = await listen({ providers: [{ provide: APP_GUARD, useValue: { canActivate: () => false } }] });
  const surfaces = ['/health/live', '/metrics', '/foundation', '/foundation/events'];
  expect(await Promise.all(surfaces.map(async (path) => (await fetch(url + path)).status))).toEqual([
    403, 403, 403, 403,
  ]);
});
