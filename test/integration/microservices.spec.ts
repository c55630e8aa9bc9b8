// A small Nest microservice under Transport.REDIS and under Foundation: the same controllers, the same assertions.
import 'reflect-metadata';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  type INestMicroservice,
  Injectable,
  Module,
  type NestInterceptor,
  ParseIntPipe,
  type Type,
  UseFilters,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type AsyncMicroserviceOptions,
  type ClientProxy,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import {
  Channel,
  Channels,
  FoundationModule,
  type FoundationOptions,
  Membership,
  RequestError,
  Telemetry,
} from 'nestjs-foundation';
import { FoundationClient, FoundationContext, FoundationStrategy } from 'nestjs-foundation/microservices';
import {
  concat,
  delay,
  EMPTY,
  from,
  lastValueFrom,
  map,
  type Observable,
  of,
  throwError,
  timeout,
  toArray,
} from 'rxjs';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { REDIS_PASSWORD } from '../support/secrets.js';
import { boot, CapturedLog, closeLater, freshName, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

const heard: string[] = [];

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

@Controller()
class MathController {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
  }

  @MessagePattern({ cmd: 'later', version: 1 })
  async later(@Payload() text: string): Promise<string> {
    await Promise.resolve();
    return `${text} later`;
  }

  @MessagePattern('count')
  count(@Payload() to: number): Observable<number> {
    return from(Array.from({ length: to }, (_, index) => index + 1));
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

  @MessagePattern('refuse')
  refuse(@Payload() how: string): void {
    if (how === 'rpc') throw new RpcException({ code: 'NO', message: 'refused' });
    throw new Error('a secret of this server');
  }

  @UseFilters(new TypeErrors())
  @MessagePattern('filtered')
  filtered(): void {
    throw new TypeError('x');
  }

  @UsePipes(ParseIntPipe)
  @UseInterceptors(Doubler)
  @MessagePattern('double')
  double(@Payload() number: number): number {
    return number;
  }

  @MessagePattern('slow')
  slow(): Observable<string> {
    return of('at last').pipe(delay(500));
  }

  @EventPattern('happened')
  happened(@Payload() what: { id: number }): void {
    heard.push(`happened ${what.id}`);
  }

  @EventPattern({ event: 'object' })
  object(@Payload() what: string): void {
    heard.push(`object ${what}`);
  }
}

let server: RedisServer;
let appName: string;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, log } = ground));
beforeEach(() => {
  heard.length = 0;
});

@Module({ controllers: [MathController] })
class MathModule {}

async function start(microservice: INestMicroservice): Promise<INestMicroservice> {
  closeLater(() => microservice.close());
  await microservice.listen();
  return microservice;
}

async function underRedis(): Promise<ClientProxy> {
  const options = { host: '127.0.0.1', port: server.port, password: REDIS_PASSWORD };
  await start(
    await NestFactory.createMicroservice<MicroserviceOptions>(MathModule, {
      transport: Transport.REDIS,
      options,
      logger: log,
    }),
  );
  const client = ClientProxyFactory.create({ transport: Transport.REDIS, options });
  closeLater(async () => void (await client.close()));
  await client.connect();
  return client;
}

const foundation = (options: FoundationOptions = {}) =>
  FoundationModule.forRoot({
    ...{
      cluster: true,
      redis: server.url,
      appName,
      lease: LEASE,
      membership: MEMBERSHIP,
      nodeName: freshName('server'),
    },
    ...options,
  });

async function serve(
  controllers: Type[] = [MathController],
  options: ConstructorParameters<typeof FoundationStrategy>[1] = {},
  configuration: FoundationOptions = {},
): Promise<INestMicroservice> {
  @Module({ imports: [foundation(configuration)], controllers })
  class Root {}
  return start(
    await NestFactory.createMicroservice<AsyncMicroserviceOptions>(Root, {
      inject: [Channels],
      useFactory: (channels: Channels) => ({ strategy: new FoundationStrategy(channels, options) }),
      logger: log,
    }),
  );
}

async function clientNode(options: Omit<ConstructorParameters<typeof FoundationClient>[0], 'channels'> = {}) {
  const node = await boot(server.url, appName, []);
  const client = new FoundationClient({ channels: node.app.get(Channels), ...options });
  closeLater(async () => client.close());
  return { node, client };
}

async function underFoundation(): Promise<ClientProxy> {
  await serve();
  return (await clientNode()).client;
}

