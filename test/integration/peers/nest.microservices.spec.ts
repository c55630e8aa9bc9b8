// What Nest's own integration cases hold its microservices to, written anew. Each runs over Nest's Redis transport,
// which is the control, and over Foundation. From nestjs/nest: `e2e/…` is integration/microservices/e2e, `scopes/…`
// integration/scopes/e2e, `unit/…` packages/microservices/test.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  HttpCode,
  type INestMicroservice,
  Inject,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  Post,
  Scope,
  UseFilters,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  type BaseRpcContext,
  type ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  type ReadPacket,
  RpcException,
} from '@nestjs/microservices';
import { RequestError } from 'nestjs-foundation';
import {
  catchError,
  concat,
  EMPTY,
  from,
  lastValueFrom,
  map,
  NEVER,
  type Observable,
  of,
  scan,
  throwError,
  timeout,
  toArray,
} from 'rxjs';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';
import { CapturedLog, closeAll } from '../fixture.js';
import { CONTROL, type Given, KINDS, openSides, type Sides } from './nest.sides.js';

const heard: string[] = [];
const made: string[] = [];
let release: () => void = () => undefined;

@Injectable()
class Doubler implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: number) => value * 2));
  }
}
@Catch(TypeError)
class TypeErrors implements ExceptionFilter {
  catch(error: TypeError): Observable<never> {
    return throwError(() => ({ status: 'error', message: `filtered: ${error.message}` }));
  }
}

const total = (data: number[]): number => data.reduce((sum, one) => sum + one, 0);

@Controller()
class Sums {
  constructor(@Inject('CLIENT') private readonly client: ClientProxy) {}

  @Post('sum')
  @HttpCode(200)
  ask(@Body() data: number[]): Observable<number> {
    return this.client.send<number>({ cmd: 'sum' }, data);
  }
  @MessagePattern({ cmd: 'sum' })
  sum(data: number[]): number {
    return total(data);
  }
  @MessagePattern({ cmd: 'asyncSum' })
  async asyncSum(data: number[]): Promise<number> {
    return Promise.resolve(total(data));
  }
  @MessagePattern({ cmd: 'streamSum' })
  streamSum(data: number[]): Observable<number> {
    return of(total(data));
  }
  @MessagePattern({ cmd: 'streaming' })
  streaming(data: number[]): Observable<number> {
    return from(data);
  }
  @MessagePattern({ cmd: 'exception' })
  exception(): Observable<number> {
    return throwError(() => new RpcException('test'));
  }
  @MessagePattern({ cmd: 'bug' })
  bug(): never {
    throw new TypeError('a secret of this server');
  }
  @MessagePattern('echo')
  echo(@Payload() data: unknown, @Ctx() context: BaseRpcContext & { getMetadata(): unknown }) {
    return { data, metadata: context.getMetadata() ?? null, pattern: context.getArgByIndex(0) as unknown };
  }
  @MessagePattern('same')
  same(data: { value: unknown }): unknown {
    return data.value;
  }
  @MessagePattern({ b: 1, a: { d: 2, c: 3 } })
  sorted(): string {
    return 'sorted';
  }
  @MessagePattern('nothing')
  nothing(): Observable<never> {
    return EMPTY;
  }
  @MessagePattern('breaks off')
  breaksOff(): Observable<number> {
    return concat(
      of(1),
      throwError(() => new RpcException('broke off')),
    );
  }
  @UsePipes(ParseIntPipe)
  @UseInterceptors(Doubler)
  @UseFilters(new TypeErrors())
  @MessagePattern('double')
  double(@Payload() number: number): number {
    if (number < 0) throw new TypeError('negative');
    return number;
  }
  @MessagePattern('slow')
  async slow(): Promise<string> {
    await new Promise<void>((resolve) => (release = resolve));
    return 'slow';
  }
  @MessagePattern('fast')
  fast(): string {
    release();
    return 'fast';
  }
  @EventPattern('notification')
  notified(data: boolean): void {
    heard.push(`first ${String(data)}`);
  }
  @EventPattern('notification')
  notifiedToo(data: boolean): void {
    heard.push(`second ${String(data)}`);
  }
  @EventPattern({ event: 'object', version: 1 })
  object(data: string): void {
    heard.push(`object ${data}`);
  }
  @EventPattern('fails')
  fails(_data: unknown): void {
    heard.push('failed');
    throw new Error('this handler fails');
  }
  @EventPattern('recorded')
  recorded(@Payload() _data: unknown, @Ctx() context: unknown): void {
    heard.push(JSON.stringify((context as { getMetadata(): unknown }).getMetadata()));
  }
}

