// Replicas of a table under every order of questions, answers, failures and losses of data that fast-check finds:
// `fc.scheduler` decides what arrives next, and makes a run that fails as short as it can be. The last word of a row
// that was acknowledged is what all of them have in the end.
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LocalTable } from './local.table.js';
import type { RowSeen, Table, TablePage, TableRow, TableWrite, TableWritten } from './table.js';
import { TableReplica } from './table.replica.js';

const RUNS = Number(process.env['FOUNDATION_ORDERS'] ?? 1000);
Logger.overrideLogger(false);

const KEYS = ['x', 'y', 'z'];
/** Enough for every replica to mend a loss, and to read what the others restored. */
const LAST_ROUNDS = 4;

type Row = { key: string; value: string; version: number };
type Fault = 'none' | 'request' | 'answer';

/** The table over a network: what is asked arrives later or never, and so does the answer. */
class Remote implements Table {
  faults: Fault[] = [];
  #last: Record<'asked' | 'answered', Promise<unknown>> = { asked: Promise.resolve(), answered: Promise.resolve() };

  constructor(
    private readonly table: LocalTable,
    private readonly arrives: (what: string) => Promise<unknown>,
    private readonly name: string,
  ) {}

  put(writes: readonly TableWrite[]): Promise<TableWritten> {
    return this.#call('put', () => this.table.put(writes));
  }

  since(version: number): Promise<TablePage> {
    return this.#call('since', () => this.table.since(version));
  }

  restore(rows: readonly TableRow[], known: number): Promise<string> {
    return this.#call('restore', () => this.table.restore(rows, known));
  }

  remove(rows: readonly RowSeen[]): Promise<string[]> {
    return this.#call('remove', () => this.table.remove(rows));
  }

  /** As on a connection: questions arrive in the order in which they were asked, and so do the answers. */
  async #call<T>(what: string, run: () => Promise<T>): Promise<T> {
    const fault = this.faults.shift() ?? 'none';
    const before = this.#last;
    const asked = before.asked.then(() => this.arrives(`${this.name} asks: ${what}`));
    const ran = asked.then(() => (fault === 'request' ? undefined : run()));
    const answered = Promise.all([ran, before.answered]).then(() => this.arrives(`${this.name} is answered: ${what}`));
    this.#last = { asked, answered };
    await answered;
    if (fault !== 'none') throw new Error('no answer');
    return (await ran) as T;
  }
}

const fault = fc.constantFrom<Fault>('none', 'none', 'none', 'request', 'answer');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('change' as const), by: fc.nat(2), key: fc.constantFrom(...KEYS) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sync' as const), by: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('keep' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('set back' as const) }) },
);

it('have the last acknowledged word of every row in the end, in whatever order everything comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fc.array(fault, { maxLength: 10 }), { minLength: 3, maxLength: 3 }),
      async (s, steps, faults) => {
        let now = 1_000_000;
        let isOver = false;
        const table = new LocalTable(
          () => undefined,
          () => now,
        );
        const arrives = (what: string): Promise<unknown> =>
          isOver ? Promise.resolve() : s.schedule(Promise.resolve(), what);
        const nodes = faults.map((given, index) => {
          const remote = new Remote(table, arrives, `node ${index}`);
          remote.faults = [...given];
          const replica = new TableReplica<Row>(remote, {
            what: 'table',
            read: (row) => ({ ...row }),
            write: ({ value }) => value,
            now: () => now,
          });
          return { remote, replica };
        });
        // As a node does before it is a member: there is something, and every replica has read it.
        await table.put([{ key: KEYS[0]!, value: 'first', expected: 0 }]);
        const given = nodes.map(({ remote }) => remote.faults);
        isOver = true;
        for (const { remote, replica } of nodes) {
          remote.faults = [];
          await replica.sync();
        }
        isOver = false;
        nodes.forEach(({ remote }, index) => (remote.faults = given[index]!));
        let setBack = table.kept();
        const acknowledged = new Map<string, Row>();
        const working: Promise<unknown>[] = [];
        const begin = (work: () => Promise<unknown>): void => void working.push(work().catch(() => undefined));
        s.scheduleSequence(
          steps.map((each, index) => ({
            label: JSON.stringify(each),
            builder: () => {
              now += 1;
              if (each.kind === 'keep') {
                setBack = table.kept();
                return Promise.resolve();
              }
              if (each.kind === 'lose' || each.kind === 'set back') {
                if (each.kind === 'lose') table.lose();
                else setBack();
                // Each node hears of it with its next heartbeat.
                for (const { replica } of nodes)
                  begin(async () => arrives('the news of a loss').then(() => replica.lost()));
                return Promise.resolve();
              }
              const { replica } = nodes[each.by]!;
              if (each.kind === 'sync') begin(() => replica.sync());
              else {
                begin(async () => {
                  const row = await replica.change(each.key, () => `${each.by}.${index}`);
                  const before = acknowledged.get(each.key);
                  if (row !== undefined && row.version > (before?.version ?? 0)) acknowledged.set(each.key, row);
                });
              }
              return Promise.resolve();
            },
          })),
        );
        await s.waitIdle();
        isOver = true;
        await Promise.all(working);
        for (const { remote } of nodes) remote.faults = [];
        for (let round = 0; round < LAST_ROUNDS; round++) {
          now += 1000;
          for (const { replica } of nodes) await replica.heard((await table.since(0)).version);
        }
        const seen = nodes.map(({ replica }) => new Map(KEYS.map((key) => [key, replica.get(key)])));
        expect(seen[1]).toEqual(seen[0]);
        expect(seen[2]).toEqual(seen[0]);
        for (const [key, row] of acknowledged) {
          expect(seen[0]!.get(key)?.version).toBeGreaterThanOrEqual(row.version);
        }
        expect(nodes.some(({ replica }) => replica.isMending)).toBe(false);
      },
    ),
    { numRuns: RUNS },
  );
}, 120_000);
