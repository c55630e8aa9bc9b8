// What Phoenix.PubSub holds its adapters and its tracker to, written anew for channels and services. From
// phoenixframework/phoenix_pubsub: `shared` is test/shared/pubsub_test.exs, `distributed`
// test/phoenix/distributed_pubsub_test.exs, `unit` test/phoenix/pubsub_test.exs, `tracker`
// test/phoenix/tracker/shard_replication_test.exs.
// Not here: local_broadcast, which has no counterpart, and the clocks of the tracker's CRDT, since Redis has the table.
// What every transport owes to channels is in `transportContract` of nestjs-foundation/testing.
import { describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  Callable,
  FoundationConfigError,
  Membership,
  type ServiceChange,
  ServiceNotFoundError,
  UnknownChannelError,
} from 'nestjs-foundation';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type Booted, formed, type Ground, onOwnRedis } from '../fixture.js';
import { channelsOf, cluster, heard, hears, meshOf, mortal, node, PATIENT, sees, TRANSPORTS } from './nodes.js';

let ground: Ground;
onOwnRedis((given) => void (ground = given));

const send = (from: Booted, message: unknown, type?: string, channel = 'events') =>
  channelsOf(from).broadcast(channel, message, type === undefined ? {} : { type });

describe.each(TRANSPORTS)('Phoenix.PubSub, over %s:', (_transport, options) => {
  // shared: subscribe and unsubscribe
  it('a subscriber hears from its subscription to its end, and others go on', async () => {
    const [a, b] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const early = await hears(b);
    await send(a, 'before');
    // A message under way may still be heard by who subscribes meanwhile.
    await heard(['before'], early);
    const [ending, staying] = [await hears(b), await hears(b)];
    await send(a, 1);
    await heard([1], ending, staying);
    await ending.unsubscribe();
    await send(a, 2);
    await heard([1, 2], staying);
    expect(ending.messages).toEqual([1]);
  });

  // shared: broadcast/3 publishes message to each subscriber; distributed: broadcast targets all nodes
  it('a broadcast reaches each subscriber of each node once, the next one, too', async () => {
    const nodes = await cluster(ground, 3, [], options);
    const all = await Promise.all([...nodes, ...nodes].map((each) => hears(each)));
    await send(nodes[0]!, 'ping');
    await heard(['ping'], ...all);
    await send(nodes[0]!, 'pong');
    await heard(['ping', 'pong'], ...all);
  });

  // shared: broadcast/3 does not publish message to other topic subscribers
  it('subscribers of another channel or another type hear nothing of it', async () => {
    const [a, b] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const [other, typed, mine] = [await hears(b, 'data'), await hears(b, 'events', { type: 'x' }), await hears(b)];
    await send(a, 1, 'y');
    await send(a, 2);
    await send(a, 'last', 'x');
    await send(a, 'last', undefined, 'data');
    await heard([1, 2, 'last'], mine);
    await heard(['last'], typed, other);
  });

  // shared: broadcast_from/4 skips sender, node_name/1. A sender that subscribes hears itself here, and knows it.
  it('a sender hears itself, and knows itself by what comes with the message', async () => {
    const [a, b] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const both = [await hears(a), await hears(b)];
    await send(a, 'ping');
    await heard(['ping'], ...both);
    for (const { metas } of both) expect(metas[0]).toMatchObject({ from: a.name });
    expect(both[0]!.metas[0]!.bootId).toBe(a.app.get(Membership).self.bootId);
  });

  // shared: unsubscribe on not subscribed topic noops
  it('unsubscribing again does nothing, and a broadcast that nobody hears is none the worse', async () => {
    const [a] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const [ended, other] = [await hears(a), await hears(a)];
    await ended.unsubscribe();
    await ended.unsubscribe();
    await send(a, 1, 'nobody hears this type', 'telemetry');
    await send(a, 2);
    await heard([2], other);
  });

  // shared: direct_broadcast sends to given node, to unknown node; distributed: direct_broadcast targets a specific
  // node. Channels go to all; what is for one node is a call of a service that it has.
  it('what is for one node goes to it alone, and to an unknown one fails', async () => {
    const nodes = await cluster(ground, 3, [], options);
    const got: string[] = [];
    class Mailbox {
      constructor(private readonly name: string) {}
      @Callable()
      put(message: string): void {
        got.push(`${this.name} ${message}`);
      }
    }
    for (const each of nodes) await meshOf(each).registerService('mailbox', new Mailbox(each.name));
    const mesh = meshOf(nodes[0]!);
    await eventually(async () => (await mesh.discoverServices({ name: 'mailbox' })).length === 3, { timeout: PATIENT });
    for (const name of ['b', 'b', 'a']) await mesh.call('mailbox', 'put', ['ping'], { where: { node: name } });
    expect(got).toEqual(['b ping', 'b ping', 'a ping']);
    const unknown = mesh.call('mailbox', 'put', ['ping'], { where: { node: 'IDONTKNOW' } });
    await expect(unknown).rejects.toBeInstanceOf(ServiceNotFoundError);
    expect(got).toHaveLength(3);
  });

  // distributed: broadcast is received by other node that has pool_size > broadcast_pool_size, and the other way round
  it('nodes with other settings of their own hear one another', async () => {
    const settings = [{ calls: { concurrency: 1 } }, { channels: { maxMessageBytes: 2_000_000 } }, { capacity: 0 }];
    const nodes = await Promise.all(settings.map((each) => node(ground, [], { ...options, ...each })));
    await formed(...nodes);
    const all = [
      await hears(nodes[0]!, 'events', { concurrency: 8 }),
      await hears(nodes[1]!, 'events', { queue: { size: 2 } }),
      await hears(nodes[2]!, 'events', { concurrency: 1 }),
    ];
    for (const [index, each] of nodes.entries()) {
      await send(each, index);
      await heard(
        Array.from({ length: index + 1 }, (_, at) => at),
        ...all,
      );
    }
  });

  // shared: with custom dispatching, two subscriptions of one process
  it('two subscriptions with one handler are two', async () => {
    const [a, b] = (await cluster(ground, 2, [], options)) as [Booted, Booted];
    const got: (string | undefined)[] = [];
    const handler = (_message: unknown, meta: { type?: string }): void => void got.push(meta.type);
    const first = await channelsOf(b).subscribe('events', handler);
    await channelsOf(b).subscribe('events', handler, { type: 'special' });
    await send(a, 1, 'special');
    await eventually(() => got.length === 2, { timeout: PATIENT, lastSeen: () => got });
    await first.unsubscribe();
    await send(a, 2);
    await send(a, 3, 'special');
    await eventually(() => got.length === 3, { timeout: PATIENT, lastSeen: () => got });
    expect(got).toEqual(['special', 'special', 'special']);
  });

  // unit: expects a name, pool_size can't be smaller than broadcast_pool_size
  it('a name that nobody declared and a size that nothing fits into are refused', async () => {
    const [a] = (await cluster(ground, 1, [], options)) as [Booted];
    await expect(send(a, 1, undefined, 'evnets')).rejects.toBeInstanceOf(UnknownChannelError);
    await expect(hears(a, '')).rejects.toBeInstanceOf(UnknownChannelError);
    await expect(hears(a, 'events', { queue: { size: 0 } })).rejects.toBeInstanceOf(ArgumentError);
    await expect(node(ground, [], { ...options, channels: { names: [''] } })).rejects.toBeInstanceOf(
      FoundationConfigError,
    );
  });
});

