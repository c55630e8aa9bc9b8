// The test kit with all nodes in the process of the test.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { Callable, FoundationModule, Membership, type ProcessContext, Singleton } from 'nestjs-foundation';
import { eventually, TestCluster } from 'nestjs-foundation/testing';

@Singleton({ name: 'till' })
class Till {
  #node = '';
  onProcessStart(ctx: ProcessContext): void {
    this.#node = ctx.node;
  }
  @Callable()
  where(): string {
    return this.#node;
  }
}

@Injectable()
class Orders {
  constructor(private readonly membership: Membership) {}
  place(order: object): object {
    return { ...order, at: this.membership.self.name };
  }
}

@Module({
  imports: [FoundationModule.forRoot({ cluster: true, redis: 'redis://127.0.0.1:1', nodeName: 'production' })],
  providers: [Till, Orders],
})
class ShopModule {}

@Module({})
class EmptyModule {}

const inProcess = () => NestFactory.create(ShopModule, { logger: false });
const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'It resolved',
    (error: Error) => error.message,
  );

describe('a test cluster in one process', () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await TestCluster.start({ nodes: ['a', 'b'], inProcess })));
  afterAll(() => cluster.stop());

  it('is made of applications, which start at the same time and are nodes of their own', async () => {
    expect(cluster.nodes.map(({ name, pid }) => `${name} ${pid}`)).toEqual([`a ${process.pid}`, `b ${process.pid}`]);
    const { app } = cluster.node('b');
    expect((app as INestApplication).get(Membership).self.name).toBe('b');
    expect(await cluster.node('b').get(Orders).place({ item: 'tea' })).toStrictEqual({ item: 'tea', at: 'b' });
    expect((await fetch(cluster.node('a').url)).status).toBe(404);
    const owner = await cluster.owner(Till);
    expect(await cluster.singleton(Till).where()).toBe(owner.name);
  });

  it('cuts an owner off from Redis, and heals it', async () => {
    const owner = await cluster.owner(Till);
    await owner.cut();
    expect((await cluster.owner(Till)).name).not.toBe(owner.name);
    await eventually(async () => (await owner.view()).state === 'isolated', { timeout: 20_000 });
    await cluster.heal();
    await cluster.members(['a', 'b']);
    await cluster.assertSingleOwner(Till);
    expect(cluster.violations()).toEqual([]);
  });

  it('stops a node, which hands over, and starts it again', async () => {
    const owner = await cluster.owner(Till);
    await owner.stop();
    expect(owner.isRunning).toBe(false);
    expect((await cluster.owner(Till)).name).not.toBe(owner.name);
    await cluster.startNode(owner.name);
    expect(cluster.ownersOf(Till).length).toBeGreaterThan(1);
    await cluster.assertSingleOwner(Till);
  });

  it('neither kills nor freezes, which would end the test', async () => {
    const [node] = cluster.nodes;
    expect(await messageOf(node!.kill())).toMatch(/^Node a runs in the process of the test, so it cannot be killed/);
    expect(await messageOf(node!.freeze())).toMatch(/cannot be frozen/);
    expect(node!.isFrozen).toBe(false);
    expect(await messageOf(node!.get('Nobody')['work']!())).toMatch(/is called Nobody/);
  });
});

describe('a start in one process', () => {
  it('takes an application of @nestjs/testing, with what is overridden in it', async () => {
    const overridden = (): Promise<unknown> =>
      Test.createTestingModule({ imports: [ShopModule] })
        .overrideProvider(Orders)
        .useValue({ place: () => ({ item: 'mocked' }) })
        .compile();
    await using cluster = await TestCluster.start({ nodes: 1, inProcess: overridden as typeof inProcess });
    expect(await cluster.node('node-1').get(Orders).place({})).toEqual({ item: 'mocked' });
    expect(() => cluster.node('node-1').url).toThrow(/listens on no port/);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['throws', () => Promise.reject(new Error('The shop is closed')), /^The shop is closed$/],
    ['is none', () => undefined, /^inProcess made no application for node node-1/],
    ['has no Foundation', () => NestFactory.create(EmptyModule, { logger: false }), /node-1 has no FoundationModule/],
  ])('fails when the application %s', async (_how, make, says) => {
    expect(await messageOf(TestCluster.start({ nodes: 1, inProcess: make as typeof inProcess }))).toMatch(says);
  });

  it('is refused where the environment says that there is no cluster', async () => {
    process.env['FOUNDATION_CLUSTER'] = 'off';
    const said = await messageOf(TestCluster.start({ nodes: 1, inProcess }));
    delete process.env['FOUNDATION_CLUSTER'];
    expect(said).toMatch(/with FOUNDATION_CLUSTER=off/);
  });
});
