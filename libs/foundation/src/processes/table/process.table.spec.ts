import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import { LocalTable } from '../../backend/tables/local.table.js';
import type { Table } from '../../backend/tables/table.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { MembershipListener } from '../../cluster/member.js';
import { processDefaults } from '../../config/resolve.js';
import type { Hint } from '../../wire/hint.js';
import { writeEntry } from './process.entry.js';
import { isEnded, parseEntry, type ProcessEntry, ProcessTable } from './process.table.js';

const entry = (more: Partial<ProcessEntry> = {}): ProcessEntry => ({
  name: 'feed',
  type: 'Feed',
  declared: true,
  kind: 'singleton',
  count: 1,
  args: [],
  options: processDefaults({}),
  placement: { strategy: 'spread', labels: {} },
  handoff: false,
  rebalance: 'off',
  status: 'wanted',
  after: 0,
  confirmed: true,
  ...more,
});

const parse = (value: unknown, key = 'feed') =>
  parseEntry({ key, version: 5, value: typeof value === 'string' ? value : JSON.stringify(value) });

describe('parseEntry', () => {
  it('reads what the table writes', () => {
    const full = entry({
      args: [1, { a: null }],
      avoid: 'n2',
      error: 'it broke',
      crashes: 2,
      retryAt: 12,
      status: 'backing-off',
    });
    expect(parse(full)).toEqual({ ...full, version: 5 });
    expect(parse(entry({ options: processDefaults({ timeout: 'infinity' }) }))).toBeDefined();
  });

  it.each(['wanted', 'backing-off', 'once', 'completed', 'stopped', 'failed', 'escalated'] as const)(
    'knows the status %s',
    (status) => {
      expect(parse(entry({ status }))?.status).toBe(status);
    },
  );

  it('takes the version of the row, not one that the value claims', () => {
    expect(parse({ ...entry(), version: 99 })?.version).toBe(5);
  });

  const options = processDefaults({});
  it.each<[string, unknown]>([
    ['no JSON', 'nonsense'],
    ['an empty text', ''],
    ['null', null],
    ['a number', 5],
    ['an array', []],
    ['an empty object', {}],
    ['another name', entry({ name: 'other' })],
    ['no type', { ...entry(), type: undefined }],
    ['args that are no array', { ...entry(), args: 'EUR' }],
    ['a text for after', { ...entry(), after: '5' }],
    ['an unknown status', { ...entry(), status: 'running' }],
    ['no status', { ...entry(), status: undefined }],
    ['a status in an array', { ...entry(), status: ['wanted', 'x'] }],
    ['no options', { ...entry(), options: null }],
    ['options that are a text', { ...entry(), options: 'permanent' }],
    ['an unknown restart', entry({ options: { ...options, restart: 'always' as 'permanent' } })],
    ['a count as text', { ...entry(), options: { ...options, maxRestarts: '5' } }],
    ['no stop timeout', { ...entry(), options: { ...options, stopTimeout: null } }],
    ['a timeout as text', { ...entry(), options: { ...options, timeout: 'never' } }],
    ['no backoff', { ...entry(), options: { ...options, backoff: undefined } }],
    ['a row that names itself through the prototype', '{"__proto__":{"name":"feed"}}'],
    ['options from the prototype', { ...entry(), options: undefined, __proto__: null }],
  ])('refuses %s', (_what, value) => {
    expect(parse(value)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a backoff of null', { ...entry(), options: { ...options, backoff: null } }],
    ['a backoff without numbers', { ...entry(), options: { ...options, backoff: {} } }],
    ['an unknown placement', { ...entry(), placement: { strategy: 'anywhere', labels: {} } }],
    ['a placement that is a text', { ...entry(), placement: 'spread' }],
    ['a placement of null', { ...entry(), placement: null }],
    ['labels that are no texts', { ...entry(), placement: { strategy: 'spread', labels: { role: 5 } } }],
    ['an unknown kind', { ...entry(), kind: 'twin' }],
    ['a kind in an array', { ...entry(), kind: ['singleton'] }],
    ['a count that is no number', { ...entry(), count: '3' }],
    ['handoff as text', { ...entry(), handoff: 'no' }],
    ['an unknown rebalance', { ...entry(), rebalance: 'always' }],
    ['a process it belongs to that is no text', { ...entry(), of: 5 }],
    ['a preferred node that is no text', { ...entry(), prefer: ['n1'] }],
    ['declared as text', { ...entry(), declared: 'no' }],
    ['confirmed missing', { ...entry(), confirmed: undefined }],
    ['an error that is no text', { ...entry(), error: { a: 1 } }],
    ['a time that is no number', { ...entry(), retryAt: 'soon' }],
    ['an endless after', JSON.stringify(entry()).replace('"after":0', '"after":1e999')],
    ['a status in an array', { ...entry(), status: ['wanted'] }],
    // Whoever writes to Redis writes rows: beyond the bounds of the API nothing is believed (EH2).
    ['more partitions than memory', { ...entry(), kind: 'partitioned', count: Number.MAX_SAFE_INTEGER }],
    ['one partition too many', { ...entry(), kind: 'partitioned', count: 4097 }],
    ['no partitions', { ...entry(), kind: 'partitioned', count: 0 }],
    ['fewer replicas than none', { ...entry(), kind: 'replicated', count: -1 }],
    ['half a replica', { ...entry(), kind: 'replicated', count: 1.5 }],
    ['two of a singleton', { ...entry(), count: 2 }],
    ['a negative epoch', { ...entry(), after: -1 }],
    ['negative crashes', { ...entry(), crashes: -1 }],
    ['a type of a megabyte', { ...entry(), type: 'T'.repeat(1_000_000) }],
    ['a row of two megabytes', { ...entry(), args: ['x'.repeat(2_000_000)] }],
    ['no restarts at all', { ...entry(), options: { ...options, maxRestarts: -1 } }],
    ['a window without an end', { ...entry(), options: { ...options, maxSeconds: Number.MAX_SAFE_INTEGER } }],
    ['a window of nothing', { ...entry(), options: { ...options, maxSeconds: 0 } }],
    ['a timeout beyond timers', { ...entry(), options: { ...options, timeout: 2 ** 31 } }],
    ['a stop timeout of a year', { ...entry(), options: { ...options, stopTimeout: 31_536_000_000 } }],
    ['a negative backoff', { ...entry(), options: { ...options, backoff: { base: -1, cap: 5 } } }],
    ['a time in the past of everything', { ...entry(), retryAt: -5 }],
    ['a node with an endless name', { ...entry(), prefer: 'n'.repeat(1000) }],
    ['a part of a process without a name', { ...entry(), of: '' }],
  ])('refuses %s', (_what, value) => {
    expect(parse(value)).toBeUndefined();
  });

  it.each(['feed#1', 'feed/1', 'feed@n1', '', 'x'.repeat(201), 'two\nlines'])('refuses the name %j', (name) => {
    expect(parse(entry({ name }), name)).toBeUndefined();
  });

  it('reads a part of a process with as many as there may be, and cuts the text of an error', () => {
    const part = entry({ name: 'feed/4095', of: 'feed', kind: 'partitioned', count: 4096 });
    expect(parse(part, 'feed/4095')).toEqual({ ...part, version: 5 });
    expect(parse(entry({ error: 'x'.repeat(100_000) }))!.error!.length).toBeLessThanOrEqual(1001);
  });

  it.each(['__proto__', 'constructor', 'prototype'])('does not let %s through', (name) => {
    const text = JSON.stringify(entry()).replace('{', `{"${name}":{"polluted":true},`);
    const parsed = parse(text);
    if (parsed !== undefined) expect(Object.getOwnPropertyNames(parsed)).not.toContain(name);
    expect((parsed as unknown as Record<string, unknown> | undefined)?.['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('writeEntry', () => {
  it('writes 0 for a replica on every node, as every version reads it', () => {
    const all = entry({ kind: 'replicated', count: 'all' });
    const text = writeEntry({ ...all, version: 7 });
    expect(JSON.parse(text)).toEqual({ ...all, count: 0 });
    expect(parse(text)).toEqual({ ...all, version: 5 });
    expect(parse(JSON.stringify(all))).toBeUndefined();
  });
});

describe('isEnded', () => {
  it.each([
    ['wanted', false],
    ['backing-off', false],
    ['once', false],
    ['completed', true],
    ['stopped', true],
    ['failed', true],
    ['escalated', true],
  ] as const)('%s: %s', (status, ended) => {
    expect(isEnded(status)).toBe(ended);
  });
});

describe('ProcessTable', () => {
  let shared: Table;
  let hints: ((hint: Hint) => void)[];
  let clock: number;

  /** One node's copy of the shared table. */
  function copy() {
    const listeners: MembershipListener[] = [];
    const leases = { forget: jest.fn(async (_names: readonly string[]) => undefined) };
    const onHint = (each: (hint: Hint) => void) => hints.push(each);
    const backend = { kind: 'redis', table: shared, leases, onHint };
    const membership = {
      listen: (each: MembershipListener) => listeners.push(each),
      clusterNow: () => clock,
      self: { name: 'n1' },
      members: () => [{ name: 'n1' }],
      beatEvery: 1000,
    };
    const table = new ProcessTable(backend as unknown as Backend, membership as unknown as ClusterView);
    return { table, listeners, leases };
  }

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = 1_700_000_000_000;
    hints = [];
    shared = new LocalTable(
      () => queueMicrotask(() => hints.forEach((each) => each({ t: 'table' }))),
      () => clock,
    );
  });

  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('writes a change, returns it with its version, and tells its listeners', async () => {
    const { table } = copy();
    const changed = jest.fn();
    table.onChange(changed);
    const written = await table.change('feed', () => entry());
    expect(written).toEqual({ ...entry(), version: clock * 1000 });
    expect(table.get('feed')).toEqual(written);
    expect(table.processes()).toEqual([written]);
    expect(changed).toHaveBeenCalled();
  });

  it('changes nothing for undefined', async () => {
    const { table } = copy();
    const put = jest.spyOn(shared, 'put');
    expect(await table.change('feed', () => undefined)).toBeUndefined();
    expect(put).not.toHaveBeenCalled();
  });

  it('is copied by the others after a hint', async () => {
    const [one, two] = [copy(), copy()];
    await one.table.change('feed', () => entry({ args: ['EUR'] }));
    await turn();
    expect(two.table.get('feed')).toEqual(one.table.get('feed'));
  });

  it('calls the change again with what another node wrote in between', async () => {
    const [one, two] = [copy(), copy()];
    hints.length = 0;
    await one.table.change('feed', () => entry({ after: 1 }));
    const seen: (number | undefined)[] = [];
    const written = await two.table.change('feed', (current) => {
      seen.push(current?.after);
      return entry({ after: (current?.after ?? 0) + 10 });
    });
    expect(seen).toEqual([undefined, 1]);
    expect(written?.after).toBe(11);
  });

  it('loses no change of many at once', async () => {
    const copies = [copy(), copy(), copy()];
    await Promise.all(
      copies.flatMap(({ table }) =>
        [1, 2, 3].map(() => table.change('feed', (current) => entry({ after: (current?.after ?? 0) + 1 }))),
      ),
    );
    for (const { table } of copies) {
      await table.sync();
      expect(table.get('feed')?.after).toBe(9);
    }
  });

  it('gives up after many conflicts instead of retrying indefinitely', async () => {
    const { table } = copy();
    jest.spyOn(shared, 'put').mockResolvedValue({ versions: [undefined], life: '' });
    await expect(table.change('feed', () => entry())).rejects.toThrow(/wrote it 20 times/);
  });

  it('passes an error of the change on and writes nothing', async () => {
    const { table } = copy();
    await expect(
      table.change('feed', () => {
        throw new Error('unknown');
      }),
    ).rejects.toThrow('unknown');
    expect((await shared.since(0)).rows).toEqual([]);
  });

  it('skips rows it cannot read and keeps the others', async () => {
    const { table } = copy();
    await shared.put([{ key: 'bad', value: '{"name":"bad"}', expected: 0 }]);
    await shared.put([{ key: 'feed', value: JSON.stringify(entry()), expected: 0 }]);
    await table.sync();
    expect(table.processes().map(({ name }) => name)).toEqual(['feed']);
  });

  it('does not go back to an older row', async () => {
    const { table } = copy();
    await table.change('feed', () => entry({ after: 1 }));
    const { version } = table.get('feed')!;
    const stale = { key: 'feed', value: JSON.stringify(entry()), version: version - 1 };
    const page = await shared.since(version);
    jest.spyOn(shared, 'since').mockResolvedValue({ ...page, rows: [stale] });
    await table.sync();
    expect(table.get('feed')?.after).toBe(1);
  });

  it('never rejects from syncSoon, and reads for many calls once, and once more for those that came meanwhile', async () => {
    const { table } = copy();
    const since = jest.spyOn(shared, 'since').mockRejectedValue(new Error('gone'));
    await Promise.all([table.syncSoon(), table.syncSoon(), table.syncSoon()]);
    expect(since).toHaveBeenCalledTimes(2);
  });

  it('reads again for a call that came while a read was under way', async () => {
    const { table } = copy();
    let answer!: () => void;
    const real = shared.since.bind(shared);
    jest.spyOn(shared, 'since').mockImplementationOnce(async (version) => {
      const before = await real(version);
      await new Promise<void>((resolve) => (answer = resolve));
      return before;
    });
    const first = table.syncSoon();
    await turn();
    await shared.put([{ key: 'feed', value: JSON.stringify(entry()), expected: 0 }]);
    const second = table.syncSoon();
    answer();
    await Promise.all([first, second]);
    expect(table.get('feed')).toBeDefined();
  });

  it('prunes what ended long ago and no node declares, and nothing else', async () => {
    const { table } = copy();
    const kinds = {
      ended: { declared: false, status: 'completed' },
      declared: { declared: true, status: 'completed' },
      wanted: { declared: false, status: 'wanted' },
      escalated: { declared: false, status: 'escalated' },
    } as const;
    for (const [name, more] of Object.entries(kinds)) await table.change(name, () => entry({ name, ...more }));
    await table.prune();
    expect(table.processes()).toHaveLength(4);
    clock += 11 * 60_000;
    await table.prune();
    expect(table.processes().map(({ name }) => name)).toEqual(['declared', 'wanted', 'escalated']);
  });

  describe('pruning', () => {
    const ended = (name: string, more: Partial<ProcessEntry> = {}) =>
      entry({ name, declared: false, status: 'completed', ...more });
    const names = (table: ProcessTable) => table.processes().map(({ name }) => name);

    it('leaves what was started again while it is on its way, and keeps its entry (H2)', async () => {
      const [one, two] = [copy(), copy()];
      for (const name of ['a', 'b', 'c']) await one.table.change(name, () => ended(name));
      await two.table.sync();
      clock += 11 * 60_000;
      const remove = shared.remove.bind(shared);
      jest.spyOn(shared, 'remove').mockImplementationOnce(async (rows) => {
        await two.table.change('b', (current) => ({ ...current!, status: 'wanted' }));
        await one.table.sync();
        return remove(rows);
      });
      await one.table.prune();
      for (const { table } of [one, two]) {
        await table.sync();
        expect(table.processes()).toMatchObject([{ name: 'b', status: 'wanted' }]);
      }
    });

    it('keeps the entry of one that was started again once it was removed', async () => {
      const { table } = copy();
      await table.change('a', () => ended('a'));
      clock += 11 * 60_000;
      const remove = shared.remove.bind(shared);
      jest.spyOn(shared, 'remove').mockImplementationOnce(async (rows) => {
        const removed = await remove(rows);
        await shared.put([{ key: 'a', value: JSON.stringify(ended('a', { status: 'wanted' })), expected: 0 }]);
        await table.sync();
        return removed;
      });
      await table.prune();
      expect(table.get('a')?.status).toBe('wanted');
    });

    it('lets the epochs of what was removed go with it, and no others', async () => {
      const { table, leases } = copy();
      for (const name of ['a', 'b', 'c']) await table.change(name, () => ended(name));
      await table.change('part', () => ended('part', { kind: 'partitioned', count: 2 }));
      await table.change('all', () => ended('all', { kind: 'replicated', count: 'all' }));
      await table.prune();
      expect(leases.forget).not.toHaveBeenCalled();
      clock += 11 * 60_000;
      const remove = shared.remove.bind(shared);
      jest.spyOn(shared, 'remove').mockImplementationOnce(async (rows) => {
        await shared.put([
          { key: 'b', value: JSON.stringify(ended('b', { status: 'wanted' })), expected: rows[1]!.version },
        ]);
        return remove(rows);
      });
      await table.prune();
      expect(leases.forget.mock.calls).toEqual([[['a', 'c', 'part/0', 'part/1']]]);
    });

    it('does not mind that they stay', async () => {
      const { table, leases } = copy();
      await table.change('a', () => ended('a'));
      clock += 11 * 60_000;
      leases.forget.mockRejectedValueOnce(new Error('away'));
      await table.prune();
      expect(names(table)).toEqual([]);
    });

    it('keeps at most a thousand, and none for less than a minute', async () => {
      const { table } = copy();
      const all = Array.from({ length: 1010 }, (_, index) => `job-${index}`);
      for (const name of all) await table.change(name, () => ended(name));
      await table.change('wanted', () => entry({ name: 'wanted', declared: false }));
      await table.prune();
      expect(names(table)).toHaveLength(1011);
      clock += 61_000;
      await table.change('young', () => ended('young'));
      await table.prune();
      expect(names(table)).toEqual([...all.slice(11), 'wanted', 'young']);
    });

    it('looks at none that ended after the first that may stay', async () => {
      const { table } = copy();
      for (let index = 0; index < 100; index++) await table.change(`job-${index}`, () => ended(`job-${index}`));
      const looked = jest.fn();
      for (const entry of table.processes()) {
        Object.defineProperty(entry, 'version', { get: () => (looked(), clock * 1000) });
      }
      await table.prune();
      expect(looked.mock.calls.length).toBeLessThan(20);
    });

    it('removes the rows of parts whose process is gone, or whose node is gone', async () => {
      const { table } = copy();
      const all = { name: 'all', kind: 'replicated', count: 'all' } as const;
      await table.change('all', () => entry(all));
      for (const node of ['n1', 'gone']) {
        const part = { name: `all@${node}`, of: 'all', status: 'failed', after: 5 } as const;
        await table.change(part.name, () => ({ ...entry(all), ...part }));
      }
      await table.change('none/1', () => ({ ...entry({ kind: 'partitioned', count: 2 }), name: 'none/1', of: 'none' }));
      await table.prune();
      expect((await shared.since(0)).rows).toHaveLength(4);
      clock += 11 * 60_000;
      await table.prune();
      const { rows } = await shared.since(0);
      expect(rows.filter(({ value }) => value !== '').map(({ key }) => key)).toEqual(['all', 'all@n1']);
    });

    it('removes nothing while a loss of data is being mended', async () => {
      const { table, listeners } = copy();
      await table.change('a', () => ended('a'));
      await table.sync();
      clock += 11 * 60_000;
      jest.spyOn(shared, 'restore').mockRejectedValue(new Error('away'));
      for (const listener of listeners) listener.dataLoss?.();
      await turn();
      const remove = jest.spyOn(shared, 'remove');
      await table.prune();
      expect(remove).not.toHaveBeenCalled();
    });
  });

  it('tells which processes changed, and knows what has not ended', async () => {
    const { table } = copy();
    const told: string[][] = [];
    table.onChange((changed) => told.push([...changed]));
    await table.change('feed', () => entry());
    await table.change('part', () => entry({ name: 'part', kind: 'partitioned', count: 3 }));
    await table.change('part/1', (current) => ({ ...current!, status: 'backing-off', after: 3, retryAt: 5 }));
    await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    expect(told).toEqual([['feed'], ['part'], ['part'], ['feed']]);
    expect([...table.active()]).toEqual(['part']);
    expect(table.backingOff().map(({ name }) => name)).toEqual(['part/1']);
    expect(table.wanted().map(({ name }) => name)).toEqual(['part']);
    await table.change('part/2', (current) => ({ ...current!, status: 'escalated', after: 4 }));
    await table.change('feed', (current) => ({ ...current!, status: 'escalated' }));
    expect(table.escalated().map(({ name }) => name)).toEqual(['part/2', 'feed']);
    await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
    expect(table.backingOff()).toEqual([]);
    // Its own row says nothing any more.
    expect([table.escalated(), table.wanted()]).toEqual([[], []]);
  });

  it('has a slot for each replica and partition, and of what runs everywhere this node’s own', async () => {
    const { table } = copy();
    await table.change('feed', () => entry());
    await table.change('rep', () => entry({ name: 'rep', kind: 'replicated', count: 2 }));
    await table.change('part', () => entry({ name: 'part', kind: 'partitioned', count: 3 }));
    await table.change('all', () => entry({ name: 'all', kind: 'replicated', count: 'all' }));
    expect(table.processes().map(({ name }) => name)).toEqual(['feed', 'rep', 'part', 'all']);
    expect(
      table
        .processes()
        .flatMap((entry) => table.slotsOf(entry))
        .map(({ name, of }) => [name, of]),
    ).toEqual([
      ['feed', undefined],
      ...[0, 1].map((index) => [`rep#${index}`, 'rep']),
      ...[0, 1, 2].map((index) => [`part/${index}`, 'part']),
      ['all@n1', 'all'],
    ]);
    expect(table.get('rep#1')).toMatchObject({ name: 'rep#1', of: 'rep', version: 0, type: 'Feed' });
    expect(table.get('all@n2')).toMatchObject({ name: 'all@n2', of: 'all' });
    for (const none of ['rep#2', 'rep/0', 'part/3', 'part#0', 'feed#0', 'rep@n1', 'all#0', 'none/0']) {
      expect(table.get(none)).toBeUndefined();
    }
  });

  describe('a slot with a row of its own', () => {
    const partition = async () => {
      const { table } = copy();
      await table.change('part', () => entry({ name: 'part', kind: 'partitioned', count: 3, after: 5 }));
      await table.change('part/1', (current) => ({ ...current!, status: 'failed', after: 9, error: 'it broke' }));
      return table;
    };

    it('stands for itself; the others and the process stay as they are', async () => {
      const table = await partition();
      expect(table.get('part/1')).toMatchObject({ status: 'failed', after: 9, error: 'it broke', of: 'part' });
      expect(table.get('part/1')!.version).toBeGreaterThan(0);
      expect(table.get('part/0')).toMatchObject({ status: 'wanted', after: 5, version: 0 });
      expect(table.get('part')).toMatchObject({ status: 'wanted', after: 5 });
      expect(table.processes().map(({ name }) => name)).toEqual(['part']);
      expect(
        table
          .processes()
          .flatMap((entry) => table.slotsOf(entry))
          .map(({ status }) => status),
      ).toEqual(['wanted', 'failed', 'wanted']);
      expect(table.floor('part')).toBe(9);
      expect(table.floor('nobody')).toBe(0);
    });

    it('is made once, and again when its row or its process changes', async () => {
      const table = await partition();
      const [one, other] = [table.get('part/0')!, table.get('part/1')!];
      expect(table.get('part/0')).toBe(one);
      await table.change('part/0', (current) => ({ ...current!, error: 'boom', after: 6 }));
      expect(table.get('part/0')).toMatchObject({ error: 'boom', after: 6 });
      expect(table.get('part/1')).toBe(other);
      await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
      expect([table.get('part/0')?.status, table.get('part/1')?.status]).toEqual(['stopped', 'stopped']);
    });

    it('counts no longer once the process is stopped, or restarted with a higher floor', async () => {
      const table = await partition();
      await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
      expect(table.get('part/1')).toMatchObject({ status: 'stopped', after: 5 });
      await table.change('part', (current) => ({ ...current!, status: 'wanted', after: 9 }));
      expect(table.get('part/1')).toMatchObject({ status: 'wanted', after: 9 });
      expect(table.get('part/1')?.error).toBeUndefined();
    });

    it('is changed under its own version after it no longer counts', async () => {
      const table = await partition();
      await table.change('part', (current) => ({ ...current!, after: 20 }));
      await table.change('part/1', (current) => ({ ...current!, after: 21, prefer: 'n2' }));
      expect(table.get('part/1')).toMatchObject({ after: 21, prefer: 'n2', status: 'wanted' });
    });

    it('is pruned with its process', async () => {
      const { table } = copy();
      await table.change('part', () => entry({ name: 'part', kind: 'partitioned', count: 2, declared: false }));
      await table.change('part/1', (current) => ({ ...current!, after: 3 }));
      await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
      clock += 11 * 60_000;
      await table.prune();
      expect(table.processes()).toEqual([]);
      expect((await shared.since(0)).rows.map(({ value }) => value)).toEqual(['', '']);
    });
  });
});
