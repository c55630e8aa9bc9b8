// What Moleculer holds its broker to, written anew for services and channels. From moleculerjs/moleculer: `transit` is
// test/integration/broker-transit.spec.js, and of the same folder `balancer` event-balancer.spec.js, `registry`
// registry.spec.js, `lifecycle` service.lifecycle.spec.js, `deps` service-deps.spec.js, `retry` retry.spec.js,
// `validator` validator.spec.js; `e2e` is test/e2e/scenarios.
// Not here: streams, caches, fallbacks, circuit breakers, middlewares and versions of a service, which this library has
// not; wildcards in the names of events, which are compared as they are.
import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  Callable,
  CallRefusedError,
  CallTimeoutError,
  Channel,
  Channels,
  Membership,
  RemoteError,
  Service,
  type ServiceInfo,
  ServiceMesh,
  ServiceNotFoundError,
} from 'nestjs-foundation';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type Booted, formed, type Ground, onOwnRedis } from '../fixture.js';
import { channelsOf, cluster, hears, meshOf, node, PATIENT, sees, TRANSPORTS } from './nodes.js';

let ground: Ground;
onOwnRedis((given) => void (ground = given));

@Service({ name: 'greeter' })
class Greeter {
  readonly heard: unknown[] = [];
  @Callable()
  hello({ name }: { name: string }): string {
    return `Hello ${name}`;
  }
  @Channel('events', { type: 'hello.event' })
  hear(message: unknown): void {
    this.heard.push(message);
  }
}

@Service({ name: 'echo' })
class Echo {
  constructor(
    @Inject(ServiceMesh) private readonly mesh: ServiceMesh,
    @Inject(Channels) private readonly channels: Channels,
  ) {}
  @Callable()
  reply(params: unknown): unknown {
    return params;
  }
  @Callable()
  async helloProxy(params: unknown): Promise<string> {
    return `${String(await this.mesh.call('greeter', 'hello', [params]))} (proxied)`;
  }
  @Callable()
  async emitter(params: unknown): Promise<void> {
    await this.channels.broadcast('events', params, { type: 'hello.event' });
  }
  @Callable()
  slow(): Promise<never> {
    return new Promise(() => undefined);
  }
}

/** A service that says which node has done it; registered by hand. */
class Worker {
  readonly got: unknown[] = [];
  calls = 0;
  constructor(private readonly node: string) {}
  @Callable()
  work(params: unknown): string {
    this.got.push(params);
    return this.node;
  }
  @Callable()
  fail(): never {
    this.calls++;
    throw Object.assign(new TypeError('Something happened'), { code: 'E_RETRY', status: 503 });
  }
  hidden(): string {
    return 'hidden';
  }
  @Callable()
  wrapped(): string {
    return this.hidden();
  }
}

const found = (on: Booted, name: string, ...nodes: string[]): Promise<ServiceInfo[]> => {
  let last: ServiceInfo[] = [];
  return eventually(
    async () => {
      last = await meshOf(on).discoverServices({ name });
      const names = last.map(({ node: at }) => at).sort();
      return names.join() === [...nodes].sort().join() ? last : undefined;
    },
    { timeout: PATIENT, what: `"${name}" on ${nodes.join()}, seen from ${on.name}`, lastSeen: () => last },
  );
};
/** A worker on each, known to the first one. */
async function workersOn(nodes: readonly Booted[]): Promise<Map<string, Worker>> {
  const workers = new Map<string, Worker>();
  for (const each of nodes) {
    workers.set(each.name, new Worker(each.name));
    await meshOf(each).registerService('worker', workers.get(each.name)!);
  }
  return workers;
}
const counted = (values: readonly unknown[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const value of [...values].sort()) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
};

