// @redis any-topology
// The service mesh over several applications in this process, on real Redis.
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  Callable,
  CallRefusedError,
  ProcessManager,
  RemoteError,
  Service,
  type ServiceChange,
  type ServiceCriteria,
  type ServiceHandle,
  type ServiceInfo,
  ServiceMesh,
  ServiceNotFoundError,
  Singleton,
} from 'nestjs-foundation';
import { NODE, type NodeParts } from '../../libs/foundation/src/node.parts.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis, type Provider } from './fixture.js';

class Till {
  constructor(readonly node = '?') {}
  @Callable()
  charge(amount: number): string {
    return `${this.node} charged ${amount}`;
  }
  @Callable()
  fail(): never {
    throw Object.assign(new Error('no funds'), { code: 'FUNDS' });
  }
  secret(): string {
    return 'secret';
  }
}

@Service({ name: 'declared', capabilities: ['print'], metadata: { dpi: 300 } })
class Printer {
  @Callable()
  print(text: string): string {
    return `printed ${text}`;
  }
}

@Service({ name: 'clerk', capabilities: ['write'] })
@Singleton({ name: 'clerk-process' })
class Clerk {
  @Callable()
  write(): string {
    return 'written';
  }
}

let server: RedisServer;
let appName: string;

onOwnRedis((ground) => ({ server, appName } = ground));

async function cluster(count: number, providers: Provider[] = []): Promise<Booted[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => boot(server.url, appName, providers)));
  await formed(...nodes);
  return nodes;
}
const meshOf = (node: Booted): ServiceMesh => node.app.get(ServiceMesh);
const found = (node: Booted, criteria: ServiceCriteria, count: number) =>
  eventually(
    async () => {
      const services = await meshOf(node).discoverServices(criteria);
      return services.length === count ? services : undefined;
    },
    {
      what: `${count} services ${JSON.stringify(criteria)} on ${node.name}`,
      lastSeen: () => meshOf(node).discoverServices(),
    },
  );

describe('what @Callable() says of a method of a service', () => {
  let begun: string[] = [];
  let release: (() => void)[] = [];
  class Press {
    constructor(readonly node: string) {}
    @Callable({ idempotent: true })
    async print(): Promise<string> {
      begun.push(this.node);
      if (begun.length === 1) await new Promise<void>((resolve) => release.push(resolve));
      return this.node;
    }
    @Callable({ timeout: 150 })
    async slow(): Promise<void> {
      await new Promise<void>((resolve) => release.push(resolve));
    }
  }
  afterEach(() => {
    for (const each of release) each();
    begun = [];
    release = [];
  });

  const offered = async (...nodes: Booted[]): Promise<void> => {
    for (const node of nodes) await meshOf(node).registerService('press', new Press(node.name));
  };

  it('counts for whoever calls: another instance answers when the first one is cut off, once', async () => {
    const options = { shutdownTimeout: 500 };
    const nodes = await Promise.all([1, 2, 3].map(() => boot(server.url, appName, [], options)));
    await formed(...nodes);
    const caller = nodes[2]!;
    await offered(...nodes.slice(0, 2));
    await found(caller, { name: 'press' }, 2);
    const call = meshOf(caller).call('press', 'print');
    await eventually(() => begun.length === 1, { what: 'The call to arrive' });
    const first = nodes.find(({ name }) => name === begun[0])!;
    const [answer] = await Promise.all([call, first.app.close()]);
    expect(answer).not.toBe(first.name);
    expect(begun).toHaveLength(2);
  });

  it('is interrupted where no other instance is left', async () => {
    const nodes = await Promise.all([1, 2].map(() => boot(server.url, appName, [], { shutdownTimeout: 500 })));
    await formed(...nodes);
    await offered(nodes[0]!);
    await found(nodes[1]!, { name: 'press' }, 1);
    const call = meshOf(nodes[1]!).call('press', 'print');
    const outcome = call.catch((error: unknown) => error);
    await eventually(() => begun.length === 1, { what: 'The call to arrive' });
    await nodes[0]!.app.close();
    const error = await outcome;
    expect(error).toMatchObject({ code: 'FOUNDATION_CALL_INTERRUPTED' });
    expect(String(error)).not.toContain('@Callable');
  });

  it('has the time of the method, unless the call says otherwise', async () => {
    const [a, b] = (await cluster(2)) as [Booted, Booted];
    await offered(a);
    await found(b, { name: 'press' }, 1);
    await expect(meshOf(b).call('press', 'slow')).rejects.toMatchObject({ timeoutMs: 150 });
    await expect(meshOf(b).call('press', 'slow', [], { timeout: 60 })).rejects.toMatchObject({ timeoutMs: 60 });
  });
});

