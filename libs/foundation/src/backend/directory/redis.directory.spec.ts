import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { resolve } from '../../config/resolve.js';
import { createSigner } from '../../security/signer.js';
import { keysOf } from '../../wire/keys.js';
import type { NodeRecord } from './directory.js';
import { Loads } from './load.hints.js';
import { RedisNodeDirectory } from './redis.directory.js';

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
  let wrote: NodeRecord | undefined;
  let hash: Record<string, string>;
  let nodes: RedisNodeDirectory;
  let beat: string[] | undefined;
  let joins: string[][];

  beforeEach(() => {
    [now, beats, failing, hash, beat, joins] = [0, [], false, {}, undefined, []];
    const client = {
      foundationNodeBeat: async (_count: number, ...rest: string[]) => {
        const args = rest.slice(6);
        const record = args[6] === '' ? undefined : (JSON.parse(args[6]!) as NodeRecord);
        if (record !== undefined) wrote = record;
        beats.push({ wrote: record?.load, hinted: args[8] !== '' });
        if (failing) throw new Error('Command timed out');
        return beat ?? ['ok', '1', '0', 'life 1', '5000', '', '', '0', '0'];
      },
      foundationNodeJoin: async (_count: number, ...rest: string[]) => {
        joins.push(rest.slice(7));
        return ['', '7000'];
      },
      foundationNodesView: async () => ['1', '1', 'all', ...Object.entries(hash).flat()],
    } as unknown as Redis;
    const [keys, seal] = [keysOf('test'), createSigner('test', undefined)];
    nodes = new RedisNodeDirectory({
      client,
      control: client,
      keys,
      config,
      seal,
      loads: new Loads(seal, keys.hints),
      now: () => now,
    });
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

  it('parses a record again only when its text has changed', async () => {
    const text = (value: number) => `b1 50 ${JSON.stringify(recordOf(SMALL, value))}`;
    hash = { n1: text(1) };
    const [first] = (await nodes.view()).members;
    expect((await nodes.view()).members[0]).toBe(first);
    hash = { n1: text(2) };
    expect((await nodes.view()).members[0]).toMatchObject({ load: 2, joinedAt: 50 });
    hash = {};
    expect((await nodes.view()).members).toEqual([]);
  });

  it('is not taken for replaced by what is not believed, and joins over that', async () => {
    const replaced = (theirs: string) => ['replaced', '1', '0', 'life 1', '5000', 'b9', theirs, '0', '0'];
    beat = replaced(`b9 50 ${JSON.stringify(recordOf(SMALL, 0, { bootId: 'b9' }))}`);
    expect(await load(SMALL, 1)).toMatchObject({ status: 'replaced', otherBootId: 'b9' });
    const forged = 'b9 50 ~forged';
    beat = replaced(forged);
    expect(await load(SMALL, 1)).toMatchObject({ status: 'gone' });
    expect(await nodes.join(recordOf(SMALL, 1))).toMatchObject({ joined: true });
    expect(joins[0]!.at(-1)).toBe(forged);
    await nodes.join(recordOf(SMALL, 1));
    expect(joins[1]!.at(-1)).toBe('');
  });

  it('goes by what it knew of a node in whose place lies what is not believed, for as long as that has for a beat', async () => {
    const text = `b2 50 ${JSON.stringify(recordOf(SMALL, 1, { name: 'n2', bootId: 'b2', ttl: 3000 }))}`;
    hash = { n2: text };
    const [known] = (await nodes.view()).members;
    hash = { n2: 'b9 50 ~forged', n3: 'b9 50 ~forged' };
    for (now = 0; now < 3000; now += 500) expect((await nodes.view()).members).toEqual([known]);
    expect((await nodes.view()).members).toEqual([]);
    // It has written it again, in between: then its time begins anew.
    hash = { n2: text };
    expect((await nodes.view()).members).toEqual([known]);
    hash = { n2: 'b9 50 ~forged' };
    expect((await nodes.view()).members).toEqual([known]);
  });

  it('writes its own record again when something else lies in its place under its boot id', async () => {
    await load(SMALL, 1);
    hash = { n1: `b1 50 ${JSON.stringify(recordOf(SMALL, 1))}` };
    await nodes.view();
    await nodes.beat('n1', 'b1');
    expect(last()).toMatchObject({ wrote: undefined });
    hash = { n1: 'b1 50 ~forged' };
    await nodes.view();
    await nodes.beat('n1', 'b1');
    expect(last()).toMatchObject({ wrote: 1 });
  });

  describe('of nodes with thousands of names', () => {
    const declares = Object.fromEntries(LARGE.map((name) => [name, 'singleton 1 5f0c7a19']));
    const written = async (name: string, value: number, classes = LARGE): Promise<string> => {
      await nodes.beat(name, `boot ${name}`, {
        record: recordOf(classes, value, { name, bootId: `boot-${name}`, declares }),
        changed: true,
      });
      return `boot-${name} 50 ${JSON.stringify(wrote)}`;
    };
    const member = async (name: string): Promise<NodeRecord> =>
      (await nodes.view()).members.find((each) => each.name === name)!;

    it('reads what they have in common once', async () => {
      hash = { n1: await written('n1', 1), n2: await written('n2', 2) };
      const [one, other] = [await member('n1'), await member('n2')];
      expect([one.load, other.load]).toEqual([1, 2]);
      expect(other.classes).toBe(one.classes);
      expect(other.declares).toBe(one.declares);
      hash.n2 = await written('n2', 3);
      const later = await member('n2');
      expect(later).toMatchObject({ load: 3, classes: LARGE });
      expect(later.declares).toEqual(declares);
      expect(later.classes).toBe(one.classes);
    });

    it('reads those of another version apart', async () => {
      const more = [...LARGE, 'Another'];
      hash = { n1: await written('n1', 1), n2: await written('n2', 2, more) };
      expect((await member('n2')).classes).toEqual(more);
      expect((await member('n1')).classes).toEqual(LARGE);
    });

    it('reads the declarations of one beside a node that declares nothing', async () => {
      const silent = JSON.stringify(recordOf(LARGE, 1, { name: 'n1', bootId: 'boot-n1' }));
      hash = { n1: `boot-n1 50 {"classes":${JSON.stringify(LARGE)},${silent.slice(1)}` };
      expect((await member('n1')).declares).toBeUndefined();
      const { classes, ...rest } = recordOf(LARGE, 2, { name: 'n2', bootId: 'boot-n2' });
      hash.n2 = `boot-n2 50 ${JSON.stringify({ classes, declares, ...rest })}`;
      expect((await member('n2')).declares).toEqual(declares);
    });

    it('reads a record that begins with something else', async () => {
      const { classes, ...rest } = recordOf(LARGE, 1, { name: 'n2', bootId: 'boot-n2' });
      hash = { n1: await written('n1', 1), n2: `boot-n2 50 ${JSON.stringify({ ...rest, classes })}` };
      expect(await member('n2')).toMatchObject({ load: 1, classes: LARGE });
    });

    it('holds what is read to its bounds', async () => {
      const evil = JSON.stringify({
        ...recordOf([], 1, { name: 'n2' }),
        bootId: 'b2',
        classes: [7, 'Feed', 'x'.repeat(500)],
      });
      hash = { n2: `b2 50 {"classes":${JSON.stringify(LARGE)},${evil.slice(1)}` };
      expect(await member('n2')).toMatchObject({ classes: ['Feed'] });
      expect(await member('n2')).toMatchObject({ classes: ['Feed'] });
    });
  });
});
