import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  isMark,
  type RowSeen,
  type Table,
  type TablePage,
  type TableRow,
  type TableWrite,
  type TableWritten,
} from '../backend/tables/table.js';
import type { Transport } from '../backend/transport/transport.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { Member, MembershipListener } from '../cluster/member.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { Hint } from '../wire/hint.js';
import type { ServiceChange } from './service.js';
import { type ServiceRecord, writeRecord } from './service.record.js';
import { ServiceRegistry } from './service.registry.js';

/** The table of all nodes: what it is asked can be held up or refused, and its answer can get lost on the way. */
class FakeTable implements Table {
  readonly rows = new Map<string, TableRow>();
  readonly calls: string[] = [];
  /** How many rows each removal was given. */
  readonly removals: number[] = [];
  /** Called before each operation; what it throws is the answer. */
  before: (what: string, key: string) => void | Promise<void> = () => undefined;
  /** The same once it has been carried out. */
  after: (what: string, key: string) => void | Promise<void> = () => undefined;
  hint: () => void = () => undefined;
  #version = 0;

  async put(writes: readonly TableWrite[]): Promise<TableWritten> {
    const versions = writes.map(({ key, value, expected }) =>
      this.#answer('put', key, () => (this.#versionOf(key) === expected ? this.write(key, value) : undefined)),
    );
    return { versions: await Promise.all(versions), life: '' };
  }

