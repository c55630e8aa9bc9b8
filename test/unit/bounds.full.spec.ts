// More of docs/reference/bounds.md: what an application may have at a time, and what is remembered; each is filled,
// and one more is tried.
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../../libs/foundation/src/backend/backend.js';
import type { Lease } from '../../libs/foundation/src/backend/leases/leases.js';
import { LocalTable } from '../../libs/foundation/src/backend/tables/local.table.js';
import { applyTopics, encodeTopics } from '../../libs/foundation/src/backend/transport/direct/topic.messages.js';
import { deflate } from '../../libs/foundation/src/channels/compression.js';
import { Durable, MAX_DURABLE, MAX_UNKEPT } from '../../libs/foundation/src/channels/durable/durable.channels.js';
import { encode, headsOf } from '../../libs/foundation/src/channels/envelope.js';
import { MessageDrops } from '../../libs/foundation/src/channels/message.drops.js';
import { Dispatcher, MAX_SUBSCRIPTIONS } from '../../libs/foundation/src/channels/receiving/dispatcher.js';
import { GapDetector } from '../../libs/foundation/src/channels/receiving/gap.detector.js';
import { Unpacker } from '../../libs/foundation/src/channels/receiving/unpacker.js';
import type { ClusterView } from '../../libs/foundation/src/cluster/cluster.view.js';
import { processDefaults, resolve } from '../../libs/foundation/src/config/resolve.js';
import { ArgumentError } from '../../libs/foundation/src/errors/config.errors.js';
import { describe as describeError, errorWords } from '../../libs/foundation/src/errors/describe.js';
import { FoundationError } from '../../libs/foundation/src/errors/foundation.error.js';
import { LimitError, OverloadedError } from '../../libs/foundation/src/errors/limit.errors.js';
import type { ProcessContext } from '../../libs/foundation/src/processes/declaration/process.context.js';
import { Instance } from '../../libs/foundation/src/processes/instance/instance.js';
import { MAX_TASKS } from '../../libs/foundation/src/processes/instance/process.tasks.js';
import { ProcessManager } from '../../libs/foundation/src/processes/process.manager.js';
import { assembleProcesses, type ProcessIngredients } from '../../libs/foundation/src/processes/process.parts.js';
import { MAX_PROCESSES } from '../../libs/foundation/src/processes/process.starter.js';
import { RestartDecisions } from '../../libs/foundation/src/processes/restarts/restart.decisions.js';
import type { ProcessTable } from '../../libs/foundation/src/processes/table/process.table.js';
import { Balancer } from '../../libs/foundation/src/services/service.balancer.js';
import type { ServiceInfo } from '../../libs/foundation/src/services/service.js';
import { MAX_SERVICES, ServiceOffers } from '../../libs/foundation/src/services/service.offers.js';
import { ServiceTargets } from '../../libs/foundation/src/services/service.targets.js';
import { Telemetry } from '../../libs/foundation/src/telemetry/telemetry.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';

const never = new Promise<never>(() => undefined);
const SELF = { name: 'n1', bootId: 'b1' };
const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
const warn = jest.fn();

beforeEach(() => {
  warn.mockReset();
  Logger.overrideLogger({ log: jest.fn(), error: jest.fn(), warn });
});

function telemetryWithDrops() {
  const telemetry = new Telemetry();
  const dropped = new Map<string, number>();
  telemetry.attach('message.dropped', (_event, { reason, count }) =>
    dropped.set(reason, (dropped.get(reason) ?? 0) + count),
  );
  return { telemetry, dropped };
}

/** A lease that is held for ever. */
const held = (name: string): Lease =>
  ({
    name,
    epoch: 1,
    signal: new AbortController().signal,
    isHeld: () => true,
    inherit: async () => undefined,
  }) as unknown as Lease;

