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
    const full = entry({ args: [1, { a: null }], avoid: 'n2', error: 'it broke', retryAt: 12, status: 'backing-off' });
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

  // BUG: these pass, and break what reads them later: decide() and so the restart, placement, list().
  it.each<[string, unknown]>([
    ['a backoff of null', { ...entry(), options: { ...options, backoff: null } }],
    ['a backoff without numbers', { ...entry(), options: { ...options, backoff: {} } }],
    ['an unknown placement', { ...entry(), placement: 'anywhere' }],
    ['declared as text', { ...entry(), declared: 'no' }],
    ['confirmed missing', { ...entry(), confirmed: undefined }],
    ['an error that is no text', { ...entry(), error: { a: 1 } }],
    ['a time that is no number', { ...entry(), retryAt: 'soon' }],
    ['an endless after', JSON.stringify(entry()).replace('"after":0', '"after":1e999')],
    ['a status in an array', { ...entry(), status: ['wanted'] }],
  ])('refuses %s', (_what, value) => {
    expect(parse(value)).toBeUndefined();
  });

  // BUG: an own property __proto__ comes out of JSON.parse and travels on with each copy of the entry.
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
    const membership = { listen: (each: MembershipListener) => listeners.push(each), clusterNow: () => clock };
    const table = new ProcessTable(engine as unknown as Engine, membership as unknown as Membership);
    return { table, listeners };
  }

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = 1_700_000_000_000;
    hints = [];
    shared = new LocalTable(
      (hint) => queueMicrotask(() => hints.forEach((each) => each(hint))),
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
    jest.spyOn(shared, 'put').mockResolvedValue(undefined);
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
    await shared.put('bad', '{"name":"bad"}', 0);
    await shared.put('feed', JSON.stringify(entry()), 0);
    await table.sync();
    expect(table.processes().map(({ name }) => name)).toEqual(['feed']);
  });

  it('does not go back to an older row', async () => {
    const { table } = copy();
    await table.change('feed', () => entry({ after: 1 }));
    const { version } = table.get('feed')!;
    const stale = { key: 'feed', value: JSON.stringify(entry()), version: version - 1 };
    jest.spyOn(shared, 'since').mockResolvedValue({ version, rows: [stale] });
    await table.sync();
    expect(table.get('feed')?.after).toBe(1);
  });

  it('never rejects from syncSoon, and reads once for many calls', async () => {
    const { table } = copy();
    const since = jest.spyOn(shared, 'since').mockRejectedValue(new Error('gone'));
    await Promise.all([table.syncSoon(), table.syncSoon(), table.syncSoon()]);
    expect(since).toHaveBeenCalledTimes(1);
  });

  // BUG: a hint that comes while a read is under way is swallowed; the change it tells of is seen a beat later.
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
    await shared.put('feed', JSON.stringify(entry()), 0);
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
});
