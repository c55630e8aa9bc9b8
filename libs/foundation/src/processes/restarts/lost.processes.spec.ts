import { beforeEach, expect, it } from '@jest/globals';
import type { Leases } from '../../backend/leases/leases.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';
import { LostProcesses } from './lost.processes.js';

const MINUTE = 60_000;
/** How long one is listed as lost, and how long when there are very many. */
const KEPT_MS = 10 * MINUTE;

let now: number;
let started: string[];
let owned: Set<string>;
let asked: (readonly string[])[];
let lost: LostProcesses;

beforeEach(() => {
  now = 1_700_000_000_000;
  started = [];
  owned = new Set();
  asked = [];
  const table = {
    startedOnce: () => started.map((name) => ({ name })),
    get: (name: string) => (started.includes(name) ? { status: 'once' } : undefined),
  };
  const leases = {
    owners: (names: readonly string[]) => {
      asked.push(names);
      return Promise.resolve(names.map((name) => (owned.has(name) ? { node: 'n1' } : undefined)));
    },
  };
  lost = new LostProcesses(
    table as unknown as ProcessTable,
    { clusterNow: () => now },
    leases as unknown as Pick<Leases, 'owners'>,
  );
});

const found = async (): Promise<string[]> => (await lost.find()).map(({ name }: VersionedEntry) => name);

it('finds what has had no owner for ten minutes, from when that was seen first', async () => {
  started = ['a', 'b'];
  owned = new Set(['b']);
  expect(await found()).toEqual([]);
  for (let minute = 1; minute < 10; minute++) {
    now += MINUTE;
    expect(await found()).toEqual([]);
  }
  now += MINUTE - 1;
  expect(await found()).toEqual([]);
  now += 1;
  expect(await found()).toEqual(['a']);
  // Again with the next, until its entry is gone.
  expect(await found()).toEqual(['a']);
});

it('begins anew where it has an owner again, or was started again', async () => {
  started = ['a', 'b'];
  await found();
  now += KEPT_MS - 1;
  owned = new Set(['a']);
  started = ['a'];
  await found();
  owned = new Set();
  started = ['a', 'b'];
  await found();
  now += KEPT_MS - 1;
  expect(await found()).toEqual([]);
  now += 1;
  expect(await found()).toEqual(['a', 'b']);
});

it('keeps more than a thousand of them for a minute only, and asks for five hundred at once, in turns', async () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`);
  started = names(1000);
  for (let sweep = 0; sweep < 2; sweep++) await found();
  now += MINUTE;
  expect([await found(), await found()]).toEqual([[], []]);
  started = names(1001);
  for (let sweep = 0; sweep < 3; sweep++) await found();
  expect(asked.map((each) => [each[0], each.length])).toEqual([
    ...[['p0', 500], ['p500', 500]], // prettier-ignore
    ...[['p0', 500], ['p500', 500]], // prettier-ignore
    ...[['p0', 500], ['p500', 500], ['p1000', 1]], // prettier-ignore
  ]);
  expect((await found()).length).toBe(500);
});