describe('an application', () => {
  it('has so many subscriptions, and may have another one once one has ended', async () => {
    const { telemetry } = telemetryWithDrops();
    const dispatcher = new Dispatcher('b1', { telemetry, drops: new MessageDrops(telemetry) });
    const add = () => dispatcher.add('events', {}, () => undefined);
    const queues = Array.from({ length: MAX_SUBSCRIPTIONS }, add);
    expect(add).toThrow(LimitError);
    dispatcher.remove(queues[0]!);
    dispatcher.remove(queues[0]!);
    // The ends of both are under way for this turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(add).not.toThrow();
    expect(add).toThrow(LimitError);
  });

  it('has so many subscriptions to durable channels', async () => {
    const consume = async () => ({ close: async () => undefined });
    const { durable } = durableOf({ consume, append: () => never });
    const subscribe = () => durable.subscribe('orders', () => undefined, { group: 'g' });
    const [first] = await Promise.all(Array.from({ length: MAX_DURABLE }, subscribe));
    await expect(subscribe()).rejects.toThrow(LimitError);
    await first!.unsubscribe();
    await subscribe();
  });

  it('is refused durable messages while Redis keeps none', async () => {
    const { durable, dropped } = durableOf({ append: () => never });
    const send = (body: string) => durable.send('orders', { body, size: body.length });
    // What waits when the test ends is nobody's business.
    for (let count = 0; count < MAX_UNKEPT.messages; count++) void send('1');
    await expect(send('1')).rejects.toThrow(OverloadedError);
    expect(dropped).toEqual(new Map([['outbox-full', 1]]));
  });

  it('is refused durable messages that are too large together', async () => {
    const { durable } = durableOf({ append: () => never });
    const send = (body: string) => durable.send('orders', { body, size: body.length }, { compression: true });
    void send('x'.repeat(MAX_UNKEPT.characters + 1));
    await expect(send('y')).rejects.toThrow(/1 messages of \d+ characters wait to be kept/);
  });

  function durableOf(streams: object) {
    const { telemetry, dropped } = telemetryWithDrops();
    const durable = new Durable(
      {
        orders: { maxLength: 10, maxDeliveries: 3, retryAfter: 1000, acknowledge: 'memory', acknowledgeTimeout: 5000 },
      },
      {
        ...{ streams, telemetry, drops: new MessageDrops(telemetry), heads: headsOf('n1', 'b1'), endpoint: 'redis' },
        maxMessageBytes: 2 ** 30,
      } as unknown as ConstructorParameters<typeof Durable>[1],
    );
    return { durable, dropped };
  }

  it('has so many tasks in one instance', async () => {
    let ctx!: ProcessContext;
    const target = { onProcessStart: (given: ProcessContext) => void (ctx = given) };
    const spec = {
      ...{ name: 'feed', type: 'Feed', declared: true, kind: 'singleton' as const, count: 1, args: [] },
      ...{ placement: { strategy: 'spread' as const, labels: {} }, handoff: false, rebalance: 'off' as const },
      options: processDefaults({}),
    };
    const instance = new Instance(spec, held('feed'), {
      create: async () => target,
      leases: { fencedSet: async () => undefined, fencedDelete: async () => undefined },
      ...{ telemetry: new Telemetry(), node: 'n1', started: async () => async () => undefined },
    });
    const life = instance.run();
    await eventually(() => instance.running);
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    for (let count = 0; count < MAX_TASKS; count++) ctx.run(() => ended);
    expect(() => ctx.run(() => ended)).toThrow(LimitError);
    end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => ctx.run(() => ended)).not.toThrow();
    instance.stop('stop');
    expect(await life).toMatchObject({ reason: 'stop', clean: true });
  });

  const membership = {
    ...{ self: SELF, state: 'up', clusterNow: () => 5, members: () => [], listen: () => () => undefined },
    ...{ whenReady: async () => undefined, requireConnected: () => undefined },
  } as unknown as ClusterView;

  it('starts no new name in a cluster that has too many, and what it has as before', async () => {
    class Feed {}
    let size = MAX_PROCESSES;
    const change = jest.fn(async (name: string, next: (current: undefined) => object | undefined) => {
      next(undefined);
      return name;
    });
    const onChange = () => () => undefined;
    const table = { sync: async () => undefined, get: () => undefined, change, onChange, floor: () => 0 };
    Object.defineProperty(table, 'size', { get: () => size });
    const backend = { leases: { grace: async () => 0 }, onHint: () => () => undefined, endpoint: 'redis' };
    const registry = { owner: async () => undefined };
    const manager = new ProcessManager(
      assembleProcesses({
        ...{ config, backend, membership, table, registry, supervisor: { knows: () => true, exempt: () => undefined } },
        replaced: { has: () => false },
      } as unknown as ProcessIngredients),
    );
    await expect(manager.startSingleton(Feed)).rejects.toThrow(LimitError);
    size -= 1;
    // It is written, and then found to be gone, because this table keeps nothing.
    await expect(manager.startSingleton(Feed)).rejects.not.toThrow(LimitError);
    expect(change).toHaveBeenCalledTimes(2);
  });

  it('starts nothing with arguments that are too large', async () => {
    class Feed {}
    const given = { config, backend: {}, membership, table: {}, replaced: { has: () => false } };
    const manager = new ProcessManager(assembleProcesses(given as unknown as ProcessIngredients));
    await expect(manager.startSingleton(Feed, ['x'.repeat(1024 * 1024)])).rejects.toThrow(ArgumentError);
  });

  it('offers so many services, each with so many capabilities and so much metadata', async () => {
    const registry = { put: async () => undefined, remove: async () => undefined, own: () => [] };
    const targets = new ServiceTargets();
    const offers = new ServiceOffers({
      ...{ endpoint: 'redis', membership, registry, targets, telemetry: new Telemetry() },
    } as unknown as ConstructorParameters<typeof ServiceOffers>[0]);
    const register = (capabilities: string[] = [], metadata = {}) =>
      offers.register({ name: 's', target: {}, capabilities, metadata });
    const words = (count: number) => Array.from({ length: count }, (_, index) => `w${index}`);
    await register(words(100));
    await expect(register(words(101))).rejects.toThrow(ArgumentError);
    await register([], { text: 'x'.repeat(60 * 1024) });
    await expect(register([], { text: 'x'.repeat(64 * 1024) })).rejects.toThrow(ArgumentError);
    const left = Array.from({ length: MAX_SERVICES - targets.size }, () => register());
    await Promise.all(left);
    await expect(register()).rejects.toThrow(LimitError);
    targets.delete('b1.1');
    await register();
  });
});