/** One for each message. */
@Injectable({ scope: Scope.REQUEST })
class Scoped {
  constructor() {
    made.push('service');
  }
}
@Injectable()
class Shared {
  constructor() {
    made.push('shared');
  }
}
@Controller()
class Users {
  readonly #number: number;
  constructor(
    readonly scoped: Scoped,
    readonly shared: Shared,
  ) {
    this.#number = made.push('controller');
  }
  @MessagePattern('who')
  who(): number {
    return this.#number;
  }
}

const passed: string[] = [];
class SpyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    passed.push(`guard ${context.getType()}`);
    return context.switchToRpc().getData<{ secret?: true }>().secret !== true;
  }
}
class SpyInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    passed.push('interceptor');
    return next.handle();
  }
}
class SpyPipe implements PipeTransform {
  transform(value: unknown): unknown {
    passed.push('pipe');
    return value;
  }
}
@Catch()
class SpyFilter implements ExceptionFilter {
  catch(error: Error, _host: ArgumentsHost): Observable<never> {
    passed.push('filter');
    return throwError(() => ({ status: 'error', message: `filtered: ${error.message}` }));
  }
}
@Controller()
class Spied {
  @MessagePattern('spied')
  spied(data: { fail?: true }): string {
    if (data.fail === true) throw new Error('as it was asked to');
    return 'spied';
  }
}

@Controller()
class Twice {
  @MessagePattern({ cmd: 'broadcast' })
  reply(): Observable<number> {
    return concat(of(1), NEVER);
  }
  @MessagePattern('once')
  once(): number {
    return 1;
  }
  @MessagePattern('never')
  async never(): Promise<never> {
    heard.push('begun');
    return new Promise<never>((_resolve, reject) => (release = () => reject(new RpcException('after all'))));
  }
  @EventPattern('multicast')
  hear(_data: unknown): void {
    heard.push('multicast');
  }
}

const ask = <T>(client: ClientProxy, pattern: unknown, data: unknown): Promise<T> =>
  lastValueFrom(client.send<T>(pattern, data));
const failure = (client: ClientProxy, pattern: unknown, data: unknown): Promise<unknown> =>
  lastValueFrom(client.send(pattern, data).pipe(catchError((error: unknown) => of(['failed', error])))).then(
    (given) => {
      const [word, error] = given as [string, unknown];
      expect(word).toBe('failed');
      return error;
    },
  );
const hears = (...words: string[]) =>
  eventually(() => [...heard].sort().join() === [...words].sort().join(), {
    what: words.join(),
    lastSeen: () => heard,
  });

let server: RedisServer;
beforeAll(async () => void (server = await startRedis()));
afterAll(() => server.stop());
beforeEach(() => {
  for (const list of [heard, made, passed]) list.length = 0;
});

