/* eslint-disable max-lines -- a suite is one list of cases */
/**
 * What every adapter of the streams promises, as a suite: order, redelivery, dead letters, groups, positions and
 * bounds. The local streams and those in Redis pass it.
 */
import assert from 'node:assert/strict';
import {
  compareIds,
  type Consumer,
  type ConsumerListener,
  type ConsumerOptions,
  type KeptOnce,
  type StreamEntry,
  type Streams,
} from '../../backend/streams/streams.js';
import { eventually } from '../eventually.js';
import { type ContractCluster, type ContractOptions, contractTests, type TestRunner } from './contract.js';

/** See {@link ContractCluster}; no stream has an entry yet. */
export interface StreamsCluster extends ContractCluster<Streams> {
  /** False where it is unknown what was trimmed unread, as in Redis before 7. Default true. */
  countsLost?: boolean;
}

const STREAM = 'orders';
const MANY = 1_000_000;
const OPTIONS: ConsumerOptions = {
  stream: STREAM,
  group: 'billing',
  from: '0',
  batch: 10,
  retryAfter: 200,
  maxDeliveries: 5,
};

/** A consumer that notes what it is given, and does with it what the test says. */
class Reader implements ConsumerListener {
  readonly taken: StreamEntry[] = [];
  readonly dead: [entry: StreamEntry, reason: string][] = [];
  lostCount = 0;
  consumer!: Consumer;
  /** What becomes of the entries of one `take`. Default: each is acknowledged. */
  handle: (entries: StreamEntry[]) => Promise<unknown> = (entries) =>
    Promise.all(entries.map(({ id }) => this.consumer.acknowledge(id)));

  static async of(
    streams: Streams,
    more: Partial<ConsumerOptions> = {},
    handle?: Reader['handle'],
    room?: ConsumerListener['room'],
  ): Promise<Reader> {
    const reader = new Reader();
    if (handle !== undefined) reader.handle = handle;
    // What is there already may be taken before the consumer is returned.
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const take = (entries: StreamEntry[]): Promise<void> => begun.then(() => reader.take(entries));
    const { buried, lost } = reader;
    reader.consumer = await streams.consume({ ...OPTIONS, ...more }, { take, buried, lost, room });
    begin();
    return reader;
  }

  async take(entries: StreamEntry[]): Promise<void> {
    this.taken.push(...entries);
    await this.handle(entries);
  }

  readonly buried = (entry: StreamEntry, reason: string): void => void this.dead.push([entry, reason]);
  readonly lost = (count: number): void => void (this.lostCount += count);

  get texts(): string[] {
    return this.taken.map(({ text }) => text);
  }

  /** The text and the number of the delivery of each. */
  get deliveries(): string[] {
    return this.taken.map(({ text, deliveries }) => `${text} ${deliveries}`);
  }

  async has(...expected: string[]): Promise<void> {
    await eventually(() => this.taken.length >= expected.length, {
      what: `${expected.length} entries`,
      lastSeen: () => this.deliveries,
    });
    assert.deepEqual(this.texts, expected);
  }
}

const texts = (count: number, first = 0): string[] =>
  Array.from({ length: count }, (_, index) => JSON.stringify(first + index));

async function append(streams: Streams, ...all: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const text of all) ids.push(await streams.append(STREAM, text, MANY));
  return ids;
}

/** Waits for something that must not come; as long as a redelivery would take at most. */
async function pass(ms = 3 * OPTIONS.retryAfter): Promise<void> {
  const until = performance.now() + ms;
  await eventually(() => performance.now() > until);
}

const never = (): Promise<never> => new Promise(() => undefined);
const nothing = (): Promise<void> => Promise.resolve();

