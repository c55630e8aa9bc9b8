import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { eventually } from '../../testing/eventually.js';
import { ConfirmationLane } from './confirmation.lane.js';
import type { Safety } from './streams.js';

type Reply = [error: Error | null, result?: unknown];

/** A client that answers pipelines when the test says so. */
class FakeClient extends EventEmitter {
  status = 'ready';
  isCluster = false;
  connections = 0;
  /** What each pipeline has asked for, as words. */
  readonly asked: string[][] = [];
  /** Answers to pipelines in their order: of the WAIT, what is gone before. */
  answer: (ids: string[]) => Promise<{ gone?: string[]; wait: unknown }> = () => Promise.resolve({ wait: 1 });

  pipeline(): object {
    const scripts: { ids: string[] }[] = [];
    let wait: string[] = [];
    const pipeline = {
      eval: (_lua: string, _keys: number, _key: string, _life: number, ...ids: string[]) => {
        scripts.push({ ids });
        return pipeline;
      },
      call: (...words: string[]) => {
        wait = words;
        return pipeline;
      },
      exec: async (): Promise<Reply[]> => {
        const ids = scripts.flatMap((script) => script.ids);
        this.asked.push([...ids, wait[0]!]);
        const { gone = [], wait: reply } = await this.answer(ids);
        return [
          ...scripts.map((script): Reply => [null, script.ids.filter((id) => gone.includes(id))]),
          reply instanceof Error ? [reply] : [null, reply],
        ];
      },
    };
    return pipeline;
  }

  disconnect(): void {
    this.status = 'end';
  }
}

const replyError = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });
const lane = (client: FakeClient, more: Partial<Safety> = {}, isThere = false): ConfirmationLane =>
  new ConfirmationLane(
    { acknowledge: { replicas: 1 }, timeout: 5000, ...more },
    {
      connect: () => {
        client.connections += 1;
        client.status = 'ready';
        return client as unknown as Redis;
      },
      isThere: () => Promise.resolve(isThere),
      unused: 1000,
    },
  );

it('asks once for what comes in a turn, and once for all that comes while it waits', async () => {
  const client = new FakeClient();
  let goOn!: () => void;
  client.answer = () => new Promise((resolve) => (goOn = () => resolve({ wait: 1 })));
  const one = lane(client);
  const first = ['1-0', '1-1'].map((id) => one.confirm('s', id));
  await eventually(() => client.asked.length === 1);
  const second = ['2-0', '2-1', '2-2'].map((id) => one.confirm('s', id));
  goOn();
  expect(await Promise.all(first)).toEqual([undefined, undefined]);
  await eventually(() => client.asked.length === 2);
  goOn();
  await Promise.all(second);
  expect(client.asked).toEqual([
    ['1-0', '1-1', 'wait'],
    ['2-0', '2-1', '2-2', 'wait'],
  ]);
});

it('looks for entries in pieces, and tells the streams that have them apart', async () => {
  const client = new FakeClient();
  client.answer = (ids) => Promise.resolve({ gone: ids.slice(-1), wait: [1, 0] });
  const one = lane(client, { acknowledge: 'fsync' });
  const all = Array.from({ length: 250 }, (_, index) => one.confirm('s', `${index}-0`));
  const other = one.confirm('t', '9-9');
  expect((await Promise.all(all)).filter(Boolean)).toEqual([]);
  expect(await other).toMatchObject({ isKept: false });
  expect(client.asked).toHaveLength(1);
});

it('looks for another primary when an entry is where it was kept, and not where it is waited for', async () => {
  const client = new FakeClient();
  client.answer = (ids) => Promise.resolve({ gone: client.connections === 1 ? ids.slice(0, 1) : [], wait: 1 });
  const one = lane(client, {}, true);
  expect(await Promise.all([one.confirm('s', '1-0'), one.confirm('s', '1-1')])).toEqual([undefined, undefined]);
  expect(client.connections).toBe(2);
  expect(client.asked).toEqual([
    ['1-0', '1-1', 'wait'],
    ['1-0', 'wait'],
  ]);
});

it('asks once more after an answer that passes, and not after a refusal', async () => {
  const client = new FakeClient();
  const replies: unknown[] = [
    replyError('UNBLOCKED force unblock from blocking operation, instance state changed'),
    new Error('Connection is closed.'),
    replyError("READONLY You can't write against a read only replica."),
    1,
    replyError("ERR unknown command 'wait', with args beginning with: '1' "),
  ];
  client.answer = () => Promise.resolve({ wait: replies.shift() });
  const one = lane(client);
  expect(await one.confirm('s', '1-0')).toBeUndefined();
  expect(await one.confirm('s', '1-1')).toMatchObject({
    isKept: true,
    reason: expect.stringContaining('unknown command'),
  });
  expect(client.asked).toHaveLength(5);
});

it('goes on waiting where Redis does not, and says in time that too few had it', async () => {
  const client = new FakeClient();
  client.answer = () => Promise.resolve({ wait: 0 });
  const unsafe = await lane(client, { timeout: 500 }).confirm('s', '1-0');
  expect(unsafe).toMatchObject({ isKept: true, reached: 0, reason: '0 of 1 replicas had it within 500 ms' });
  expect(client.asked.length).toBeGreaterThan(1);
  expect(client.asked.length).toBeLessThan(7);
});

it('gives up in time when nothing is answered, and says what the last trouble was', async () => {
  const client = new FakeClient();
  client.answer = () => Promise.reject(new Error('connect ECONNREFUSED 127.0.0.1:1'));
  expect(await lane(client, { timeout: 300 }).confirm('s', '1-0')).toMatchObject({
    ...{ isKept: true, reason: 'Redis did not say so within 300 ms (connect ECONNREFUSED 127.0.0.1:1)' },
  });
  client.answer = () => new Promise(() => undefined);
  expect(await lane(client, { timeout: 50 }).confirm('s', '1-0')).toMatchObject({
    reason: 'Redis did not say so within 50 ms',
  });
});

it('takes nothing odd for an acknowledgement', async () => {
  for (const wait of [null, 'OK', {}, [], ['x'], [0, 5], NaN, '']) {
    const client = new FakeClient();
    client.answer = () => Promise.resolve({ wait });
    expect(await lane(client, { acknowledge: 'fsync', timeout: 100 }).confirm('s', '1-0')).toBeDefined();
  }
});

it('ends what waits when it is closed', async () => {
  const client = new FakeClient();
  client.answer = () => new Promise(() => undefined);
  const one = lane(client);
  const waits = one.confirm('s', '1-0');
  await eventually(() => client.asked.length === 1);
  one.close();
  expect(await waits).toMatchObject({ isKept: true, reason: expect.stringContaining('left') });
  expect(await one.confirm('s', '1-1')).toMatchObject({ isKept: true });
  expect(client.status).toBe('end');
});
