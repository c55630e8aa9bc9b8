/**
 * What every transport promises, as a suite: local, redis and direct pass it, and so must one of your own.
 * Assertions are those of Node, so it runs in any test runner that has `describe` and `it`.
 */
import assert from 'node:assert/strict';
import type { Transport } from '../../backend/transport/transport.js';
import type { Lane } from '../../wire/lane.js';
import { eventually } from '../eventually.js';
import type { TestRunner } from './contract.js';

/** Nodes that share topics, for one test. */
export interface TransportCluster {
  /** As many as were requested. */
  nodes: readonly Transport[];
  /** True when a publisher that subscribes gets its own texts too. */
  hearsItself: boolean;
  /** Cuts the connections between the nodes while texts are underway, and resolves when they are there again. */
  disturb?(): Promise<void>;
  close(): Promise<void>;
}

/** What one listener got. */
class Inbox {
  readonly texts: string[] = [];
  readonly take = (bundle: string | Buffer): void => void this.texts.push(bundle.toString());

  async has(...expected: string[]): Promise<void> {
    await eventually(() => this.texts.length >= expected.length, {
      what: `${expected.length} texts`,
      lastSeen: () => this.texts.map((text) => text.slice(0, 40)),
    });
    assert.deepEqual(this.texts, expected);
  }
}

const say = (value: unknown): string => JSON.stringify([value]);
const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => say(index));

/**
 * Declares the suite.
 *
 * ```ts
 * transportContract('mine', (size) => openMyCluster(size), { describe, it });
 * ```
 *
 * @param makeCluster called by each test with the number of nodes that it wants.
 * @param options.isAlone the transport knows no other node, so only what one node does is tested. Default false.
 */
