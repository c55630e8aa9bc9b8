import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Membership, MembershipListener } from '../cluster/membership.js';
import { processDefaults } from '../config/resolve.js';
import type { Engine } from '../tools/engine.js';
import type { Hint } from '../tools/hints.js';
import { LocalTable } from '../tools/local.table.js';
import type { Table } from '../tools/table.js';
import { ProcessTable, isEnded, parseEntry, type ProcessEntry } from './process.table.js';

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
  ])('refuses %s', (_what, value) => {
    expect(parse(value)).toBeUndefined();
  });

  it.each(['__proto__', 'constructor', 'prototype'])('does not let %s through', (name) => {
    const text = JSON.stringify(entry()).replace('{', `{"${name}":{"polluted":true},`);
    const parsed = parse(text);
    if (parsed !== undefined) expect(Object.getOwnPropertyNames(parsed)).not.toContain(name);
    expect((parsed as unknown as Record<string, unknown> | undefined)?.['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
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
    const engine = { kind: 'redis', table: shared, onHint: (each: (hint: Hint) => void) => hints.push(each) };
    const membership = {
      listen: (each: MembershipListener) => listeners.push(each),
      clusterNow: () => clock,
      self: { name: 'n1' },
    };
    const table = new ProcessTable(engine as unknown as Engine, membership as unknown as Membership);
    return { table, listeners };
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

  it('calls the change again with what somebody else wrote in between', async () => {
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

  it('gives up after many conflicts instead of trying for ever', async () => {
    const { table } = copy();
    jest.spyOn(shared, 'put').mockResolvedValue({ versions: [undefined], life: '' });
    await expect(table.change('feed', () => entry())).rejects.toThrow(/changed 20 times/);
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

  it('prunes what ended long ago and nobody declares, and nothing else', async () => {
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

  it('has a slot for each replica and partition, and of what runs everywhere this node’s own', async () => {
    const { table } = copy();
    await table.change('feed', () => entry());
    await table.change('rep', () => entry({ name: 'rep', kind: 'replicated', count: 2 }));
    await table.change('part', () => entry({ name: 'part', kind: 'partitioned', count: 3 }));
    await table.change('all', () => entry({ name: 'all', kind: 'replicated', count: 0 }));
    expect(table.processes().map(({ name }) => name)).toEqual(['feed', 'rep', 'part', 'all']);
    expect(table.slots().map(({ name, of }) => [name, of])).toEqual([
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
      expect(table.slots().map(({ status }) => status)).toEqual(['wanted', 'failed', 'wanted']);
      expect(table.floor('part')).toBe(9);
      expect(table.floor('nobody')).toBe(0);
    });

    it('is made once, and anew when its row or its process changes', async () => {
      const table = await partition();
      const [one, other] = [table.get('part/0')!, table.get('part/1')!];
      expect(table.get('part/0')).toBe(one);
      await table.change('part/0', (current) => ({ ...current!, error: 'boom', after: 6 }));
      expect(table.get('part/0')).toMatchObject({ error: 'boom', after: 6 });
      expect(table.get('part/1')).toBe(other);
      await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
      expect([table.get('part/0')?.status, table.get('part/1')?.status]).toEqual(['stopped', 'stopped']);
    });

    it('counts no more once the process is stopped, or restarted with a higher floor', async () => {
      const table = await partition();
      await table.change('part', (current) => ({ ...current!, status: 'stopped' }));
      expect(table.get('part/1')).toMatchObject({ status: 'stopped', after: 5 });
      await table.change('part', (current) => ({ ...current!, status: 'wanted', after: 9 }));
      expect(table.get('part/1')).toMatchObject({ status: 'wanted', after: 9 });
      expect(table.get('part/1')?.error).toBeUndefined();
    });

    it('is changed under its own version after it counts no more', async () => {
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