describe.each(TRANSPORTS)("Moleculer's broker, over %s:", (_transport, options) => {
  const pair = async (): Promise<[Booted, Booted]> => {
    const [b1, b2] = [await node(ground, [Greeter], options), await node(ground, [Echo], options)];
    await formed(b1, b2);
    await found(b1, 'echo', b2.name);
    await found(b2, 'greeter', b1.name);
    return [b1, b2];
  };

  // transit: should call echo.reply on b2; e2e/basic: call action
  it('a call brings its parameters there and the result back, as they are', async () => {
    const [b1] = await pair();
    const kinds = [{ data: 100 }, { a: [1, { b: null }], c: 'žluťoučký 🐴' }, 'text', 0, false, null, [], { x: '' }];
    for (const params of kinds) expect(await meshOf(b1).call('echo', 'reply', [params])).toEqual(params);
  });

  // transit: should call double RPC (b1 -> b2 -> b1 -> b2 -> b1)
  it('a call within a call comes back all the way', async () => {
    const [b1] = await pair();
    expect(await meshOf(b1).call('echo', 'helloProxy', [{ name: 'Icebob' }])).toBe('Hello Icebob (proxied)');
  });

  // transit: should emit & receive an event via transporter, should not have event listener for other.some.thing
  it('an event of a service is heard by those who listen to its name', async () => {
    const [b1, b2] = await pair();
    await channelsOf(b2).broadcast('events', 'not heard', { type: 'hello.event.other' });
    await meshOf(b1).call('echo', 'emitter', [{ a: 5 }]);
    const { heard } = b1.app.get(Greeter);
    await eventually(() => heard.length > 0, { timeout: PATIENT });
    expect(heard).toEqual([{ a: 5 }]);
  });

  // transit: should return with RequestTimeout
  it('a call that takes too long says which method of which node it was', async () => {
    const [b1, b2] = await pair();
    const error = await meshOf(b1)
      .call('echo', 'slow', [], { timeout: 50 })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CallTimeoutError);
    expect(error).toMatchObject({ subject: { node: b2.name, method: 'slow' }, timeoutMs: 50 });
  });

  // e2e/balancing: balance action calls, direct action calls; balancer: emit with preferLocal
  it('calls go round, or to the node that is asked for, or stay here', async () => {
    const nodes = await cluster(ground, 3, [], options);
    const workers = await workersOn(nodes);
    const [a] = nodes as [Booted];
    await found(a, 'worker', 'a', 'b', 'c');
    const params = { id: 1, name: 'John' };
    const nine = (how: object) =>
      Promise.all(Array.from({ length: 9 }, () => meshOf(a).call('worker', 'work', [params], how)));
    expect(counted(await nine({}))).toEqual({ a: 3, b: 3, c: 3 });
    expect(counted(await nine({ where: { node: 'b' } }))).toEqual({ b: 9 });
    expect(counted(await nine({ strategy: 'local-first' }))).toEqual({ a: 9 });
    for (const { got } of workers.values()) for (const each of got) expect(each).toEqual(params);
  });

  // balancer: send a 'user.created' event with balancing, to one of each group, broadcast to all nodes & services;
  // e2e/balancing: balance emitted events, broadcast events
  it('an event goes to one of each group in turn, and to all who are in none', async () => {
    const nodes = await cluster(ground, 4, [], options);
    const [master, ...others] = nodes as [Booted, ...Booted[]];
    const groups = { mail: others.slice(0, 2), payment: others.slice(1) };
    const heard: Record<string, string[]> = { mail: [], payment: [], users: [] };
    for (const [group, members] of Object.entries(groups)) {
      for (const each of members) {
        await channelsOf(each).subscribe('events', () => void heard[group]!.push(each.name), { group });
      }
    }
    for (const each of nodes) await channelsOf(each).subscribe('events', () => void heard['users']!.push(each.name));
    await eventually(
      () => {
        const members = master.app.get(Membership).members();
        const knows = (group: string) => members.filter(({ listens }) => listens['events']?.includes(group)).length;
        return knows('mail') === 2 && knows('payment') === 2;
      },
      { timeout: PATIENT, lastSeen: () => master.app.get(Membership).members() },
    );
    for (let event = 0; event < 4; event++) await channelsOf(master).broadcast('events', event);
    await eventually(() => Object.values(heard).flat().length === 4 + 4 + 16, {
      timeout: PATIENT,
      lastSeen: () => heard,
    });
    expect(counted(heard['mail']!)).toEqual({ b: 2, c: 2 });
    expect(counted(heard['payment']!)).toEqual({ c: 2, d: 2 });
    expect(counted(heard['users']!)).toEqual({ a: 4, b: 4, c: 4, d: 4 });
  });

  // e2e/compression
  it('what is compressed on its way arrives as it was', async () => {
    const [a, b] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const { messages } = await hears(b);
    const large = { text: 'lorem ipsum '.repeat(5000) };
    await channelsOf(a).broadcast('events', large, { compression: true });
    await eventually(() => messages.length === 1, { timeout: PATIENT });
    expect(messages).toEqual([large]);
  });
});