  since(version: number): Promise<TablePage> {
    return this.#answer('since', '', () => {
      const newest = Math.max(0, ...[...this.rows.values()].map((row) => row.version));
      const rows = [...this.rows.values()].filter((row) => row.version > version);
      return { version: newest, rows: rows.sort((a, b) => a.version - b.version), floor: 0, life: '', more: false };
    });
  }

  restore(): Promise<string> {
    return Promise.resolve('');
  }

  async remove(rows: readonly RowSeen[]): Promise<string[]> {
    this.removals.push(rows.length);
    const removed = rows.map(({ key, version }) =>
      this.#answer('remove', key, () => {
        if (this.#versionOf(key) !== version || version === 0) return [];
        this.write(key, '');
        return [key];
      }),
    );
    return (await Promise.all(removed)).flat();
  }

  write(key: string, value: string): number {
    this.#version += 1;
    this.rows.set(key, { key, value, version: this.#version });
    this.hint();
    return this.#version;
  }

  /** Somebody with another cookie writes in the place of a row. */
  forge(key: string): void {
    this.write(key, '');
    this.rows.set(key, { key, value: '', version: this.#version, isForeign: true });
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
    return row === undefined || isMark(row) ? 0 : row.version;
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
  const backend = {
    kind: 'redis' as const,
    services: table,
    onHint: (listener: (hint: Hint) => void) => {
      hints.push(listener);
      return () => undefined;
    },
    transport: { onInterrupted: () => undefined } as unknown as Transport,
  };
  const registry = new ServiceRegistry(backend, membership as unknown as ClusterView, new Telemetry());
  const changes: string[] = [];
  registry.onChange(({ type, service }: ServiceChange) => changes.push(`${type} ${service.instanceId}`));
  return {
    registry,
    membership,
    changes,
    tell: (what: 'changed' | 'dataLoss') => listeners.forEach((listener) => listener[what]?.()),
    hint: () => hints.forEach((listener) => listener({ t: 'services' })),
    ids: () => registry.services().map(({ instanceId }) => instanceId).sort(), // prettier-ignore
    statusOf: (instanceId: string) => registry.services().find((each) => each.instanceId === instanceId)?.status,
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
/** Holds `what` up until the function it returns is called. */
const hold = (what: string) => {
  let go = (): void => undefined;
  table.before = (each) => (each === what ? new Promise((resolve) => (go = resolve)) : undefined);
  return () => {
    table.before = () => undefined;
    go();
  };
};
const hintAll = async () => {
  nodes.forEach(({ hint }) => hint());
  await rest();
};
/** A node that has seen a service of another one, which is no member any more. */
const openBesideDead = async () => {
  const [a] = await open('a', 'x');
  table.write('x.1', value('x.1'));
  await hintAll();
  alive = ['a'];
  a!.tell('changed');
  return a!;
};
/** Nodes of these boot ids; `x` is a member of which nothing is seen but the rows that a test writes. */
async function open(...bootIds: string[]) {
  alive = bootIds;
  const opened = bootIds.filter((bootId) => bootId !== 'x').map(makeNode);
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
    table.write('x.1', value('x.1'));
    const [a] = await open('a', 'x');
    expect(a!.ids()).toEqual(['x.1']);
    table.write('x.2', value('x.2'));
    a!.hint();
    await rest();
    expect(a!.ids()).toEqual(['x.1', 'x.2']);
    table.write('x.3', value('x.3'));
    await look();
    expect(a!.ids()).toEqual(['x.1', 'x.2', 'x.3']);
    expect(a!.changes).toEqual(['added x.1', 'added x.2', 'added x.3']);
  });

  it('fetches once more for hints that come during a fetch, however many', async () => {
    const [a] = await open('a');
    table.calls.length = 0;
    for (let hint = 0; hint < 10; hint++) a!.hint();
    await rest();
    expect(table.calls).toEqual(['since', 'since']);
  });

  it('goes by the version: what is older is not believed, and a mark removes', async () => {
    const [a] = await open('a', 'x');
    table.write('x.1', value('x.1', { status: 'unhealthy' }));
    await hintAll();
    table.rows.set('x.1', { key: 'x.1', value: value('x.1'), version: 1 });
    table.write('x.2', value('x.2'));
    await hintAll();
    expect(a!.statusOf('x.1')).toBe('unhealthy');
    table.write('x.1', '');
    await hintAll();
    expect(a!.ids()).toEqual(['x.2']);
    expect(a!.changes).toEqual(['added x.1', 'added x.2', 'removed x.1']);
  });

  it('tells a change as such, and nothing where nothing changed', async () => {
    const [a] = await open('a', 'x');
    table.write('x.1', value('x.1'));
    await hintAll();
    table.write('x.1', value('x.1', { status: 'unhealthy' }));
    await hintAll();
    await look();
    expect(a!.changes).toEqual(['added x.1', 'changed x.1']);
  });

  it('is not held up by a row that cannot be read', async () => {
    const deep = `{"x":${'['.repeat(15_000)}${']'.repeat(15_000)}}`;
    table.write('x.0', value('x.0').replace('"metadata":{}', `"metadata":${deep}`));
    table.write('x.1', '{');
    table.write('x.2', value('x.2'));
    const [a] = await open('a', 'x');
    expect(a!.ids()).toContain('x.2');
    table.write('x.3', value('x.3'));
    await hintAll();
    expect(a!.ids()).toContain('x.3');
  });
});

describe('members', () => {
  it('that go take their services along, and bring them back', async () => {
    const a = await openBesideDead();
    expect(a.ids()).toEqual([]);
    alive = ['a', 'x'];
    a.tell('changed');
    expect(a.ids()).toEqual(['x.1']);
    expect(a.changes).toEqual(['added x.1', 'removed x.1', 'added x.1']);
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
    const [a] = await open('a', 'x');
    table.write('x.1', value('x.1'));
    let answer = (): void => undefined;
    table.after = (what) => (what === 'since' ? new Promise((resolve) => (answer = resolve)) : undefined);
    a!.hint();
    await rest();
    table.after = () => undefined;
    lose();
    table.write('x.2', value('x.2'));
    a!.tell('dataLoss');
    answer();
    await rest();
    expect(a!.ids()).toEqual(['x.2']);
  });
});

describe('what this node offers', () => {
  const down = () => {
    throw new Error('Redis is away');
  };
  /** Carries out `what` once, and loses the answer. */
  const loseAnswer = (what: string) =>
    (table.after = (each) => {
      if (each !== what) return;
      table.after = () => undefined;
      down();
    });
  it('is written although another one wrote first', async () => {
    const [a] = await open('a');
    table.write('a.1', value('a.1', { node: 'other' }));
    await a!.registry.put(record('a.1'));
    expect(table.rows.get('a.1')!.value).toBe(value('a.1'));
    expect(table.calls.filter((call) => call === 'put a.1')).toHaveLength(2);
  });

  it('is given up when it is never ours to write', async () => {
    const [a] = await open('a');
    table.before = (what) => void (what === 'put' && table.write('a.1', '{'));
    await expect(a!.registry.put(record('a.1'))).rejects.toThrow('wrote it 20 times');
  });

  it('is what it last said, although Redis was away when it said so', async () => {
    const [a, b] = await open('a', 'b');
    await a!.registry.put(record('a.1'));
    table.before = down;
    await expect(a!.registry.setStatus('a.1', 'unhealthy')).rejects.toThrow('away');
    table.before = () => undefined;
    await look();
    await hintAll();
    for (const node of [a!, b!]) expect(node.statusOf('a.1')).toBe('unhealthy');
    table.calls.length = 0;
    await look(3);
    expect(new Set(table.calls)).toEqual(new Set(['since']));
  });

  it('is restored when another client wrote over it', async () => {
    const [a] = await open('a');
    await a!.registry.put(record('a.1'));
    for (const wrong of ['{', value('a.1', { bootId: 'x' }), '']) {
      table.write('a.1', wrong);
      await hintAll();
      expect(table.rows.get('a.1')!.value).toBe(value('a.1'));
      expect(a!.ids()).toEqual(['a.1']);
    }
  });

  it('is found all the time when a stranger writes over it, which is replaced once in a while', async () => {
    const [a, b] = await open('a', 'b');
    await a!.registry.put(record('a.1'));
    await hintAll();
    for (const seconds of [0, 5, 5, 5]) {
      await jest.advanceTimersByTimeAsync(seconds * 1000);
      table.forge('a.1');
      await hintAll();
    }
    // Within the first ten seconds once, and once after them.
    expect(table.calls.filter((call) => call === 'put a.1')).toHaveLength(1 + 2);
    for (const { ids, changes } of [a!, b!]) {
      expect(ids()).toEqual(['a.1']);
      expect(changes.filter((change) => change !== 'changed a.1')).toEqual(['added a.1']);
    }
    await look(3);
    expect(table.rows.get('a.1')?.value).toBe(value('a.1'));
    // A status goes over it at once, and so does its end.
    for (let time = 0; time < 2; time++) {
      table.forge('a.1');
      await hintAll();
    }
    await a!.registry.setStatus('a.1', 'unhealthy');
    await hintAll();
    expect([a!.statusOf('a.1'), b!.statusOf('a.1')]).toEqual(['unhealthy', 'unhealthy']);
    table.forge('a.1');
    await hintAll();
    await a!.registry.remove('a.1');
    await hintAll();
    expect([a!.ids(), b!.ids(), table.keys()]).toEqual([[], [], []]);
  });

  it('is removed although it was taken back while it was being written', async () => {
    const [a, b] = await open('a', 'b');
    const go = hold('put');
    const writing = a!.registry.put(record('a.1'));
    await rest();
    await a!.registry.remove('a.1');
    go();
    await writing;
    await hintAll();
    expect(table.keys()).toEqual([]);
    for (const node of [a!, b!]) expect(node.ids()).toEqual([]);
    expect(a!.changes).toEqual([]);
  });

  it('is removed at the next look when the removal fails', async () => {
    const [a, b] = await open('a', 'b');
    await a!.registry.put(record('a.1'));
    await hintAll();
    table.before = down;
    await expect(a!.registry.remove('a.1')).rejects.toThrow('away');
    expect(a!.ids()).toEqual([]);
    table.before = () => undefined;
    await look();
    expect(table.keys()).toEqual([]);
    await hintAll();
    expect(b!.ids()).toEqual([]);
    expect(a!.ids()).toEqual([]);
  });

  it('is removed by a second call when the first one failed', async () => {
    const [a] = await open('a');
    await a!.registry.put(record('a.1'));
    table.before = down;
    await expect(a!.registry.remove('a.1')).rejects.toThrow('away');
    table.before = () => undefined;
    await a!.registry.remove('a.1');
    expect(table.keys()).toEqual([]);
  });

  it('is removed when it was written without an answer and then withdrawn', async () => {
    const [a, b] = await open('a', 'b');
    loseAnswer('put');
    await expect(a!.registry.put(record('a.1'))).rejects.toThrow('away');
    await a!.registry.remove('a.1');
    await hintAll();
    await hintAll();
    expect(table.keys()).toEqual([]);
    for (const node of [a!, b!]) expect(node.ids()).toEqual([]);
    expect(a!.changes).toEqual([]);
  });

  it('is not offered again by a status that comes after it was withdrawn', async () => {
    const [a] = await open('a');
    await a!.registry.put(record('a.1'));
    await a!.registry.remove('a.1');
    await a!.registry.setStatus('a.1', 'unhealthy');
    await look();
    expect(table.keys()).toEqual([]);
    expect(a!.registry.own()).toEqual([]);
  });

  it('is all that it removes: what another node offers stays', async () => {
    const [a, b] = await open('a', 'b');
    await b!.registry.put(record('b.1'));
    await hintAll();
    await a!.registry.remove('b.1');
    await a!.registry.close();
    expect(table.keys()).toEqual(['b.1']);
  });
});

describe('many services', () => {
  const many = (bootId: string, count: number) => Array.from({ length: count }, (_, index) => `${bootId}.${index}`);

  it('are taken back by one removal, which the table cuts into batches, and are not found from the first moment', async () => {
    const [a, b] = await open('a', 'b');
    for (const id of many('a', 300)) await a!.registry.put(record(id));
    await hintAll();
    expect(b!.ids()).toHaveLength(300);
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    table.before = (what) => (what === 'remove' ? held : undefined);
    const closing = a!.registry.close();
    await rest();
    expect(a!.ids()).toEqual([]);
    go();
    await closing;
    expect(table.removals).toEqual([300]);
    expect(table.keys()).toEqual([]);
    await hintAll();
    expect(b!.ids()).toEqual([]);
  });

  it('of dead nodes are removed by one removal', async () => {
    const [a] = await open('a');
    alive = ['a', 'x', 'y'];
    a!.tell('changed');
    for (const id of [...many('x', 150), ...many('y', 150)]) table.write(id, value(id));
    await hintAll();
    expect(a!.ids()).toHaveLength(300);
    alive = ['a'];
    a!.tell('changed');
    expect(a!.ids()).toEqual([]);
    await look(2);
    expect(table.removals).toEqual([300]);
    expect(table.keys()).toEqual([]);
  });

  it('cost nothing when nodes without any come and go', async () => {
    const [a] = await open('a');
    alive = ['a', 'x'];
    a!.tell('changed');
    for (const id of many('x', 100)) table.write(id, value(id));
    await hintAll();
    const { changes } = a!;
    changes.length = 0;
    for (const bootId of ['p', 'q']) {
      alive = ['a', 'x', bootId];
      a!.tell('changed');
    }
    alive = ['a', 'x'];
    a!.tell('changed');
    expect(changes).toEqual([]);
    expect(a!.ids()).toHaveLength(100);
  });

  it('are found while a loss of data is mended, and go when no node offers them any longer', async () => {
    const [a, b] = await open('a', 'b');
    for (const id of many('b', 3)) await b!.registry.put(record(id));
    table.write('b.left', value('b.left'));
    await hintAll();
    table.rows.clear();
    nodes.forEach(({ tell }) => tell('dataLoss'));
    await rest();
    await hintAll();
    expect(a!.ids()).toEqual(many('b', 3));
    expect(table.keys()).toEqual(many('b', 3));
  });
});

describe('what a dead node left', () => {
  it('is removed at the second look, not at the first', async () => {
    await openBesideDead();
    await look();
    expect(table.keys()).toEqual(['x.1']);
    await look();
    expect(table.keys()).toEqual([]);
  });

  it('stays when the node is a member again at the second look', async () => {
    const a = await openBesideDead();
    await look();
    alive = ['a', 'x'];
    a.tell('changed');
    await look(3);
    expect(table.keys()).toEqual(['x.1']);
    expect(a.ids()).toEqual(['x.1']);
  });

  it('is left alone by a node that is cut off', async () => {
    const [a] = await open('a', 'x');
    a!.membership.state = 'isolated';
    table.write('x.1', value('x.1'));
    await look(3);
    expect(table.keys()).toEqual(['x.1']);
  });

  it('is forgotten with a row that is newer by the time it is gone, not with that row', async () => {
    const [a] = await open('a');
    table.write('x.1', value('x.1'));
    await look();
    const go = hold('remove');
    await look();
    // While the removal is on its way the node comes back and writes, and this one has heard.
    alive = ['a', 'x'];
    a!.tell('changed');
    table.write('x.1', value('x.1', { status: 'unhealthy' }));
    await hintAll();
    go();
    await rest();
    expect(a!.ids()).toEqual(['x.1']);
    alive = ['a'];
    a!.tell('changed');
    expect(a!.ids()).toEqual([]);
  });

  it('is tried again when it could not be removed', async () => {
    const [a] = await open('a');
    table.write('x.1', value('x.1'));
    await look();
    table.before = (what) => {
      if (what === 'remove') throw new Error('Redis is away');
    };
    await look();
    table.before = () => undefined;
    await look();
    expect(table.keys()).toEqual([]);
    expect(a!.ids()).toEqual([]);
  });
});

describe('a listener that throws', () => {
  it('keeps neither the others nor the copy from going on', async () => {
    const [a] = await open('a', 'x');
    a!.registry.onChange(() => {
      throw new Error('listener');
    });
    const told: string[] = [];
    const stop = a!.registry.onChange(({ service }) => told.push(service.instanceId));
    table.write('x.1', value('x.1'));
    table.write('x.2', value('x.2'));
    await hintAll();
    expect(told).toEqual(['x.1', 'x.2']);
    stop();
    table.write('x.3', value('x.3'));
    await hintAll();
    expect(told).toEqual(['x.1', 'x.2']);
    expect(a!.ids()).toEqual(['x.1', 'x.2', 'x.3']);
  });
});