describe('what comes deflated', () => {
  const heads = headsOf('n2', 'other');

  function incomingOf(maxBytes: number) {
    const { telemetry, dropped } = telemetryWithDrops();
    const seen: unknown[] = [];
    const sink = {
      ...{ listening: () => true, gap: () => undefined, acknowledge: () => undefined, answer: () => undefined },
      deliver: ({ message }: { message: unknown }) => seen.push(message),
    };
    return {
      incoming: new Unpacker({
        own: { prefix: headsOf('n1', 'own').prefix, bootId: 'own' },
        sequences: new GapDetector(() => 'before'),
        drops: new MessageDrops(telemetry),
        maxMessageBytes: maxBytes,
        sink,
        isLong: () => false,
      }),
      ...{ seen, dropped },
    };
  }

  it('waits up to a number of texts', async () => {
    const { incoming, seen, dropped } = incomingOf(10_000);
    const zip = await deflate(JSON.stringify('x'.repeat(5000)));
    for (let seq = 1; seq <= 10_002; seq++)
      incoming.receive('events', `[${heads.head('normal', seq, 1)},${encode(zip!, { zip: true })}]`);
    expect(dropped).toEqual(new Map([['inflate-backlog-full', 2]]));
    await eventually(() => seen.length === 10_000);
  });

  it('waits up to a number of characters', async () => {
    const { incoming, dropped } = incomingOf(10_000);
    const large = 'A'.repeat(40 * 1024 * 1024);
    for (let seq = 1; seq <= 2; seq++)
      incoming.receive('events', `[${heads.head('normal', seq, 1)},${encode(large, { zip: true })}]`);
    expect(dropped).toEqual(new Map([['inflate-backlog-full', 1]]));
    await eventually(() => dropped.has('too-large-inflated') || dropped.has('not-inflatable'));
  });
});

describe('what is remembered', () => {
  it('of ends that wait for Redis: the oldest is given up, and said to be', () => {
    const node = { state: 'up', listen: () => () => undefined } as unknown as ClusterView;
    const endings = new RestartDecisions({
      backend: {} as Backend,
      membership: node,
      table: { sync: () => never } as unknown as ProcessTable,
      telemetry: new Telemetry(),
    });
    for (let index = 0; index < 10_000; index++) endings.unmark(`p${index}`, held(`p${index}`));
    expect(endings.isOpen('p0')).toBe(true);
    expect(warn).not.toHaveBeenCalled();
    endings.unmark('p10000', held('p10000'));
    expect([endings.isOpen('p0'), endings.isOpen('p1'), endings.isOpen('p10000')]).toEqual([false, true, true]);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('of the turns of services: the one that was called longest ago begins anew', () => {
    const balancer = new Balancer({ self: 'a', loads: () => new Map(), random: () => 0 });
    const services = ['1', '2'].map((instanceId) => ({ instanceId, node: instanceId }) as ServiceInfo);
    const choose = (name: string) => balancer.choose(name, services)?.instanceId;
    expect([choose('first'), choose('second')]).toEqual(['1', '1']);
    for (let index = 2; index < 10_001; index++) choose(`s${index}`);
    expect(choose('second')).toBe('2');
    expect(choose('first')).toBe('1');
  });

  it('of what another node listens to', () => {
    const all = Array.from({ length: 100_001 }, (_, index) => `t${index}`);
    expect(applyTopics(undefined, encodeTopics({ all }))?.size).toBe(100_000);
  });

  it('of rows that were removed: a copy that is older than what is remembered is read anew', async () => {
    const table = new LocalTable(
      () => undefined,
      () => 1000,
      { keepMs: 1_000_000, max: 3 },
    );
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const { versions } = await table.put(keys.map((key) => ({ key, value: '{}', expected: 0 })));
    await table.remove(keys.map((key, index) => ({ key, version: versions[index]! })));
    const { rows, floor } = await table.since(0);
    expect(rows.length).toBeLessThanOrEqual(3);
    expect(floor).toBeGreaterThan(0);
  });

  it('of errors: so much of their texts', () => {
    const large = (text: string) => text.repeat(50_000);
    const thrown = Object.assign(new Error(large('m')), { name: large('n'), code: large('c'), stack: large('s') });
    const { name, message, code, stack } = errorWords(thrown);
    expect([name, message, code, stack].map((text) => text?.length)).toEqual([100, 1000, 100, 4000]);
    const many = new AggregateError(
      Array.from({ length: 1000 }, (_, index) => new Error(`e${index} `.repeat(20))),
      '',
    );
    expect(describeError(many).length).toBeLessThanOrEqual(1000);
    const some = describeError(
      new AggregateError(
        Array.from({ length: 20 }, (_, index) => new Error(`<${index}>`)),
        '',
      ),
    );
    expect([some.includes('<9>'), some.includes('<10>')]).toEqual([true, false]);
    expect(new FoundationError('FOUNDATION_ARGUMENT', 'foundation', large('x')).message.length).toBe(10_000);
  });
});