describe("Moleculer's registry", () => {
  // registry: start node1 with userService, start node2, stop node2, node2 recreate with posts, load and destroy mail
  // on-the-fly
  it('knows of each node what it has now: started, stopped, started with something else, added and removed', async () => {
    const master = await node(ground, [], { nodeName: 'master' });
    const add = (on: Booted, ...names: string[]) =>
      Promise.all(names.map((name) => meshOf(on).registerService(name, new Worker(on.name))));
    const node1 = await node(ground, [], { nodeName: 'node-1' });
    await add(node1, 'users');
    await found(master, 'users', 'node-1');
    const node2 = await node(ground, [], { nodeName: 'node-2' });
    await add(node2, 'users', 'payments');
    await found(master, 'users', 'node-1', 'node-2');
    await found(node1, 'payments', 'node-2');
    await node2.app.close();
    await found(master, 'users', 'node-1');
    await found(node1, 'payments');
    const again = await node(ground, [], { nodeName: 'node-2' });
    await add(again, 'posts', 'payments');
    await found(master, 'payments', 'node-2');
    await found(master, 'posts', 'node-2');
    await found(master, 'users', 'node-1');
    const [mail] = await add(node1, 'mail');
    await found(master, 'mail', 'node-1');
    await mail!.deregister();
    await found(master, 'mail');
    await found(master, 'users', 'node-1');
  });

  // registry: should call remotely, should call locally, should call directly inside action
  it('what is not marked can be called by nobody, on its own node neither, and by its own class', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    await workersOn([b]);
    await found(a, 'worker', 'b');
    for (const caller of [a, b]) {
      expect(await meshOf(caller).call('worker', 'wrapped')).toBe('hidden');
      await expect(meshOf(caller).call('worker', 'hidden')).rejects.toBeInstanceOf(CallRefusedError);
    }
  });

  // retry: should retry local calls 3 times, which is an option there. An error of the method is an answer here.
  it('an error of a method comes with its name, message and code, and is not tried again', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const worker = (await workersOn([b])).get('b')!;
    await found(a, 'worker', 'b');
    for (const caller of [a, b]) {
      const failing = meshOf(caller).call('worker', 'fail');
      await expect(failing).rejects.toBeInstanceOf(RemoteError);
      await expect(failing).rejects.toMatchObject({
        name: 'TypeError',
        message: 'Something happened',
        code: 'E_RETRY',
      });
    }
    expect(worker.calls).toBe(2);
  });

  // lifecycle: should call created, started and stop handlers, should call event handler
  it('a service hears events from its start to its end, and each hook is called once', async () => {
    const steps: string[] = [];
    @Injectable()
    @Service({ name: 'hooked' })
    class Hooked {
      constructor() {
        steps.push('created');
      }
      onModuleInit(): void {
        steps.push('init');
      }
      onModuleDestroy(): void {
        steps.push('destroy');
      }
      @Channel('events')
      hear(message: unknown): void {
        steps.push(String(message));
      }
    }
    const a = await node(ground, [], { nodeName: 'a' });
    const b = await node(ground, [Hooked], { nodeName: 'b' });
    await formed(a, b);
    await found(a, 'hooked', 'b');
    await channelsOf(a).broadcast('events', 'john');
    await eventually(() => steps.includes('john'), { timeout: PATIENT, lastSeen: () => steps });
    await b.app.close();
    await channelsOf(a).broadcast('events', 'late');
    await found(a, 'hooked');
    expect(steps).toEqual(['created', 'init', 'john', 'destroy']);
  });

  // lifecycle: should not call action after stopping
  it('a node that is stopping is called no more, and what it began it ends', async () => {
    let release!: () => void;
    const gate = new Promise<string>((resolve) => (release = () => resolve('done')));
    let begun = 0;
    class Slow {
      @Callable()
      find(): Promise<string> {
        begun++;
        return gate;
      }
    }
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    await meshOf(b).registerService('posts', new Slow());
    await found(a, 'posts', 'b');
    const call = meshOf(a).call('posts', 'find');
    await eventually(() => begun === 1, { timeout: PATIENT });
    const closing = b.app.close();
    await found(a, 'posts');
    await expect(meshOf(a).call('posts', 'find')).rejects.toBeInstanceOf(ServiceNotFoundError);
    release();
    expect(await call).toBe('done');
    await closing;
    expect(begun).toBe(1);
    await sees(a, 'a');
  });

  // deps: should call main started if broker2.starts. There is no list of dependencies; a watch is how to wait for one.
  it('a watch is how to wait for a service of another node that is still to start', async () => {
    const [a] = (await cluster(ground, 1)) as [Booted];
    let started = false;
    const waiting = (async () => {
      for await (const { type, service } of meshOf(a).watch({ name: 'math' })) {
        if (type !== 'added') continue;
        started = true;
        return service.node;
      }
      return undefined;
    })();
    await meshOf(a).registerService('other', {});
    await found(a, 'other', 'a');
    expect(started).toBe(false);
    const b = await node(ground, [], { nodeName: 'b' });
    await meshOf(b).registerService('math', {});
    expect(await waiting).toBe('b');
  });

  // validator: should call handler if params are correct, should throw ValidationError. Here it is for channels.
  it('a payload that breaks the rules of its class does not reach the handler', async () => {
    class Order {
      @IsInt()
      id!: number;
    }
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const { messages } = await hears(b, 'events', { payload: Order });
    await channelsOf(a).broadcast('events', { id: 'five' });
    await channelsOf(a).broadcast('events', { id: 5 });
    await eventually(() => messages.length === 1, { timeout: PATIENT, lastSeen: () => messages });
    expect(messages).toEqual([{ id: 5 }]);
    expect(b.of('message.invalid')).toHaveLength(1);
  });
});