describe('calls under way', () => {
  class Slow {
    begun = 0;
    #go: (() => void)[] = [];
    @Callable()
    async print(text: string): Promise<string> {
      this.begun++;
      await new Promise<void>((resolve) => this.#go.push(resolve));
      return `printed ${text}`;
    }
    release(): void {
      for (const go of this.#go.splice(0)) go();
    }
  }
  async function calling(): Promise<{ slow: Slow; nodes: Booted[]; calls: Promise<unknown[]>; handle: ServiceHandle }> {
    const nodes = await cluster(2);
    const slow = new Slow();
    const handle = await meshOf(nodes[1]!).registerService('slow', slow);
    await found(nodes[0]!, { name: 'slow' }, 1);
    const calls = Promise.all([1, 2, 3].map((at) => meshOf(nodes[0]!).call('slow', 'print', [at])));
    await eventually(() => slow.begun === 3, { what: 'Three calls', lastSeen: () => slow.begun });
    return { slow, nodes, calls, handle };
  }
  const ALL = ['printed 1', 'printed 2', 'printed 3'];

  it('are answered when their service is withdrawn meanwhile', async () => {
    const { slow, nodes, calls, handle } = await calling();
    await handle.deregister();
    await found(nodes[0]!, { name: 'slow' }, 0);
    slow.release();
    expect(await calls).toEqual(ALL);
  });

  it('are waited for when their node ends', async () => {
    const { slow, nodes, calls } = await calling();
    const closing = nodes[1]!.app.close();
    await found(nodes[0]!, { name: 'slow' }, 0);
    slow.release();
    expect(await calls).toEqual(ALL);
    await closing;
  });
});

describe('a node that drains', () => {
  it('says at once that it takes nothing new', async () => {
    const [node] = await cluster(1);
    const { app } = node!;
    await app.get(ProcessManager).drain();
    for (const work of [
      meshOf(node!).registerService('late', new Till()),
      app.get(ProcessManager).startSingleton(Till, [], { name: 'late' }),
    ]) {
      await expect(work).rejects.toThrow(/takes no work \(state "draining"\)/);
    }
  });
});

describe('words that are names of properties', () => {
  it('arrive as they were sent, in arguments, results and metadata', async () => {
    class Echo {
      @Callable()
      echo(value: unknown): unknown {
        return value;
      }
    }
    const words = { constructor: 'Ferrari', prototype: 'P1', team: 1 };
    const [a, b] = await cluster(2);
    await meshOf(b!).registerService('echo', new Echo(), [], words);
    const [service] = await found(a!, { name: 'echo' }, 1);
    expect(service!.metadata).toEqual(words);
    expect(await meshOf(a!).call('echo', 'echo', [words])).toEqual(words);
  });
});

describe('discovery', () => {
  it('finds on every node what was registered on one, with two, three and four arguments', async () => {
    const [a, b] = await cluster(2);
    await meshOf(a!).registerService('plain', new Till());
    await meshOf(a!).registerService('payments', new Till(), ['charge', 'refund']);
    await meshOf(b!).registerService('payments', new Till(), ['charge'], { securityLevel: 'high', audit: true });
    for (const node of [a!, b!]) {
      await found(node, {}, 3);
      expect(await meshOf(node).discoverServices({ name: 'payments' })).toHaveLength(2);
      expect(await meshOf(node).discoverServices({ capabilities: ['charge', 'refund'] })).toHaveLength(1);
      expect(await meshOf(node).discoverServices({ node: b!.name })).toHaveLength(1);
      const [secure, ...others] = await meshOf(node).discoverServices({
        capabilities: 'charge',
        securityLevel: 'high',
      });
      expect(others).toEqual([]);
      expect(secure).toMatchObject({ name: 'payments', node: b!.name, status: 'healthy', metadata: { audit: true } });
      expect(await meshOf(node).discoverServices({ securityLevel: 'low' })).toEqual([]);
      expect(await meshOf(node).discoverServices({ name: 'nobody' })).toEqual([]);
    }
    expect(b!.of('service.registered').map(({ name }) => name).sort()).toEqual(['payments', 'payments', 'plain']); // prettier-ignore
  });

  it('asks the predicate of each, and one that fails or hangs is a no', async () => {
    const [a] = await cluster(1);
    for (const size of [1, 2, 3]) await meshOf(a!).registerService('printer', new Till(), [], { size });
    const sizes = async (healthCheck: NonNullable<ServiceCriteria['healthCheck']>) =>
      (await meshOf(a!).discoverServices({ name: 'printer', healthCheck })).map(({ metadata }) => metadata['size']);
    expect(await sizes(({ metadata }) => metadata['size'] === 2)).toEqual([2]);
    const odd = ({ metadata }: { metadata: Readonly<Record<string, unknown>> }) => {
      if (metadata['size'] === 1) throw new Error('no');
      return metadata['size'] === 2 ? Promise.reject(new Error('no')) : Promise.resolve(true);
    };
    expect(await sizes(odd)).toEqual([3]);
    expect(await sizes(() => new Promise<boolean>(() => undefined))).toEqual([]);
  });

  it('refuses what cannot be meant', async () => {
    const [a] = await cluster(1);
    const mesh = meshOf(a!);
    await expect(mesh.discoverServices({ capabilites: ['charge'] })).rejects.toBeInstanceOf(ArgumentError);
    await expect(mesh.discoverServices({ securityLevel: undefined })).rejects.toBeInstanceOf(ArgumentError);
    for (const [name, target, capabilities, metadata] of [
      ['', {}, [], {}],
      ['x', 'text', [], {}],
      ['x', {}, 'charge', {}],
      ['x', {}, [7], {}],
      ['x', {}, [], []],
      ['x', {}, [], { self: 1n }],
      ['x', {}, [], { text: 'x'.repeat(70_000) }],
    ] as never[][]) {
      await expect(mesh.registerService(name!, target!, capabilities, metadata)).rejects.toBeInstanceOf(ArgumentError);
    }
    expect(await mesh.discoverServices()).toEqual([]);
  });

  it('forgets what was taken back, and everything of a node that left', async () => {
    const [a, b, c] = await cluster(3);
    const handle = await meshOf(a!).registerService('one', new Till());
    await meshOf(a!).registerService('many', new Till());
    await meshOf(a!).registerService('many', new Till());
    await meshOf(b!).registerService('many', new Till());
    await found(c!, {}, 4);
    await handle.deregister();
    await found(c!, { name: 'one' }, 0);
    await handle.deregister();
    await meshOf(a!).deregisterService('many');
    await found(c!, { name: 'many' }, 1);
    await meshOf(c!).deregisterService('many'); // another node's is not ours to take back
    await found(a!, { name: 'many' }, 1);
    await b!.app.close();
    await found(c!, {}, 0);
    expect(await server.cli('HLEN', keysOf(appName).services)).toBe('0');
  });

  it('is complete again after Redis lost its data', async () => {
    const [a, b] = await cluster(2);
    await meshOf(a!).registerService('kept', new Till());
    const gone = await meshOf(b!).registerService('gone', new Till());
    await found(b!, {}, 2);
    await gone.deregister();
    await server.cli('DEL', keysOf(appName).services, keysOf(appName).serviceVersions);
    await eventually(async () => (await server.cli('HLEN', keysOf(appName).services)) === '1', {
      timeout: 15_000,
      what: 'The service put back by its node',
    });
    for (const node of [a!, b!]) await found(node, {}, 1);
  });

  it('is complete again after a FLUSHALL, but for what was taken back before anybody knew of it', async () => {
    const [a, b] = await cluster(2);
    await meshOf(a!).registerService('of-a', new Till());
    await meshOf(b!).registerService('of-b', new Till());
    const gone = await meshOf(b!).registerService('gone', new Till());
    await found(a!, {}, 3);
    await server.cli('FLUSHALL');
    await gone.deregister();
    await eventually(async () => (await server.cli('HLEN', keysOf(appName).services)) === '2', {
      what: 'The services put back by their nodes',
    });
    for (const node of [a!, b!]) {
      const names = (await found(node, {}, 2)).map(({ name }) => name);
      expect(names.sort()).toEqual(['of-a', 'of-b']);
    }
  });

  it('drops what others wrote into the table', async () => {
    const [a] = await cluster(1);
    const keys = keysOf(appName);
    for (const [id, value] of Object.entries({ x: '{', y: '{"name":7}', z: '[]' })) {
      await server.cli('HSET', keys.services, id, value);
      await server.cli('ZADD', keys.serviceVersions, String(9e15 + Math.random() * 1000), id);
    }
    await server.cli('PUBLISH', keys.hints, '{"t":"services"}');
    await meshOf(a!).registerService('good', new Till());
    await found(a!, {}, 1);
  });
});

describe('calls', () => {
  it('reach one instance, in turn, and bring results and errors back', async () => {
    const nodes = await cluster(3);
    for (const node of nodes.slice(0, 2)) await meshOf(node).registerService('till', new Till(node.name));
    const caller = nodes[2]!;
    await found(caller, { name: 'till' }, 2);
    const answers = await Promise.all([1, 2, 3, 4].map((amount) => meshOf(caller).call('till', 'charge', [amount])));
    expect(new Set(answers.map((answer) => String(answer).split(' ')[0])).size).toBe(2);
    expect(await meshOf(caller).routeToService('till', 'charge', [5], { where: { node: nodes[0]!.name } })).toBe(
      `${nodes[0]!.name} charged 5`,
    );
    const local = await meshOf(nodes[1]!).call('till', 'charge', [6], { strategy: 'local-first' });
    expect(local).toBe(`${nodes[1]!.name} charged 6`);
    const here = { where: { healthCheck: ({ node }: ServiceInfo) => node === nodes[1]!.name } };
    for (const amount of [7, 8]) {
      expect(await meshOf(caller).call('till', 'charge', [amount], here)).toBe(`${nodes[1]!.name} charged ${amount}`);
    }
    for (const where of [null, new Map([['node', 'x']]), { name: 'other' }, { capabilities: [] }]) {
      const call = meshOf(caller).call('till', 'charge', [9], { where: where as never });
      await expect(call).rejects.toBeInstanceOf(ArgumentError);
    }
    await expect(meshOf(caller).call('till', 'fail')).rejects.toBeInstanceOf(RemoteError);
    await expect(meshOf(caller).call('till', 'fail')).rejects.toMatchObject({ code: 'FUNDS' });
  });

  it('reach only marked methods, and only of what is there', async () => {
    const [a] = await cluster(1);
    await meshOf(a!).registerService('till', new Till());
    await meshOf(a!).registerService('elsewhere', { url: 'http://127.0.0.1:1' });
    for (const method of ['secret', 'constructor', 'toString', '__proto__']) {
      await expect(meshOf(a!).call('till', method)).rejects.toBeInstanceOf(CallRefusedError);
    }
    await expect(meshOf(a!).call('nobody', 'x')).rejects.toBeInstanceOf(ServiceNotFoundError);
    await expect(meshOf(a!).call('elsewhere', 'x')).rejects.toThrow('by its address only');
    await expect(meshOf(a!).call('till', 'charge', 'x' as never)).rejects.toBeInstanceOf(ArgumentError);
    await expect(meshOf(a!).call('till', 'charge', [], { strategy: 'best' as never })).rejects.toBeInstanceOf(
      ArgumentError,
    );
  });

  it('reach the process that stands for a service', async () => {
    const nodes = await cluster(2, [Clerk]);
    const ref = await eventually(() => nodes[0]!.app.get(ProcessManager).lookupSingleton<Clerk>('clerk-process'));
    await meshOf(nodes[0]!).registerService('by-ref', ref);
    await found(nodes[1]!, { name: 'by-ref' }, 1);
    expect(await meshOf(nodes[1]!).call('by-ref', 'write')).toBe('written');
  });
});

describe('@Service', () => {
  it('is registered on every node that has the class, and a process where it runs', async () => {
    const nodes = await cluster(2, [Printer, Clerk]);
    for (const node of nodes) {
      await found(node, { name: 'declared', dpi: 300 }, 2);
      const [clerk] = await found(node, { capabilities: 'write' }, 1);
      expect(await meshOf(node).call('declared', 'print', ['x'])).toBe('printed x');
      expect(await meshOf(node).call('clerk', 'write')).toBe('written');
      expect(clerk!.node).toBe((await node.app.get(ProcessManager).lookupSingleton('clerk-process'))!.node);
    }
    const [clerk] = await found(nodes[0]!, { name: 'clerk' }, 1);
    const owner = nodes.find(({ name }) => name === clerk!.node)!;
    const other = nodes.find((node) => node !== owner)!;
    await owner.app.close();
    await eventually(async () => (await meshOf(other).discoverServices({ name: 'clerk' }))[0]?.node === other.name);
  });
});

describe('a watch', () => {
  it('tells what there is, then every change, and ends with the loop', async () => {
    const [a, b] = await cluster(2);
    await meshOf(a!).registerService('first', new Till(), ['x']);
    await found(b!, {}, 1);
    const seen: ServiceChange[] = [];
    const watching = (async () => {
      for await (const change of meshOf(b!).watch({ capabilities: 'x' })) {
        seen.push(change);
        if (seen.length === 3) return;
      }
    })();
    await eventually(() => seen.length === 1);
    await meshOf(a!).registerService('unwatched', new Till());
    const second = await meshOf(a!).registerService('second', new Till(), ['x', 'y']);
    await eventually(() => seen.length === 2);
    await second.deregister();
    await watching;
    expect(seen.map(({ type, service }) => `${type} ${service.name}`)).toEqual([
      'added first',
      'added second',
      'removed second',
    ]);
    expect(() => meshOf(b!).watch({ healthCheck: () => true })).toThrow(ArgumentError);
  });
});

describe('a node that is cut off', () => {
  it('goes on answering from its copy, and says that it may be old', async () => {
    const [a] = await cluster(1);
    await meshOf(a!).registerService('till', new Till(a!.name));
    const { view } = a!.app.get<NodeParts>(NODE);
    Object.defineProperty(view, 'state', { get: () => 'isolated' });
    const [service] = await meshOf(a!).discoverServices({ name: 'till' });
    expect(service).toMatchObject({ stale: true });
    expect(await meshOf(a!).call('till', 'charge', [1])).toBe(`${a!.name} charged 1`);
  });
});