describe.each(KINDS)('Nest microservices, over %s:', (kind) => {
  let sides: Sides;
  let client: ClientProxy;
  const open = (given: Given): Promise<Sides> => openSides(kind, server, given);
  beforeAll(async () => {
    CapturedLog.install();
    const imports: Given['imports'] = (registration) => [
      ClientsModule.registerAsync({ clients: [{ name: 'CLIENT', ...registration }] }),
    ];
    sides = await open({ controllers: [Sums], imports });
    ({ client } = sides);
  });
  afterAll(closeAll);

  // e2e/sum-redis.spec.ts: POST, Promise/async, Observable stream
  it.each(['sum', 'asyncSum', 'streamSum'])(
    'a handler that gives a value, a promise or an observable: %s',
    async (cmd) => {
      expect(await ask(client, { cmd }, [1, 2, 3, 4, 5])).toBe(15);
    },
  );

  // e2e/sum-redis.spec.ts: concurrent
  it('each of ten requests at once gets its own answer', async () => {
    const tables = Array.from({ length: 10 }, (_, row) => Array.from({ length: 10 }, (_, at) => row * 10 + at + 1));
    expect(await Promise.all(tables.map((table) => ask(client, { cmd: 'sum' }, table)))).toEqual(tables.map(total));
  });

  // e2e/sum-redis.spec.ts: streaming
  it('the values of a stream come one by one, in order, and it completes', async () => {
    const sums = client.send<number>({ cmd: 'streaming' }, [1, 2, 3, 4, 5]).pipe(
      scan((a, b) => a + b),
      toArray(),
    );
    expect(await lastValueFrom(sums)).toEqual([1, 3, 6, 10, 15]);
  });

  it('a stream may be empty, or break off after some values', async () => {
    expect(await lastValueFrom(client.send('nothing', 1).pipe(toArray()))).toEqual([]);
    const values: unknown[] = [];
    const broken = client.send('breaks off', 1).pipe(map((value) => values.push(value)));
    await expect(lastValueFrom(broken)).rejects.toEqual({ status: 'error', message: 'broke off' });
    expect(values).toEqual([1]);
  });

  // e2e/binary-redis.spec.ts: route concurrent raw binary replies to the matching request
  it('an answer that overtakes another one reaches the request that it belongs to', async () => {
    const slow = ask(client, 'slow', {});
    await eventually(() => ask(client, 'fast', {}).then(() => lastValueFrom(from(slow).pipe(timeout(200)))), {
      what: 'The slow answer',
    });
    expect(await slow).toBe('slow');
  });

  // e2e/sum-nats.spec.ts: exception
  it('an RpcException arrives with its message', async () => {
    expect(await failure(client, { cmd: 'exception' }, {})).toEqual({ status: 'error', message: 'test' });
  });

  // unit/exceptions/rpc-exceptions-handler.spec.ts: when exception is unknown
  it('any other error arrives without its message', async () => {
    expect(await failure(client, { cmd: 'bug' }, {})).toEqual({ status: 'error', message: 'Internal server error' });
  });

  // e2e/sum-rpc.spec.ts: custom client, standard client
  it('a client class of your own makes of an error what it likes', async () => {
    const own = sides.clientOf({}, (Base) => {
      abstract class Own extends Base {
        protected override serializeError(error: unknown): unknown {
          return new RpcException(error as object);
        }
      }
      return Own as never;
    });
    expect(await failure(own, { cmd: 'exception' }, {})).toBeInstanceOf(RpcException);
    expect(await failure(client, { cmd: 'exception' }, {})).not.toBeInstanceOf(RpcException);
  });

  // e2e/sum-rpc.spec.ts: useFactory client, useClass client; e2e/sum-redis.spec.ts: POST
  it('a request over HTTP becomes one to the microservice, through a client of ClientsModule', async () => {
    const response = await fetch(`${await sides.app.getUrl()}/sum`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '[1,2,3,4,5]',
    });
    expect([response.status, await response.text()]).toEqual([200, '15']);
  });

  // e2e/sum-redis.spec.ts: event notification; e2e/sum-nats.spec.ts: both handlers of it
  it('an event reaches each handler of its pattern', async () => {
    await lastValueFrom(client.emit('notification', true), { defaultValue: undefined });
    await hears('first true', 'second true');
  });

  it('an event may be named by an object, and one that nobody listens to is none the worse', async () => {
    client.emit('nobody listens', 1);
    client.emit({ version: 1, event: 'object' }, 'x');
    await hears('object x');
  });

  it('a handler of an event that fails is called once, and keeps no later event away', async () => {
    client.emit('fails', {});
    await hears('failed');
    client.emit('notification', 1);
    await hears('failed', 'first 1', 'second 1');
  });

  // e2e/packet-metadata-tcp.spec.ts
  it('what the dispatch hook attaches reaches the handler of a request and of an event, once a packet', async () => {
    const hooked = sides.clientOf();
    const seen: unknown[] = [];
    hooked.setOnDispatchHook((packet: ReadPacket & { metadata?: Record<string, string> }) => {
      seen.push([packet.pattern, packet.data]);
      packet.metadata = { 'x-request-id': `trace-${seen.length}` };
    });
    expect(await ask(hooked, 'echo', { id: 7 })).toMatchObject({
      data: { id: 7 },
      metadata: { 'x-request-id': 'trace-1' },
    });
    hooked.emit('recorded', {});
    await hears('{"x-request-id":"trace-2"}');
    expect(seen).toEqual([
      ['echo', { id: 7 }],
      ['recorded', {}],
    ]);
    expect(await ask(client, 'echo', 'plain')).toEqual({ data: 'plain', metadata: null, pattern: 'echo' });
  });

  // unit/client/client-proxy.spec.ts: send is cold, emit is hot, nil is refused
  it('a request goes out when it is subscribed to, an event at once, and neither without a pattern or data', async () => {
    const request = client.send('never subscribed', {});
    client.emit('notification', 'hot');
    await hears('first hot', 'second hot');
    expect(request).toBeDefined();
    for (const [pattern, data] of [
      ['sum', undefined],
      [null, {}],
    ] as const) {
      expect(await failure(client, pattern, data)).toMatchObject({
        message: expect.stringMatching(/^The invalid data or message pattern/),
      });
    }
  });

  // unit/utils/transform-pattern.utils.spec.ts
  it('a pattern that is an object is the same in any order of its keys', async () => {
    expect(await ask(client, { a: { c: 3, d: 2 }, b: 1 }, {})).toBe('sorted');
  });

  // unit/server/server.spec.ts: transformToObservable of what is no observable
  it.each([null, false, 0, '', [], { constructor: 'x' }])('%j arrives as it is', async (value) => {
    expect(await ask(client, 'same', { value })).toEqual(value);
  });

  // e2e/sum-rpc.spec.ts: pattern not found; e2e/disconnected-client.spec.ts: 408
  it('a request that nobody answers ends by the time that its caller gives it, and here says why', async () => {
    // Over Redis nobody can know; a cluster knows what its nodes answer.
    const impatient = kind === CONTROL ? client : sides.clientOf({ wait: 50 } as object);
    const asked = impatient.send('nobody', {}).pipe(timeout(kind === CONTROL ? 50 : 20_000));
    const error: unknown = await lastValueFrom(asked).catch((reason: unknown) => reason);
    if (kind === CONTROL) expect(error).toMatchObject({ name: 'TimeoutError' });
    else expect(error).toBeInstanceOf(RequestError);
  });

  it('pipes, interceptors and filters of a handler are applied', async () => {
    expect(await ask(client, 'double', '21')).toBe(42);
    expect(await failure(client, 'double', 'x')).toMatchObject({ status: 'error' });
    expect(await failure(client, 'double', '-1')).toEqual({ status: 'error', message: 'filtered: negative' });
  });

  // e2e/global-config-applied.spec.ts
  it('guards, pipes, interceptors and filters of the whole microservice are applied', async () => {
    const { client: asking } = await open({
      controllers: [Spied],
      prepare: (app) =>
        app
          .useGlobalGuards(new SpyGuard())
          .useGlobalInterceptors(new SpyInterceptor())
          .useGlobalPipes(new SpyPipe())
          .useGlobalFilters(new SpyFilter()),
    });
    expect(await ask(asking, 'spied', {})).toBe('spied');
    expect(passed).toEqual(['guard rpc', 'interceptor', 'pipe']);
    expect(await failure(asking, 'spied', { fail: true })).toMatchObject({ message: 'filtered: as it was asked to' });
    expect(await failure(asking, 'spied', { secret: true })).toMatchObject({ message: 'filtered: Forbidden resource' });
    expect(passed.slice(3)).toEqual(['guard rpc', 'interceptor', 'pipe', 'filter', 'guard rpc', 'filter']);
  });

  // scopes/msvc-request-scope.spec.ts
  it('a handler of request scope is made for each message, with what it needs, and shares what is not', async () => {
    const { client: asking } = await open({
      controllers: [Users],
      imports: () => [{ module: class Services {}, providers: [Scoped, Shared], exports: [Scoped, Shared] }],
    });
    const answers = [await ask(asking, 'who', {}), await ask(asking, 'who', {}), await ask(asking, 'who', {})];
    expect(new Set(answers).size).toBe(3);
    const count = (what: string) => made.filter((each) => each === what).length;
    expect([count('controller'), count('service'), count('shared')]).toEqual([3, 3, 1]);
  });

  // e2e/binary-redis.spec.ts: a deserializer of the client's own; ServerRedis and ClientRedis take both
  it('serializers and deserializers of both sides see every packet', async () => {
    const wires = (side: string) => ({
      serializer: {
        serialize: (packet: Record<string, unknown>) => (passed.push(`${side} writes`), { ...packet, by: side }),
      },
      deserializer: {
        deserialize: (value: unknown) => {
          const { by, ...packet } = value as { by?: string; response?: unknown; pattern?: string };
          passed.push(`${side} reads of ${String(by)}`);
          return packet as never;
        },
      },
    });
    @Controller()
    class Wired {
      @MessagePattern('wired')
      wired(data: unknown): unknown {
        return data;
      }
    }
    const { clientOf } = await open({ controllers: [Wired], wires: wires('server') });
    expect(await ask(clientOf(wires('client')), 'wired', { x: 1 })).toEqual({ x: 1 });
    expect(passed).toEqual(['client writes', 'server reads of client', 'server writes', 'client reads of server']);
  });

  describe('two microservices of one application', () => {
    let twice: Sides;
    let second: INestMicroservice;
    beforeAll(async () => {
      twice = await open({ controllers: [Twice] });
      second = await twice.beside();
    });

    // e2e/broadcast-redis.spec.ts: over Redis both answer. Here one node does, and of its microservices one.
    it(kind === CONTROL ? 'both answer a request that is open' : 'one of them answers a request', async () => {
      const values: number[] = [];
      const asked = twice.client.send<number>({ cmd: 'broadcast' }, {}).subscribe((value) => values.push(value));
      await eventually(() => values.length === (kind === CONTROL ? 2 : 1), { lastSeen: () => values });
      expect(await ask(twice.client, 'once', {})).toBe(1);
      expect(values).toHaveLength(kind === CONTROL ? 2 : 1);
      asked.unsubscribe();
    });

    // e2e/multicast-redis.spec.ts
    it('both hear an event', async () => {
      twice.client.emit('multicast', {});
      await hears('multicast', 'multicast');
    });

    // e2e/tcp-shutdown.spec.ts: handlers are not executed after shutdown
    it('one that is closed hears nothing more, and the other goes on to answer and to hear', async () => {
      await second.getTransportServer().close();
      expect(await ask(twice.client, 'once', {})).toBe(1);
      twice.client.emit('multicast', {});
      await hears('multicast');
    });

    // unit/client/client-redis.spec.ts: close settles what is pending
    it('a client that is closed fails what it waits for', async () => {
      const closing = twice.clientOf();
      const asked = failure(closing, 'never', {});
      await hears('begun');
      await closing.close();
      expect(String(((await asked) as Error).message)).toMatch(/closed/i);
      release();
    });
  });

  // e2e/hybrid-shutdown-hooks.spec.ts
  it('the end of an application takes the signal listeners of its microservices with it', async () => {
    const before = process.listenerCount('SIGUSR2');
    const { app, microservice } = await open({ controllers: [] });
    microservice.enableShutdownHooks(['SIGUSR2']);
    expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
    await app.close();
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });

  // e2e/tcp-shutdown.spec.ts: handlers are not executed after shutdown
  it('a microservice that is closed answers nothing more', async () => {
    @Controller()
    class Ping {
      @MessagePattern('ping')
      ping(): string {
        heard.push('ping');
        return 'pong';
      }
    }
    const { app, clientOf } = await open({ controllers: [Ping] });
    const asking = clientOf({ wait: 50 } as object);
    expect(await ask(asking, 'ping', {})).toBe('pong');
    await app.close();
    const asked = asking.send('ping', {}).pipe(timeout(kind === CONTROL ? 100 : 20_000));
    await expect(lastValueFrom(asked)).rejects.toBeDefined();
    expect(heard).toEqual(['ping']);
  });
});