/** Declares the suite; see `leasesContract`. */
export function streamsContract(
  name: string,
  makeCluster: (size: number) => Promise<StreamsCluster>,
  runner: TestRunner,
  options: ContractOptions = {},
): void {
  const { alone, between } = contractTests<Streams, StreamsCluster>(makeCluster, runner, options);

  runner.describe(`The contract of streams: ${name}`, () => {
    alone('keeps texts of any characters in order, with ids that rise', async ([streams]) => {
      const all = [...texts(50), JSON.stringify('ä€😀"\\'.repeat(10_000))];
      const ids = await append(streams, ...all);
      assert.ok(ids.every((id, index) => index === 0 || compareIds(ids[index - 1]!, id) < 0));
      const entries = await streams.range(STREAM, '-', '+', MANY);
      assert.deepEqual(
        entries.map(({ id, text, deliveries }) => [id, text, deliveries]),
        ids.map((id, index) => [id, all[index], 0]),
      );
    });

    alone('keeps a text once for as long as its id is remembered', async ([streams]) => {
      const keep = (id: string, within = 60_000): Promise<KeptOnce> =>
        streams.appendOnce(STREAM, JSON.stringify(id), MANY, { id, within, at: Date.now() });
      const ids = [await keep('a'), ...(await Promise.all([keep('b'), keep('b')])), await keep('a')];
      assert.deepEqual(
        ids.map(({ isNew }) => isNew),
        [true, true, false, false],
      );
      assert.deepEqual([ids[2]!.id, ids[3]!.id], [ids[1]!.id, ids[0]!.id]);
      assert.equal((await keep('short', 1)).isNew, true);
      await eventually(async () => (await keep('short', 1)).isNew);
      const kept = (await streams.range(STREAM, '-', '+', MANY)).map(({ text }) => text);
      assert.deepEqual(
        kept,
        ['a', 'b', 'short', 'short'].map((text) => JSON.stringify(text)),
      );
    });

    alone('reads a range: from, after, to, and at most so many', async ([streams]) => {
      assert.deepEqual(await streams.range(STREAM, '-', '+', 10), []);
      const ids = await append(streams, ...texts(5));
      const read = async (from: string, to: string, count = MANY): Promise<string[]> =>
        (await streams.range(STREAM, from, to, count)).map(({ text }) => text);
      assert.deepEqual(await read(ids[1]!, ids[3]!), texts(3, 1));
      assert.deepEqual(await read(`(${ids[1]}`, '+'), texts(3, 2));
      assert.deepEqual(await read('-', '+', 2), texts(2));
      assert.deepEqual(await read('0', String(Number(ids[4]!.split('-')[0]) + 1000)), texts(5));
      assert.deepEqual(await read(ids[4]!.split('-')[0]!, ids[4]!.split('-')[0]!).then((last) => last.at(-1)), '4');
      assert.deepEqual(await read(String(Number(ids[4]!.split('-')[0]) + 1000), '+'), []);
    });

    alone('keeps about as many as it may; the oldest go', async ([streams]) => {
      for (const text of texts(1000)) await streams.append(STREAM, text, 20);
      const kept = (await streams.range(STREAM, '-', '+', MANY)).map(({ text }) => text);
      assert.ok(kept.length >= 20 && kept.length <= 250, `${kept.length} are kept`);
      assert.deepEqual(kept, texts(kept.length, 1000 - kept.length));
    });

    alone('gives a group every text in order, once, with the number of the delivery', async ([streams]) => {
      await append(streams, ...texts(20));
      const reader = await Reader.of(streams);
      await append(streams, ...texts(20, 20));
      await reader.has(...texts(40));
      assert.ok(reader.taken.every(({ deliveries }) => deliveries === 1));
      await pass();
      assert.equal(reader.taken.length, 40);
      await reader.consumer.close();
    });

    alone('begins a group where it says: at the start, after an id, or with what comes', async ([streams]) => {
      const ids = await append(streams, ...texts(4));
      const [all, after, next] = await Promise.all([
        Reader.of(streams, { group: 'all', from: '0' }),
        Reader.of(streams, { group: 'after', from: ids[1]! }),
        Reader.of(streams, { group: 'next', from: '$' }),
      ]);
      await append(streams, '"next"');
      await all.has(...texts(4), '"next"');
      await after.has(...texts(2, 2), '"next"');
      await next.has('"next"');
    });

    alone('goes on where a group was, whatever the next consumer asks for', async ([streams]) => {
      await append(streams, ...texts(3));
      const first = await Reader.of(streams);
      await first.has(...texts(3));
      await first.consumer.close();
      await append(streams, ...texts(3, 3));
      const second = await Reader.of(streams, { from: '$' });
      await second.has(...texts(3, 3));
    });

    alone('gives each group all, and each text to one consumer of a group', async ([streams]) => {
      const [one, two, other] = await Promise.all([
        Reader.of(streams, { batch: 1 }),
        Reader.of(streams, { batch: 1 }),
        Reader.of(streams, { group: 'shipping' }),
      ]);
      await append(streams, ...texts(60));
      await other.has(...texts(60));
      await eventually(() => one.taken.length + two.taken.length >= 60, { what: 'All texts' });
      const taken = [...one.texts, ...two.texts].map(Number).sort((a, b) => a - b);
      assert.deepEqual(taken, texts(60).map(Number));
    });

    alone('gives out no more than a batch, and nothing before that is handled', async ([streams]) => {
      await append(streams, ...texts(25));
      const batches: number[] = [];
      let handling = 0;
      const reader = await Reader.of(streams, { batch: 4, retryAfter: 5000 }, async (entries) => {
        handling += 1;
        assert.equal(handling, 1);
        batches.push(entries.length);
        await Promise.all(entries.map(({ id }) => reader.consumer.acknowledge(id)));
        await new Promise((resolve) => setImmediate(resolve));
        handling -= 1;
      });
      await reader.has(...texts(25));
      assert.ok(
        batches.every((size) => size >= 1 && size <= 4),
        String(batches),
      );
    });

    alone(
      'gives out more beside what is under way, as long as there is room, and none of that again',
      async ([streams]) => {
        let release = (): void => undefined;
        const held = new Promise<void>((resolve) => (release = resolve));
        // Two at a time, of which the first holds one place; the rest come one after the other.
        const one = async (reader: Reader, { id, text }: StreamEntry): Promise<void> => {
          if (text === '0') await held;
          await reader.consumer.acknowledge(id);
        };
        const room = nothing;
        const reader = await Reader.of(streams, { batch: 2 }, undefined, room);
        reader.handle = (entries) => Promise.all(entries.map((entry) => one(reader, entry)));
        await append(streams, ...texts(1));
        await reader.has(...texts(1));
        await append(streams, ...texts(30, 1));
        await reader.has(...texts(31));
        await pass(5 * OPTIONS.retryAfter);
        assert.equal(reader.taken.length, 31);
        let isClosed = false;
        const closing = reader.consumer.close().then(() => (isClosed = true));
        await pass(OPTIONS.retryAfter);
        assert.equal(isClosed, false);
        release();
        await closing;
      },
    );

    alone('redelivers what failed while the rest of its batch is under way', async ([streams]) => {
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const one = async (reader: Reader, { id, text, deliveries }: StreamEntry): Promise<void> => {
        if (text === '1' && deliveries === 1) return reader.consumer.leave(id);
        if (text === '0') await held;
        await reader.consumer.acknowledge(id);
      };
      await append(streams, ...texts(2));
      const reader = await Reader.of(streams, {}, undefined, nothing);
      reader.handle = (entries) => Promise.all(entries.map((entry) => one(reader, entry)));
      await eventually(() => reader.taken.length === 3, { what: 'Once more', lastSeen: () => reader.deliveries });
      assert.deepEqual(reader.deliveries, ['0 1', '1 1', '1 2']);
      await pass(5 * OPTIONS.retryAfter);
      assert.equal(reader.taken.length, 3);
      release();
      await reader.consumer.close();
    });

    alone('redelivers what was not acknowledged, and says how often it was delivered', async ([streams]) => {
      await append(streams, '"fails"', '"works"');
      const reader = await Reader.of(streams, {}, async (entries) => {
        for (const { id, text, deliveries } of entries)
          if (text === '"works"' || deliveries === 3) await reader.consumer.acknowledge(id);
      });
      await eventually(() => reader.deliveries.includes('"fails" 3'), { lastSeen: () => reader.deliveries });
      await pass();
      const failed = reader.deliveries.filter((each) => each.startsWith('"fails"'));
      assert.deepEqual(failed, ['"fails" 1', '"fails" 2', '"fails" 3']);
      assert.deepEqual(
        reader.deliveries.filter((each) => each.startsWith('"works"')),
        ['"works" 1'],
      );
    });

    alone('does not redeliver what is still being handled', async ([streams]) => {
      await append(streams, '"slow"');
      let end = (): void => undefined;
      const reader = await Reader.of(streams, {}, async (entries) => {
        await new Promise<void>((resolve) => (end = resolve));
        for (const { id } of entries) await reader.consumer.acknowledge(id);
      });
      await reader.has('"slow"');
      const other = await Reader.of(streams);
      await pass(4 * OPTIONS.retryAfter);
      assert.deepEqual(other.texts, []);
      end();
      await pass();
      assert.deepEqual([...reader.deliveries, ...other.texts], ['"slow" 1']);
    });

    alone('buries what was delivered too often, and goes on', async ([streams]) => {
      const [id] = await append(streams, '"poison"');
      const reader = await Reader.of(streams, { maxDeliveries: 2 }, nothing);
      await eventually(() => reader.dead.length > 0, { what: 'A dead letter', lastSeen: () => reader.deliveries });
      assert.deepEqual(reader.deliveries, ['"poison" 1', '"poison" 2']);
      const [[entry, reason]] = reader.dead as [[StreamEntry, string]];
      assert.deepEqual([entry.id, entry.text, entry.deliveries], [id, '"poison"', 2]);
      assert.match(reason, /2 times/);
      await append(streams, '"next"');
      await eventually(() => reader.texts.includes('"next"'));
      assert.equal(reader.texts.filter((text) => text === '"poison"').length, 2);
    });

    alone('does not give out again what was buried, released late or acknowledged', async ([streams]) => {
      await append(streams, '"bad"', '"good"');
      const reader = await Reader.of(streams, {}, async (entries) => {
        for (const entry of entries) {
          if (entry.text === '"good"') await reader.consumer.acknowledge(entry.id);
          else assert.equal(await reader.consumer.bury(entry, 'a reason'), true);
          assert.equal(await reader.consumer.bury(entry, 'once more'), false, 'it is nobody’s by now');
          await reader.consumer.release([entry]);
        }
      });
      await pass();
      assert.deepEqual(reader.deliveries, ['"bad" 1', '"good" 1']);
      assert.deepEqual(reader.dead, [], 'it is the one who buries that knows');
    });

    alone('leaves to another consumer what it has by now', async ([streams]) => {
      await append(streams, '"text"');
      const slow = await Reader.of(streams, {}, nothing);
      await slow.has('"text"');
      await slow.consumer.close();
      const other = await Reader.of(streams, {}, never);
      await other.has('"text"');
      const [entry] = slow.taken;
      assert.equal(await slow.consumer.bury(entry!, 'too late'), false);
      await slow.consumer.release([entry!]);
      await pass();
      assert.deepEqual(other.deliveries, ['"text" 2']);
      streams.close();
    });

    alone('gives released entries out again; that time does not count', async ([streams]) => {
      await append(streams, '"text"');
      let isFirst = true;
      const reader = await Reader.of(streams, {}, async (entries) => {
        if (isFirst) await reader.consumer.release(entries);
        else for (const { id } of entries) await reader.consumer.acknowledge(id);
        isFirst = false;
      });
      await eventually(() => reader.taken.length === 2, { lastSeen: () => reader.deliveries });
      assert.deepEqual(reader.deliveries, ['"text" 1', '"text" 1']);
    });

    alone('gives another consumer what is released after it was handled', async ([streams]) => {
      await append(streams, '"text"');
      const first = await Reader.of(streams, { retryAfter: 2000 }, nothing);
      await first.has('"text"');
      const second = await Reader.of(streams, { retryAfter: 2000 });
      const closing = first.consumer.close();
      await first.consumer.release(first.taken);
      await closing;
      await second.has('"text"');
      assert.deepEqual(second.deliveries, ['"text" 1']);
    });

    alone('takes nothing once it is closed; what it left goes to another', async ([streams]) => {
      await append(streams, '"begun"');
      let end = (): void => undefined;
      const first = await Reader.of(streams, { batch: 1 }, () => new Promise<void>((resolve) => (end = resolve)));
      await first.has('"begun"');
      let isClosed = false;
      const closed = first.consumer.close().then(() => (isClosed = true));
      await append(streams, '"later"');
      const second = await Reader.of(streams);
      await second.has('"later"');
      assert.equal(isClosed, false, 'it waits for what it handles');
      end();
      await closed;
      await second.has('"later"', '"begun"');
      assert.deepEqual(first.texts, ['"begun"']);
    });

    alone(
      'reports what was trimmed before it was read, as exactly as what it gives out',
      async ([streams], cluster) => {
        let end = (): void => undefined;
        const reader = await Reader.of(streams, { batch: 1, retryAfter: 5000 }, async (entries) => {
          if (reader.taken.length === 1) await new Promise<void>((resolve) => (end = resolve));
          await Promise.all(entries.map(({ id }) => reader.consumer.acknowledge(id)));
        });
        await append(streams, '"first"');
        await reader.has('"first"');
        for (const text of texts(1000)) await streams.append(STREAM, text, 20);
        end();
        await eventually(() => reader.texts.at(-1) === '999', { lastSeen: () => reader.texts.at(-1) });
        const taken = reader.taken.length - 1;
        assert.ok(taken < 500, `${taken} were not trimmed`);
        if (cluster.countsLost !== false) assert.equal(reader.lostCount, 1000 - taken);
      },
    );

    alone('keeps streams apart', async ([streams]) => {
      const other = await Reader.of(streams, { stream: 'other' });
      await append(streams, ...texts(3));
      await streams.append('other', '"other"', MANY);
      await other.has('"other"');
      assert.deepEqual(
        (await streams.range('other', '-', '+', MANY)).map(({ text }) => text),
        ['"other"'],
      );
    });

    alone('ends its consumers when it is closed', async ([streams]) => {
      const reader = await Reader.of(streams);
      await append(streams, '"before"');
      await reader.has('"before"');
      streams.close();
      await streams.append(STREAM, '"after"', MANY);
      await pass();
      assert.deepEqual(reader.texts, ['"before"']);
    });

    between('gives a text of one node to a consumer on another, and what a node left to the next', async ([a, b]) => {
      const first = await Reader.of(b, {}, nothing);
      await append(a, '"text"');
      await first.has('"text"');
      b.close();
      const second = await Reader.of(a);
      await second.has('"text"');
      assert.deepEqual(second.deliveries, ['"text" 2']);
      assert.equal((await a.range(STREAM, '-', '+', MANY)).length, 1);
    });
  });
}
