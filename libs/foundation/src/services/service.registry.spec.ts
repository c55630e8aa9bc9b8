import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Member, Membership, MembershipListener } from '../cluster/membership.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { Hint } from '../tools/hints.js';
import type { Table, TableRow } from '../tools/table.js';
import type { Transport } from '../tools/transport.js';
import { writeRecord, type ServiceRecord } from './service.record.js';
import { ServiceRegistry } from './service.registry.js';
import type { ServiceChange } from './service.js';

/** The table of all nodes: what it is asked can be held up or refused, and its answer can get lost on the way. */
class FakeTable implements Table {
  readonly rows = new Map<string, TableRow>();
  readonly calls: string[] = [];
  /** Called before each operation; what it throws is the answer. */
  before: (what: string, key: string) => void | Promise<void> = () => undefined;
  /** The same once it has been carried out. */
  after: (what: string, key: string) => void | Promise<void> = () => undefined;
  hint: () => void = () => undefined;
  #version = 0;

  put(key: string, value: string, expected: number): Promise<number | undefined> {
    return this.#answer('put', key, () => (this.#versionOf(key) === expected ? this.write(key, value) : undefined));
  }

  since(version: number): Promise<{ version: number; rows: TableRow[] }> {
    return this.#answer('since', '', () => {
      const newest = Math.max(0, ...[...this.rows.values()].map((row) => row.version));
      const rows = [...this.rows.values()].filter((row) => row.version > version);
      return { version: newest, rows: rows.sort((a, b) => a.version - b.version) };
    });
  }

  restore(): Promise<void> {
    return Promise.resolve();
  }

  remove(key: string, version: number): Promise<void> {
    return this.#answer('remove', key, () => {
      if (this.#versionOf(key) === version && version > 0) this.write(key, '');
    });
  }

  write(key: string, value: string): number {
    this.#version += 1;
    this.rows.set(key, { key, value, version: this.#version });
    this.hint();
    return this.#version;
  }

  keys(): string[] {
    return [...this.rows.values()].filter(({ value }) => value !== '').map(({ key }) => key).sort(); // prettier-ignore
  }

  async #answer<T>(what: string, key: string, work: () => T): Promise<T> {
    this.calls.push(key === '' ? what : `${what} ${key}`);
    await this.before(what, key);
    const result = work();
    await this.after(what, key);
    return result;
  }

  #versionOf(key: string): number {
    const row = this.rows.get(key);
    return row === undefined || row.value === '' ? 0 : row.version;
  }
}

type Node = ReturnType<typeof makeNode>;

const LOOK_MS = 5000;
let table: FakeTable;
/** The boot ids of the members, as all nodes see them. */
let alive: string[];
let nodes: Node[];

function makeNode(bootId: string) {
  const listeners: MembershipListener[] = [];
  const hints: ((hint: Hint) => void)[] = [];
  const membership = {
    self: { name: `n-${bootId}`, bootId },
    state: 'up',
    members: () => alive.map((each) => ({ name: `n-${each}`, bootId: each }) as Member),
    listen: (listener: MembershipListener) => {
      listeners.push(listener);
      return () => undefined;
    },
  };
  const engine = {
    services: table,
    onHint: (listener: (hint: Hint) => void) => void hints.push(listener),
    transport: { onInterrupted: () => undefined } as unknown as Transport,
  };
  const registry = new ServiceRegistry(engine, membership as unknown as Membership, new Telemetry());
  const changes: string[] = [];
  registry.onChange(({ type, service }: ServiceChange) => changes.push(`${type} ${service.instanceId}`));
  return {
    registry,
    membership,
    changes,
    tell: (what: 'changed' | 'dataLoss') => listeners.forEach((listener) => listener[what]?.()),
    hint: () => hints.forEach((listener) => listener({ t: 'services' })),
    ids: () => registry.services().map(({ instanceId }) => instanceId).sort(), // prettier-ignore
    statusOf: (instanceId: string) => registry.get(instanceId)?.status,
  };
}

const record = (instanceId: string, more: Partial<ServiceRecord> = {}): ServiceRecord => {
  const bootId = instanceId.split('.')[0]!;
  const fixed = { capabilities: [], metadata: {}, registeredAt: 1, status: 'healthy' } as const;
  return { name: 'till', instanceId, node: `n-${bootId}`, bootId, ...fixed, ...more };
};
const value = (instanceId: string, more?: Partial<ServiceRecord>) => writeRecord(record(instanceId, more));
/** Lets everything that is under way come to its end. */
const rest = () => jest.advanceTimersByTimeAsync(0);
const look = (times = 1) => jest.advanceTimersByTimeAsync(times * LOOK_MS);
const hintAll = async () => {
  nodes.forEach(({ hint }) => hint());
  await rest();
};
async function open(...bootIds: string[]) {
  alive = bootIds;
  const opened = bootIds.map(makeNode);
  nodes.push(...opened);
  for (const { registry } of opened) await registry.open();
  return opened;
}

