// Nodes that keep a lease, under every order in which Redis hears, loses, holds back or answers what they ask, loses
// its data, and nodes give it back or die: no two own the name (I1), epochs rise (I3), and it is owned in the end (I5).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LeaseQuorum } from '../../../libs/foundation/src/backend/leases/lease.quorum.js';
import type { Lease } from '../../../libs/foundation/src/backend/leases/leases.js';
import { RedlockLeases } from '../../../libs/foundation/src/backend/leases/redlock.leases.js';
import type { LeaseTimes } from '../../../libs/foundation/src/config/config.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { keysOf } from '../../../libs/foundation/src/wire/keys.js';
import { LeaseServer } from './lease.server.js';
import { ORDERS } from './orders.clock.js';
import { type Fault, fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const NAME = 'feed';
const TIMES: LeaseTimes = {
  ...{ ttl: 1500, renewEvery: 350, commandTimeout: 200, margin: 250, deadline: 1233, grace: 1517 },
  onStall: 'fence',
};
const KEYS = keysOf('app');
const STEP_MS = 20;

class Node {
  readonly leases: RedlockLeases;
  lease: Lease | undefined;
  isAlive = true;
  #isTrying = false;

  constructor(
    readonly name: string,
    server: LeaseServer,
    readonly calls: RemoteCalls,
    minted: (epoch: number) => void,
  ) {
    const client = new LeaseQuorum([server.clientOf(calls, name)]);
    const telemetry = new Telemetry();
    telemetry.attach('lease.acquired', (_event, { epoch }) => minted(epoch));
    telemetry.attach('lease.reclaimed', (_event, { epoch }) => minted(epoch));
    this.leases = new RedlockLeases({
      ...{ quorum: client, control: client, redlock: server.redlockOf(calls, name), keys: KEYS, times: TIMES },
      ...{ node: { name, bootId: `${name}-boot` }, telemetry, now: () => performance.now() },
    });
  }

  get owns(): boolean {
    return this.isAlive && this.lease?.isHeld() === true;
  }

  /** What a supervisor does again and again. */
  look(): void {
    if (!this.isAlive || this.#isTrying || this.owns) return;
    this.#isTrying = true;
    this.leases
      .acquire(NAME)
      .then((lease) => (this.lease = lease))
      .catch(() => undefined)
      .finally(() => (this.#isTrying = false));
  }

  release(): void {
    if (this.owns) void this.lease!.release().catch(() => undefined);
  }

  cut(ms: number): void {
    this.calls.isCut = true;
    setTimeout(() => (this.calls.isCut = false), ms);
  }

  die(): void {
    this.isAlive = false;
    this.leases.close();
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 400, 900, 1600) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), node: fc.nat(1) }) },
  // The owner of that moment.
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), ms: fc.constantFrom(300, 1300, 2500) }) },
  // What becomes of the next calls of the owner, and then perhaps nothing arrives for long.
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant('faults' as const), faults: fc.array(fault, { minLength: 1, maxLength: 6 }) },
      isCutThen: fc.boolean(),
    }),
  },
);

describe('nodes that keep a lease', () => {
  beforeAll(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    // The same seed makes the same run.
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
  });
  afterAll(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('have one owner at a time, and one in the end, in whatever order everything comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { minLength: 1, maxLength: 16 }),
        fc.array(fc.array(fault, { maxLength: 20 }), { minLength: 3, maxLength: 3 }),
        async (s, steps, faults) => {
          const server = new LeaseServer(() => performance.now(), TIMES.grace);
          const epochs: number[] = [];
          const nodes = faults.map(
            (given, index) =>
              new Node(`n${index}`, server, new RemoteCalls(s, given), (epoch) => {
                expect(epoch).toBeGreaterThan(Math.max(0, ...epochs));
                epochs.push(epoch);
              }),
          );
          const check = (): void => {
            const owners = nodes.filter(({ owns }) => owns);
            expect(owners.length).toBeLessThanOrEqual(1);
            for (const { lease } of owners) expect(lease!.epoch).toBe(epochs.at(-1));
          };
          const pass = (ms: number): void => {
            for (let passed = 0; passed < ms; passed += STEP_MS) {
              jest.advanceTimersByTime(STEP_MS);
              for (const node of nodes) node.look();
              check();
            }
          };
          try {
            // One owns it before anything goes wrong.
            for (const { calls } of nodes) calls.isCalm = true;
            for (let round = 0; !nodes.some(({ owns }) => owns); round++) {
              expect(round).toBeLessThan(20);
              pass(STEP_MS);
              await settled();
            }
            for (const { calls } of nodes) calls.isCalm = false;
            let isOver = false;
            const { task } = s.scheduleSequence(
              steps.map((each) => ({
                label: JSON.stringify(each),
                builder: async () => {
                  if (each.kind === 'pass') pass(each.ms);
                  else if (each.kind === 'lose') server.lose();
                  else if (each.kind === 'die') nodes[each.node]!.die();
                  else if (each.kind === 'faults')
                    nodes
                      .find(({ owns }) => owns)
                      ?.calls.next([...each.faults, ...(each.isCutThen ? Array<Fault>(12).fill('request') : [])]);
                  else if (each.kind === 'cut') nodes.find(({ owns }) => owns)?.cut(each.ms);
                  else for (const node of nodes) node.release();
                },
              })),
            );
            void task.finally(() => (isOver = true));
            // Time passes as well while packets are on their way.
            for (let turn = 0; !isOver; turn++) {
              if (s.count() > 0) await s.waitOne();
              await settled();
              check();
              if (turn % 3 === 0) pass(STEP_MS);
            }
            for (const { calls } of nodes) calls.isCalm = true;
            while (s.count() > 0) await s.waitOne();
            for (let round = 0; round < 80 && !nodes.some(({ owns }) => owns); round++) {
              pass(100);
              await settled();
            }
            expect(nodes.filter(({ owns }) => owns)).toHaveLength(1);
          } finally {
            for (const node of nodes) node.die();
            while (s.count() > 0) await s.waitOne();
            await settled();
          }
        },
      ),
      // Each is some seconds in the lives of three nodes.
      { numRuns: Math.ceil(ORDERS / 4) },
    );
  }, 60_000);
});