describe("Phoenix.PubSub's tracker", () => {
  const track = (on: Booted, name: string, metadata = {}) => meshOf(on).registerService(name, {}, [], metadata);
  const tracked = (on: Booted, ...expected: string[]) => {
    let last: string[] = [];
    return eventually(
      async () => {
        last = (await meshOf(on).discoverServices()).map(({ name, node: at }) => `${name}@${at}`).sort();
        return last.join() === [...expected].sort().join();
      },
      { timeout: PATIENT, what: `${expected.join()} on ${on.name}`, lastSeen: () => last },
    );
  };
  /** What a watch has told, as it comes; ended with the test. */
  function watched(on: Booted): string[] {
    const told: string[] = [];
    const follow = async (): Promise<void> => {
      const changes: AsyncIterable<ServiceChange> = meshOf(on).watch();
      for await (const { type, service } of changes) told.push(`${type} ${service.name}@${service.node}`);
    };
    follow().catch((error: unknown) => told.push(String(error)));
    return told;
  }
  const tells = (told: string[], ...expected: string[]) =>
    eventually(() => told.join() === expected.join(), {
      timeout: PATIENT,
      what: expected.join(),
      lastSeen: () => told,
    });

  // tracker: untrack with topic, untrack from all topics, untrack with no tracked topic is a noop
  it('what is tracked on one node is known on all, until it is untracked by its handle or by its name', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const handle = await track(a, 'user1');
    for (const name of ['user2', 'user2']) await track(a, name);
    for (const each of [a, b]) await tracked(each, 'user1@a', 'user2@a', 'user2@a');
    await meshOf(a).deregisterService('nobody');
    await handle.deregister();
    for (const each of [a, b]) await tracked(each, 'user2@a', 'user2@a');
    await meshOf(a).deregisterService('user2');
    for (const each of [a, b]) await tracked(each);
  });

  // tracker: node detects and locally broadcasts presence_join/leave
  it('a watch tells who joins and leaves, on this node and on others', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const told = watched(a);
    const me = await track(a, 'me');
    await tells(told, 'added me@a');
    const other = await track(b, 'node1');
    await tells(told, 'added me@a', 'added node1@b');
    await me.deregister();
    await tells(told, 'added me@a', 'added node1@b', 'removed me@a');
    await other.deregister();
    await tells(told, 'added me@a', 'added node1@b', 'removed me@a', 'removed node1@b');
  });

  // tracker: duplicate tracking is refused there. Instances of one name are what services are for.
  it('the same twice is two, each with an id and data of its own', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    await track(a, 'u1', { browser: 'Chrome' });
    await track(a, 'u1', { browser: 'Firefox' });
    await tracked(b, 'u1@a', 'u1@a');
    const found = await meshOf(b).discoverServices({ name: 'u1' });
    expect(new Set(found.map(({ instanceId }) => instanceId)).size).toBe(2);
    expect(found.map(({ metadata }) => metadata['browser']).sort()).toEqual(['Chrome', 'Firefox']);
  });

  // tracker: graceful exits with permdown, detects nodedown and locally broadcasts leaves
  it('what a node had leaves with it, and a watch tells it', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    await track(b, 'node1');
    await tracked(a, 'node1@b');
    const told = watched(a);
    await tells(told, 'added node1@b');
    await b.app.close();
    await tells(told, 'added node1@b', 'removed node1@b');
    await tracked(a);
  });

  // tracker: tempdowns with nodeups of new vsn, and permdowns
  it('what a node had that was cut off is gone while it is, and back when it is', async () => {
    const a = await node(ground, [], { nodeName: 'a' });
    const { proxy, mortal: b } = await mortal(ground, [], { nodeName: 'b' });
    await formed(a, b);
    await track(b, 'node1');
    await tracked(a, 'node1@b');
    proxy.mode = 'cut';
    await sees(a, 'a');
    await tracked(a);
    proxy.mode = 'ok';
    await sees(a, 'a', 'b');
    for (const each of [a, b]) await tracked(each, 'node1@b');
  });

  // tracker: old pids from a node are permdowned when the node comes back up, rolling node update
  it('of a node that came again only what it has now is known', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    await track(b, 'old');
    await tracked(a, 'old@b');
    await b.app.close();
    const again = await node(ground, [], { nodeName: 'b' });
    await track(again, 'new');
    await sees(a, 'a', 'b');
    for (const each of [a, again]) await tracked(each, 'new@b');
  });
});