export function transportContract(
  name: string,
  makeCluster: (size: number) => Promise<TransportCluster>,
  { describe, it }: TestRunner,
  { isAlone = false }: { isAlone?: boolean } = {},
): void {
  const test = (what: string, size: number, body: (cluster: TransportCluster) => Promise<void>): void =>
    it(what, async () => {
      const cluster = await makeCluster(size);
      try {
        await body(cluster);
      } finally {
        await cluster.close();
      }
    });
  const between = (
    what: string,
    size: number,
    body: (nodes: readonly [Transport, Transport, ...Transport[]], cluster: TransportCluster) => Promise<void>,
  ): void => {
    if (isAlone) return;
    test(what, size, (cluster) => {
      const [first, second, ...others] = cluster.nodes;
      assert.ok(first !== undefined && second !== undefined, 'makeCluster gave too few nodes');
      return body([first, second, ...others], cluster);
    });
  };

  describe(`The transport contract: ${name}`, () => {
    between('a text reaches every node that subscribes, once for each listener', 3, async ([publisher, ...others]) => {
      const inboxes = others.flatMap(() => [new Inbox(), new Inbox()]);
      await Promise.all(inboxes.map((inbox, index) => others[index >> 1]!.subscribe('t', inbox.take)));
      const count = await publisher.publish('t', say('x'));
      await Promise.all(inboxes.map((inbox) => inbox.has(say('x'))));
      assert.ok(count === undefined || count === others.length, `${count} nodes`);
    });

    between('texts of one sender arrive in order, whatever their size', 2, async ([publisher, subscriber]) => {
      const inbox = new Inbox();
      await subscriber.subscribe('t', inbox.take);
      const texts = Array.from({ length: 300 }, (_, index) => say([index, 'x'.repeat((index % 7) ** 6)]));
      await Promise.all(texts.map((text) => publisher.publish('t', text)));
      await inbox.has(...texts);
    });

    between('both directions work at the same time', 2, async (nodes) => {
      const inboxes = await Promise.all(
        nodes.map(async (node, index) => {
          const inbox = new Inbox();
          await node.subscribe(`to-${index}`, inbox.take);
          return inbox;
        }),
      );
      const [texts, [first, second]] = [numbers(200), nodes];
      await Promise.all(texts.flatMap((text) => [first.publish('to-1', text), second.publish('to-0', text)]));
      await Promise.all(inboxes.map((inbox) => inbox.has(...texts)));
    });

    between('every lane delivers', 2, async ([publisher, subscriber]) => {
      const lanes: Lane[] = ['low', 'normal', 'high'];
      const inboxes = await Promise.all(
        lanes.map(async (lane) => {
          const inbox = new Inbox();
          await subscriber.subscribe(`t-${lane}`, inbox.take);
          return inbox;
        }),
      );
      const texts = numbers(100);
      for (const text of texts) for (const lane of lanes) await publisher.publish(`t-${lane}`, text, lane);
      await Promise.all(inboxes.map((inbox) => inbox.has(...texts)));
    });

    between('a large text of any characters arrives as it was', 2, async ([publisher, subscriber]) => {
      const inbox = new Inbox();
      await subscriber.subscribe('t', inbox.take);
      const text = say('ä€😀"\\'.repeat(60_000));
      await publisher.publish('t', text);
      await inbox.has(text);
    });

    between('a topic brings its own texts only, of many', 2, async ([publisher, subscriber]) => {
      const topics = Array.from({ length: 200 }, (_, index) => `topic-${index}`);
      const inboxes = await Promise.all(
        topics.map(async (topic) => {
          const inbox = new Inbox();
          await subscriber.subscribe(topic, inbox.take);
          return inbox;
        }),
      );
      await Promise.all(topics.map((topic) => publisher.publish(topic, say(topic))));
      await Promise.all(inboxes.map((inbox, index) => inbox.has(say(topics[index]))));
    });

    between('a listener that ended its subscription hears nothing more, and the others do', 2, async (nodes) => {
      const [publisher, subscriber] = nodes;
      const [ended, going, later] = [new Inbox(), new Inbox(), new Inbox()];
      const end = await subscriber.subscribe('t', ended.take);
      await subscriber.subscribe('t', going.take);
      await publisher.publish('t', say(1));
      await going.has(say(1));
      await end();
      await end();
      await publisher.publish('t', say(2));
      await going.has(say(1), say(2));
      await ended.has(say(1));
      const endOnly = await subscriber.subscribe('u', later.take);
      await endOnly();
      await subscriber.subscribe('u', later.take);
      await publisher.publish('u', say(3));
      await later.has(say(3));
    });

    between('a listener that throws harms no other one, and nothing after it', 2, async ([publisher, subscriber]) => {
      const inbox = new Inbox();
      await subscriber.subscribe('t', () => {
        throw new Error('a listener that throws');
      });
      await subscriber.subscribe('t', inbox.take);
      await publisher.publish('t', say(1));
      await publisher.publish('t', say(2));
      await inbox.has(say(1), say(2));
    });

    between('a text to which nobody listens goes to nobody', 2, async ([publisher]) => {
      const count = await publisher.publish('nobody', say(1));
      assert.ok(count === 0 || count === undefined, `${count} nodes`);
    });

    test('a single node subscribes, publishes to nobody, and ends its subscription', 1, async ({ nodes: [node] }) => {
      const end = await node!.subscribe('t', () => undefined);
      const stopListening = node!.onInterrupted(() => undefined);
      assert.ok((await node!.publish('nobody', say(1))) === 0);
      await end();
      stopListening();
      await node!.flush?.();
    });

    test('a publisher hears itself or not, but always the same', 1, async ({ nodes: [node], hearsItself }) => {
      const inbox = new Inbox();
      await node!.subscribe('t', inbox.take);
      await node!.publish('t', say(1));
      await node!.publish('t', say(2));
      await inbox.has(...(hearsItself ? [say(1), say(2)] : []));
    });

    between(
      'after a cut, texts arrive again; what is missing was reported, and nothing comes twice',
      2,
      async (nodes, cluster) => {
        if (cluster.disturb === undefined) return;
        const [publisher, subscriber] = nodes;
        const inbox = new Inbox();
        let reports = 0;
        subscriber.onInterrupted(() => (reports += 1));
        await subscriber.subscribe('t', inbox.take);
        let [sent, isOver] = [0, false];
        const disturbed = cluster.disturb().finally(() => (isOver = true));
        // Something is underway at every moment of the cut.
        while (!isOver) {
          await publisher.publish('t', say((sent += 1))).catch(() => undefined);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await disturbed;
        const last = say('last');
        await eventually(async () => {
          await publisher.publish('t', last).catch(() => undefined);
          return inbox.texts.includes(last);
        });
        const received = inbox.texts.filter((text) => text !== last).map((text) => (JSON.parse(text) as [number])[0]);
        const rises = received.every((each, index) => index === 0 || each > received[index - 1]!);
        assert.ok(rises, 'texts came twice or out of order');
        assert.ok(
          received.length === sent || reports > 0,
          `${sent - received.length} of ${sent} are missing in silence`,
        );
      },
    );
  });
}
