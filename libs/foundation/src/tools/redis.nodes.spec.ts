import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { resolve } from '../config/resolve.js';
import { keysOf } from './keys.js';
import { Loads } from './loads.js';
import type { NodeRecord } from './nodes.js';
import { RedisNodes } from './redis.nodes.js';
import { createSeal } from './seal.js';

const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
const SMALL = ['Feed'];
const LARGE = Array.from({ length: 4000 }, (_, index) => `Process${index}`);

const recordOf = (classes: string[], load: number, more: Partial<NodeRecord> = {}): NodeRecord => ({
  ...{ name: 'n1', bootId: 'b1', host: 'h', pid: 1, version: '0', state: 'up', lag: 0, classes, load },
  ...{ labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 50 },
  ...more,
});

describe('RedisNodes', () => {
  let now: number;
  /** The load of the record that was written with each beat, if one was, and whether a hint told it. */
  let beats: { wrote: number | undefined; hinted: boolean }[];
  let failing: boolean;
  let hash: Record<string, string>;
  let nodes: RedisNodes;

  beforeEach(() => {
    [now, beats, failing, hash] = [0, [], false, {}];
    const client = {
      foundationNodeBeat: async (_count: number, ...rest: string[]) => {
        const args = rest.slice(5);
        const record = args[6] === '' ? undefined : (JSON.parse(args[6]!) as NodeRecord);
        beats.push({ wrote: record?.load, hinted: args[8] !== '' });
        if (failing) throw new Error('Command timed out');
        return ['ok', '1', '0', 'life 1', '5000', '', '0', '0'];
      },
      multi: () => ({
        get: () => ({
          hgetall: () => ({
            exec: async () => [
              [null, '1'],
              [null, { ...hash }],
            ],
          }),
        }),
      }),
    } as unknown as Redis;
    const [keys, seal] = [keysOf('test'), createSeal('test', undefined)];
    nodes = new RedisNodes(client, client, keys, config, seal, new Loads(seal, keys.hints), undefined, () => now);
  });

  const load = (classes: string[], value: number, changed = false) =>
    nodes.beat('n1', 'b1', { record: recordOf(classes, value), changed });
  const last = () => beats.at(-1);

  it('writes a small record with each load', async () => {
    for (let value = 1; value <= 3; value++) await load(SMALL, value);
    expect(beats.map(({ wrote }) => wrote)).toEqual([1, 2, 3]);
  });

  it('tells each load, and writes a large record with a regular beat at the latest', async () => {
    await load(LARGE, 1);
    now = 50;
    await load(LARGE, 2);
    expect(last()).toEqual({ wrote: undefined, hinted: true });
    now = 100;
    await load(LARGE, 3, true);
    expect(last()).toMatchObject({ wrote: 3 });
    now = 150;
    await load(LARGE, 4);
    expect(last()).toEqual({ wrote: undefined, hinted: true });
    now = 1100;
    await nodes.beat('n1', 'b1');
    expect(last()).toEqual({ wrote: 4, hinted: false });
    now = 2100;
    await nodes.beat('n1', 'b1');
    expect(last()).toEqual({ wrote: undefined, hinted: false });
  });

  it('owes a record until a beat with it was answered', async () => {
    await load(LARGE, 1);
    now = 1000;
    failing = true;
    await expect(load(LARGE, 2)).rejects.toThrow('timed out');
    failing = false;
    now = 1050;
    await nodes.beat('n1', 'b1');
    expect(last()).toMatchObject({ wrote: 2 });
  });

  it('reads a record anew only when its text is another one', async () => {
    const text = (value: number) => `b1 50 ${JSON.stringify(recordOf(SMALL, value))}`;
    hash = { n1: text(1) };
    const [first] = (await nodes.view()).members;
    expect((await nodes.view()).members[0]).toBe(first);
    hash = { n1: text(2) };
    expect((await nodes.view()).members[0]).toMatchObject({ load: 2, joinedAt: 50 });
    hash = {};
    expect((await nodes.view()).members).toEqual([]);
  });
});