const ask = (client: ClientProxy, pattern: unknown, data: unknown) => lastValueFrom(client.send(pattern, data));
const errorOf = (asked: Promise<unknown>) =>
  asked.then(
    (value) => {
      throw new Error(`It has answered ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );

describe.each([
  ['Transport.REDIS', underRedis],
  ['Foundation', underFoundation],
])('A microservice under %s', (_name, connect) => {
  it('answers requests, by text and by object', async () => {
    const client = await connect();
    expect(await ask(client, 'sum', [1, 2, 3])).toBe(6);
    expect(await ask(client, { version: 1, cmd: 'later' }, 'sooner or')).toBe('sooner or later');
    expect(await Promise.all(Array.from({ length: 50 }, (_, index) => ask(client, 'sum', [index, 1])))).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
  });

  it('answers with several values, or with none', async () => {
    const client = await connect();
    expect(await lastValueFrom(client.send('count', 5).pipe(toArray()))).toEqual([1, 2, 3, 4, 5]);
    expect(await lastValueFrom(client.send('nothing', 1).pipe(toArray()))).toEqual([]);
  });

  it('answers with errors, and no secret of the server', async () => {
    const client = await connect();
    expect(await errorOf(ask(client, 'refuse', 'rpc'))).toEqual({ code: 'NO', message: 'refused' });
    expect(await errorOf(ask(client, 'refuse', 'other'))).toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    const values: unknown[] = [];
    const brokeOff = lastValueFrom(client.send('breaks off', 1).pipe(map((value) => values.push(value))));
    expect(await errorOf(brokeOff)).toEqual({ status: 'error', message: 'broke off' });
    expect(values).toEqual([1]);
  });

  it('takes pipes, interceptors and filters', async () => {
    const client = await connect();
    expect(await ask(client, 'double', '21')).toBe(42);
    expect(await errorOf(ask(client, 'double', 'x'))).toMatchObject({ status: 'error' });
    expect(await errorOf(ask(client, 'filtered', 1))).toEqual({ status: 'error', message: 'filtered: x' });
  });

  it('lets the caller decide how long it waits', async () => {
    const client = await connect();
    const impatient = lastValueFrom(client.send('slow', 1).pipe(timeout(50)));
    expect(await errorOf(impatient)).toMatchObject({ name: 'TimeoutError' });
    expect(await ask(client, 'slow', 1)).toBe('at last');
  });

  it('hears events, by text and by object', async () => {
    const client = await connect();
    await lastValueFrom(client.emit('happened', { id: 7 }), { defaultValue: undefined });
    client.emit({ event: 'object' }, 'x');
    client.emit('nobody listens', 1);
    await eventually(() => heard.length === 2);
    expect(heard.sort()).toEqual(['happened 7', 'object x']);
  });
});

describe('Under Foundation only', () => {
  const members = (node: Awaited<ReturnType<typeof clientNode>>['node'], count: number) =>
    eventually(() => node.app.get(Membership).members().length === count);

  it('one node answers each request, in turn, and every node hears each event, or one of a group', async () => {
    const asked: string[] = [];
    class Base {
      constructor(readonly name: string) {}
    }
    const controller = (name: string): Type => {
      @Controller()
      class Named extends Base {
        constructor() {
          super(name);
        }
        @MessagePattern('who')
        who(): string {
          return this.name;
        }
        @EventPattern('all')
        all(@Payload() _data: unknown, @Ctx() given: unknown): void {
          const context = given as FoundationContext;
          asked.push(`${this.name} from ${context.getSource().from} ${context.getPattern()}`);
        }
      }
      return Named;
    };
    const { node, client } = await clientNode();
    for (const name of ['a', 'b']) await serve([controller(name)]);
    for (const name of ['c', 'd']) await serve([controller(name)], { group: 'workers' });
    await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(client, 'who', 1)));
      expect([...answers].sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd']);
      return true;
    });
    client.emit('all', 1);
    client.emit('all', 2);
    await eventually(() => asked.length === 6);
    expect([...asked].sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'd'].map((name) => `${name} from ${node.name} all`));
  });

  it('a request that nobody answers fails, and one that comes too early waits', async () => {
    const { client } = await clientNode({ wait: 200 });
    const error = await errorOf(ask(client, 'sum', [1]));
    expect(error).toBeInstanceOf(RequestError);
    expect(error).toMatchObject({ pattern: 'sum', mayBeDone: false });
    const patient = new FoundationClient({ channels: client.unwrap<Channels>(), wait: 20_000 });
    const early = ask(patient, 'sum', [1, 2]);
    await serve();
    expect(await early).toBe(3);
  });

  it('a request fails when its node leaves', async () => {
    const { node, client } = await clientNode();
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    @Controller()
    class Stuck {
      @MessagePattern('stuck')
      stuck(): Promise<never> {
        begin();
        return new Promise(() => undefined);
      }
    }
    const microservice = await serve([Stuck], {}, { processes: { stopTimeout: 200 } });
    await members(node, 2);
    const asked = errorOf(ask(client, 'stuck', 1));
    await begun;
    await microservice.close();
    expect(await asked).toMatchObject({ name: 'RequestError', mayBeDone: true });
  });

  it('an event on a durable channel comes again when its handler fails', async () => {
    let attempts = 0;
    @Controller()
    class Flaky {
      @EventPattern('order.placed')
      async placed(@Payload() order: { id: number }): Promise<void> {
        attempts += 1;
        if (attempts < 3) throw new Error('not yet');
        heard.push(`order ${order.id}`);
      }
    }
    const channels = { names: { orders: { durable: { retryAfter: 100 } } } };
    await serve([Flaky], { channel: 'orders', group: 'billing' }, { channels });
    const node = await boot(server.url, appName, [], { channels });
    const client = new FoundationClient({ channels: node.app.get(Channels), channel: 'orders' });
    await lastValueFrom(client.emit('order.placed', { id: 7 }), { defaultValue: undefined });
    await eventually(() => heard.length === 1);
    expect([attempts, heard]).toEqual([3, ['order 7']]);
  });

  it('a bad subscription fails the start of the microservice', async () => {
    await expect(serve([MathController], { channel: 'evnets' })).rejects.toThrow(/"evnets" is not declared/);
  });

  it('a node that leaves ends what it answers and hears, and sends the answer', async () => {
    const steps: string[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const work = async (what: string): Promise<string> => {
      steps.push(`${what} begins`);
      await gate;
      steps.push(`${what} ends`);
      return what;
    };
    @Controller()
    class Slow {
      @MessagePattern('ask')
      ask(): Observable<string> {
        return from(work('request'));
      }
      @EventPattern('tell')
      async tell(@Payload() _what: unknown): Promise<void> {
        await work('event');
      }
      @Channel('events', { type: 'tell' })
      async hear(_message: unknown): Promise<void> {
        await work('message');
      }
    }
    const { node, client } = await clientNode();
    const microservice = await serve([Slow]);
    const telemetry = microservice.get(Telemetry);
    const dropped: unknown[] = [];
    telemetry.attach('message.dropped', (_event, drop) => dropped.push(drop));
    let received = 0;
    telemetry.attach('message.received', () => void (received += 1));
    await members(node, 2);
    const asked = ask(client, 'ask', 1);
    client.emit('tell', 1);
    await eventually(() => steps.length === 3);
    client.emit('tell', 2);
    await eventually(() => received === 2);
    let closed = false;
    const closing = microservice.close().then(() => void (closed = true));
    await eventually(() => microservice.get(Membership).state === 'draining');
    expect(closed).toBe(false);
    expect(steps).toHaveLength(3);
    end();
    expect(await asked).toBe('request');
    await closing;
    expect(steps.slice(3).sort()).toEqual(['event ends', 'message ends', 'request ends']);
    const drop = { channel: 'events', reason: 'unsubscribed', count: 1 };
    expect(dropped).toEqual([drop, drop]);
  });

  it('a client that is closed settles what it asked for', async () => {
    let begun = false;
    @Controller()
    class Never {
      @MessagePattern('never')
      never(): Promise<never> {
        begun = true;
        return new Promise(() => undefined);
      }
    }
    const { node, client } = await clientNode();
    await serve([Never], {}, { shutdownTimeout: 500 });
    await members(node, 2);
    const asked = [ask(client, 'never', 1), ask(client, 'nobody answers this', 1)];
    const told = Promise.all(asked.map((each) => expect(each).rejects.toThrow(/its client was closed/)));
    await eventually(() => begun, { what: 'A request under way', lastSeen: () => begun });
    client.close();
    await told;
  });

  it('a filter that throws costs the answer, not the process', async () => {
    @Catch()
    class Rethrowing implements ExceptionFilter {
      catch(error: unknown): never {
        throw error;
      }
    }
    @Controller()
    @UseFilters(new Rethrowing())
    class Failing {
      @MessagePattern('rejects')
      rejects(): Promise<never> {
        return Promise.reject(new Error('a secret of this server'));
      }
      @MessagePattern('works')
      works(): string {
        return 'still here';
      }
    }
    const rejections: unknown[] = [];
    const keep = (error: unknown): void => void rejections.push(error);
    process.on('unhandledRejection', keep);
    closeLater(() => Promise.resolve(process.off('unhandledRejection', keep)));
    await serve([Failing]);
    const { client } = await clientNode();
    expect(await errorOf(ask(client, 'rejects', 1))).toBe('Internal server error');
    expect(await ask(client, 'works', 1)).toBe('still here');
    expect(rejections).toEqual([]);
  });

  it('an answer that is too large or cannot be written is an error', async () => {
    @Controller()
    class Large {
      @MessagePattern('large')
      large(@Payload() size: number): string {
        return 'x'.repeat(size);
      }
      @MessagePattern('bigint')
      bigint(): Observable<unknown> {
        return of(1, 5n, 3);
      }
    }
    await serve([Large]);
    const { client } = await clientNode();
    expect(await ask(client, 'large', 1000)).toHaveLength(1000);
    expect(await errorOf(ask(client, 'large', 2_000_000))).toMatchObject({
      status: 'error',
      message: expect.stringMatching(/maxMessageBytes/),
    });
    const values: unknown[] = [];
    const broken = lastValueFrom(client.send('bigint', 1).pipe(map((value) => values.push(value))));
    expect(await errorOf(broken)).toMatchObject({ status: 'error', message: expect.stringMatching(/JSON/) });
    expect(values).toEqual([1]);
  });

  it('what is too large or cannot be written fails', async () => {
    await serve();
    const { client } = await clientNode();
    expect(await errorOf(ask(client, 'sum', 'x'.repeat(2_000_000)))).toMatchObject({ name: 'MessageError' });
    expect(await errorOf(ask(client, 'sum', 5n))).toMatchObject({ name: 'MessageError' });
  });
});
