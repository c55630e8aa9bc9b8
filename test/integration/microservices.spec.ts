// Nest microservices under Foundation: what Nest's own transports do not do. What all do is in peers/.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  type ExceptionFilter,
  type INestMicroservice,
  Module,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type AsyncMicroserviceOptions,
  type ClientProxy,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import {
  Channel,
  Channels,
  type ContextOptions,
  FoundationModule,
  type FoundationOptions,
  Membership,
  RequestError,
  Telemetry,
} from 'nestjs-foundation';
import { FoundationClient, FoundationContext, FoundationStrategy } from 'nestjs-foundation/microservices';
import { from, lastValueFrom, map, type Observable, of } from 'rxjs';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, CapturedLog, closeLater, freshName, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

const heard: string[] = [];

@Controller()
class MathController {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
  }
  @EventPattern('happened')
  happened(@Payload() what: { id: number }): void {
    heard.push(`happened ${what.id}`);
  }
}

let server: RedisServer;
let appName: string;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, log } = ground));
beforeEach(() => {
  heard.length = 0;
});

async function start(microservice: INestMicroservice): Promise<INestMicroservice> {
  closeLater(() => microservice.close());
  await microservice.listen();
  return microservice;
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

const ask = (client: ClientProxy, pattern: unknown, data: unknown) => lastValueFrom(client.send(pattern, data));
const errorOf = (asked: Promise<unknown>) =>
  asked.then(
    (value) => {
      throw new Error(`It has answered ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );

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

  it.each<[string, ConstructorParameters<typeof FoundationStrategy>[1], begun: number]>([
    ['at a time, as by the transports of Nest: none waits for another', {}, 20],
    ['at a time, as many as there may be', { concurrency: 3 }, 3],
    ['one after the other on a durable channel', { channel: 'orders', group: 'billing' }, 1],
  ])('events of a pattern are handled %s', async (_how, options, begun) => {
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    @Controller()
    class Slow {
      @EventPattern('tell')
      async tell(@Payload() index: number): Promise<void> {
        heard.push(`${index} begins`);
        await gate;
        heard.push(`${index} ends`);
      }
    }
    const channels = { names: { orders: { durable: true }, events: {} } };
    await serve([Slow], options, { channels });
    const node = await boot(server.url, appName, [], { channels });
    await members(node, 2);
    const client = new FoundationClient({ channels: node.app.get(Channels), channel: options?.channel ?? 'events' });
    for (let index = 0; index < 20; index++) await lastValueFrom(client.emit('tell', index), { defaultValue: 0 });
    await eventually(() => heard.length >= begun, { lastSeen: () => heard });
    expect(heard).toEqual(Array.from({ length: begun }, (_, index) => `${index} begins`));
    end();
    await eventually(() => heard.length === 40, { lastSeen: () => heard });
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
    const microservice = await serve([Slow], { concurrency: 1 });
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

  it('values of the context travel with requests and events, and a hook that throws costs the answer', async () => {
    const store = new AsyncLocalStorage<string | undefined>();
    const context: ContextOptions = {
      capture: () => ({ tenant: store.getStore() }),
      run: ({ tenant }, handler) => {
        if (tenant === 'nobody') throw new Error('no such tenant');
        return store.run(tenant, handler);
      },
    };
    @Controller()
    class Tenants {
      @MessagePattern('tenant')
      tenant(): string {
        return store.getStore() ?? 'none';
      }
      @EventPattern('happened')
      happened(@Payload() _data: unknown): void {
        heard.push(this.tenant());
      }
    }
    await serve([Tenants], {}, { context });
    const node = await boot(server.url, appName, [], { context });
    const client = new FoundationClient({ channels: node.app.get(Channels) });
    closeLater(async () => client.close());
    expect(await store.run('acme', () => ask(client, 'tenant', 1))).toBe('acme');
    expect(await ask(client, 'tenant', 1)).toBe('none');
    store.run('acme', () => client.emit('happened', 1));
    await eventually(() => heard.length === 1);
    expect(heard).toEqual(['acme']);
    expect(await errorOf(store.run('nobody', () => ask(client, 'tenant', 1)))).toBe('Internal server error');
    const refused = await errorOf(store.run('x'.repeat(5000), () => ask(client, 'tenant', 1)));
    expect(String(refused)).toMatch(/context\.capture/);
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
    // Nobody subscribes to this one, so nobody would hear of it.
    client.emit('happened', 'x'.repeat(2_000_000));
    const told = /warn An event was not sent \(pattern: happened, channel: events\): A message .* was refused/;
    await eventually(() => log.lines.some((line) => told.test(line)), { lastSeen: () => log.lines });
  });
});
