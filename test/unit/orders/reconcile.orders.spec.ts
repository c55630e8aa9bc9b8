// A node that brings what runs here in line with what should run, under every order in which the table and the leases
// answer, lose or delay what it asks, processes are stopped, started, restarted and crash, and leases are lost: of a
// name no two instances act (I1), and in the end what is wanted runs once and nothing else does (I5, I17).
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import type { Lease, Leases } from '../../../libs/foundation/src/backend/leases/leases.js';
import { createLocalBackend } from '../../../libs/foundation/src/backend/local.backend.js';
import { ClusterView } from '../../../libs/foundation/src/cluster/cluster.view.js';
import { LocalNode } from '../../../libs/foundation/src/cluster/local.node.js';
import { MembershipProtocol } from '../../../libs/foundation/src/cluster/membership.protocol.js';
import { processDefaults, resolve } from '../../../libs/foundation/src/config/resolve.js';
import type { ProcessContext } from '../../../libs/foundation/src/processes/declaration/process.context.js';
import type { ProcessSpec } from '../../../libs/foundation/src/processes/declaration/process.specification.js';
import { Supervisor } from '../../../libs/foundation/src/processes/supervision/supervisor.js';
import { type ProcessEntry, ProcessTable } from '../../../libs/foundation/src/processes/table/process.table.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { ORDERS, OrdersClock, settled } from './orders.clock.js';
import { fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const NAMES = ['a', 'b'];
const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });

class Feed {}

const specOf = (name: string): ProcessSpec => ({
  ...{ name, type: 'Feed', declared: true, kind: 'singleton', count: 1, args: [], handoff: false, rebalance: 'off' },
  options: processDefaults({ backoff: { base: 10, cap: 100 }, stopTimeout: 500 }),
  placement: { strategy: 'spread', labels: {} },
});

interface Life {
  name: string;
  ctx: ProcessContext;
  hasEnded: boolean;
}

const name = fc.constantFrom(...NAMES);
const change = (kind: 'stop' | 'start' | 'restart' | 'crash') => ({
  weight: 2,
  arbitrary: fc.record({ kind: fc.constant(kind), name }),
});
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(10, 100, 700, 3000) }),
  },
  change('stop'),
  change('start'),
  change('restart'),
  change('crash'),
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wake' as const) }) },
);

it('is what is wanted in the end, and never twice, in whatever order everything comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fault, { maxLength: 16 }),
      fc.constantFrom(0, 50, 300),
      async (s, steps, faults, stopMs) => {
        const clock = new OrdersClock();
        const calls = new RemoteCalls(s, faults);
        // The node begins in a calm.
        calls.isCalm = true;
        const telemetry = new Telemetry();
        const node = new LocalNode(config);
        const backend = createLocalBackend(config, node, telemetry, clock);
        overNetwork(backend.table, ['put', 'since'], calls);
        overNetwork(backend.leases, ['standing'], calls);
        acquireOverNetwork(backend.leases, calls);
        const membership = new ClusterView(node, config, backend, telemetry);
        const protocol = new MembershipProtocol(membership, config, backend, telemetry);
        const table = new ProcessTable(backend, membership);
        const supervisor = new Supervisor({ backend, membership, table, telemetry });
        const lives: Life[] = [];
        const acting = (of: string): Life[] =>
          lives.filter((life) => life.name === of && !life.hasEnded && !life.ctx.signal.aborted);
        const create = (): Promise<object> => {
          let life: Life | undefined;
          return Promise.resolve({
            onProcessStart: (ctx: ProcessContext) => {
              expect(acting(ctx.name)).toEqual([]);
              life = { name: ctx.name, ctx, hasEnded: false };
              lives.push(life);
            },
            onProcessStop: async () => {
              if (stopMs > 0) await new Promise<void>((done) => clock.setTimeout(done, stopMs));
              if (life !== undefined) life.hasEnded = true;
            },
          });
        };
        supervisor.know(new Map([['Feed', { type: Feed, create }]]));
        const write = (of: string, to: (entry: ProcessEntry, epoch: number) => Partial<ProcessEntry>): void => {
          const epoch = Math.max(0, ...lives.filter((life) => life.name === of).map(({ ctx }) => ctx.epoch));
          table.change(of, (entry) => ({ ...entry!, ...to(entry!, epoch) })).catch(() => undefined);
        };
        const pass = async (ms: number): Promise<void> => {
          for (const until = clock.time + ms; clock.time < until;) {
            clock.pass(until - clock.time);
            await settled();
          }
        };
        try {
          await protocol.join(['Feed']);
          await supervisor.declare(NAMES.map(specOf));
          await supervisor.start();
          await settled();
          calls.isCalm = false;
          let isOver = false;
          const { task } = s.scheduleSequence(
            steps.map((each) => ({
              label: JSON.stringify(each),
              builder: async () => {
                if (each.kind === 'pass') return pass(each.ms);
                if (each.kind === 'wake') return supervisor.wake();
                if (each.kind === 'lose') return backend.leases.loseAll();
                if (each.kind === 'stop') write(each.name, () => ({ status: 'stopped' }));
                if (each.kind === 'start') write(each.name, (_entry, epoch) => ({ status: 'wanted', after: epoch }));
                if (each.kind === 'restart') write(each.name, (_entry, epoch) => ({ after: epoch }));
                if (each.kind === 'crash') for (const { ctx } of acting(each.name)) ctx.fail(new Error('crashed'));
              },
            })),
          );
          void task.finally(() => (isOver = true));
          while (!isOver) {
            if (s.count() > 0) await s.waitOne();
            await settled();
          }
          calls.isCalm = true;
          while (s.count() > 0) await s.waitOne();
          for (let round = 0; round < 12; round++) await pass(1000);
          await table.sync();
          for (const each of NAMES) {
            const { status, after } = table.get(each)!;
            const isWanted = !['stopped', 'escalated', 'failed', 'completed'].includes(status);
            expect([each, status, acting(each).length]).toEqual([each, status, isWanted ? 1 : 0]);
            // What was asked to restart has.
            for (const { ctx } of acting(each)) expect(ctx.epoch).toBeGreaterThan(after);
          }
        } finally {
          calls.isCalm = true;
          const over = Promise.all([supervisor.drain(), protocol.leave(), backend.close()]);
          let hasLeft = false;
          void over.finally(() => (hasLeft = true)).catch(() => undefined);
          while (!hasLeft) {
            if (s.count() > 0) await s.waitOne();
            await pass(100);
          }
        }
      },
    ),
    // Each is a minute in the life of a node.
    { numRuns: Math.ceil(ORDERS / 5) },
  );
}, 60_000);

/** A lease that nobody has heard of ends, as it is not renewed. */
function acquireOverNetwork(leases: Leases, calls: RemoteCalls): void {
  const acquire = leases.acquire.bind(leases);
  leases.acquire = async (...args) => {
    let won: Lease | undefined;
    let isGivenUp = false;
    try {
      return await calls.call('acquire', async () => {
        won = await acquire(...args);
        if (isGivenUp) won?.abandon();
        return won;
      });
    } catch (error) {
      isGivenUp = true;
      won?.abandon();
      throw error;
    }
  };
}

function overNetwork<T extends object>(port: T, methods: readonly (keyof T & string)[], calls: RemoteCalls): void {
  for (const method of methods) {
    const local = (port[method] as (...args: unknown[]) => Promise<unknown>).bind(port);
    Object.assign(port, { [method]: (...args: unknown[]) => calls.call(method, () => local(...args)) });
  }
}