beforeEach(() => {
  jest.useFakeTimers();
  const silent = () => undefined;
  Logger.overrideLogger({ log: silent, warn: silent, error: silent, debug: silent });
  table = new FakeTable();
  nodes = [];
});
afterEach(async () => {
  table.before = table.after = () => undefined;
  await Promise.all(nodes.map(({ registry }) => registry.close()));
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a copy of the table', () => {
  it('has what was there before, what a hint tells, and what a look finds without one', async () => {
    table.write('b.1', value('b.1'));
    const [a] = await open('a', 'b');
    expect(a!.ids()).toEqual(['b.1']);
    table.write('b.2', value('b.2'));
    a!.hint();
    await rest();
    expect(a!.ids()).toEqual(['b.1', 'b.2']);
    table.write('b.3', value('b.3'));
    await look();
    expect(a!.ids()).toEqual(['b.1', 'b.2', 'b.3']);
    expect(a!.changes).toEqual(['added b.1', 'added b.2', 'added b.3']);
  });

  it('fetches once more for hints that come during a fetch, however many', async () => {
    const [a] = await open('a');
    table.calls.length = 0;
    for (let hint = 0; hint < 10; hint++) a!.hint();
    await rest();
    expect(table.calls).toEqual(['since', 'since']);
  });

  it('goes by the version: what is older is not believed, and a mark removes', async () => {
    const [a] = await open('a', 'b');
    table.write('b.1', value('b.1', { status: 'unhealthy' }));
    await hintAll();
    table.rows.set('b.1', { key: 'b.1', value: value('b.1'), version: 1 });
    table.write('b.2', value('b.2'));
    await hintAll();
    expect(a!.statusOf('b.1')).toBe('unhealthy');
    table.write('b.1', '');
    await hintAll();
    expect(a!.ids()).toEqual(['b.2']);
    expect(a!.changes).toEqual(['added b.1', 'added b.2', 'removed b.1']);
  });

  it('tells a change as such, and nothing where nothing changed', async () => {
    const [a] = await open('a', 'b');
    table.write('b.1', value('b.1'));
    await hintAll();
    table.write('b.1', value('b.1', { status: 'unhealthy' }));
    await hintAll();
    await look();
    expect(a!.changes).toEqual(['added b.1', 'changed b.1']);
  });

  it('is not held up by a row that cannot be read', async () => {
    const deep = `{"x":${'['.repeat(15_000)}${']'.repeat(15_000)}}`;
    table.write('b.0', value('b.0').replace('"metadata":{}', `"metadata":${deep}`));
    table.write('b.1', '{');
    table.write('b.2', value('b.2'));
    const [a] = await open('a', 'b');
    expect(a!.ids()).toContain('b.2');
    table.write('b.3', value('b.3'));
    await hintAll();
    expect(a!.ids()).toContain('b.3');
  });
});

describe('members', () => {
  it('that go take their services along, and bring them back', async () => {
    const [a] = await open('a', 'b');
    table.write('b.1', value('b.1'));
    await hintAll();
    alive = ['a'];
    a!.tell('changed');
    expect(a!.ids()).toEqual([]);
    alive = ['a', 'b'];
    a!.tell('changed');
    expect(a!.ids()).toEqual(['b.1']);
    expect(a!.changes).toEqual(['added b.1', 'removed b.1', 'added b.1']);
  });

  it('that are not known yet: their services are shown once they are', async () => {
    const [a] = await open('a');
    table.write('b.1', value('b.1'));
    await hintAll();
    expect(a!.ids()).toEqual([]);
    alive = ['a', 'b'];
    a!.tell('changed');
    expect(a!.ids()).toEqual(['b.1']);
  });
});

describe('a loss of data', () => {
  const lose = () => table.rows.clear();

  it.each([
    ['first seen by a beat', (node: Node) => node.tell('dataLoss')],
    ['first seen by a fetch', (node: Node) => node.hint()],
  ])('%s is made good by each node, and what nobody offers stays away', async (_how, notice) => {
    const [a, b] = await open('a', 'b');
    await a!.registry.put(record('a.1'));
    await b!.registry.put(record('b.1'));
    await b!.registry.put(record('b.2'));
    await hintAll();
    lose();
    await b!.registry.remove('b.2');
    for (const node of [a!, b!]) notice(node);
    await rest();
    await hintAll();
    expect(table.keys()).toEqual(['a.1', 'b.1']);
    for (const node of [a!, b!]) expect(node.ids()).toEqual(['a.1', 'b.1']);
  });

  it('that is heard of during a fetch: its answer, from before, is not believed', async () => {
    const [a] = await open('a', 'b');
    table.write('b.1', value('b.1'));
    let answer = (): void => undefined;
    table.after = (what) => (what === 'since' ? new Promise((resolve) => (answer = resolve)) : undefined);
    a!.hint();
    await rest();
    table.after = () => undefined;
    lose();
    table.write('b.2', value('b.2'));
    a!.tell('dataLoss');
    answer();
    await rest();
    expect(a!.ids()).toEqual(['b.2']);
  });
});
