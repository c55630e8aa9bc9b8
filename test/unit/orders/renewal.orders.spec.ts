// Nodes that keep a lease, under every order in which Redis hears, loses, holds back or answers what they ask, loses
// its data, and nodes give it back or die: no two own the name (I1), epochs rise, and Redis knows that of the owner
// (I3), it is owned in the end (I5), and a lookup names nobody for longer than its lease lasts (I14).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc, { type Scheduler } from 'fast-check';
import { LeaseQuorum } from '../../../libs/foundation/src/backend/leases/lease.quorum.js';
import type { Lease } from '../../../libs/foundation/src/backend/leases/leases.js';
import { RedlockLeases } from '../../../libs/foundation/src/backend/leases/redlock.leases.js';
import type { LeaseTimes } from '../../../libs/foundation/src/config/config.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { keysOf } from '../../../libs/foundation/src/wire/keys.js';
import { LeaseServer } from './lease.server.js';
import { ORDERS, settled } from './orders.clock.js';
import { type Fault, fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const NAME = 'feed';
const TIMES: LeaseTimes = {
  ...{ ttl: 1500, renewEvery: 350, commandTimeout: 200, margin: 250, deadline: 1233, grace: 1517 },
  onStall: 'fence',
};
const KEYS = keysOf('app');
const STEP_MS = 20;
const LOOK_MS = 100;
/** How long after its ownership a node may be named: a renewal may have arrived as late as its answer is waited for. */
const NAMED_MS = TIMES.ttl + 2 * TIMES.commandTimeout + LOOK_MS;

class Node {
  readonly leases: RedlockLeases;
  lease: Lease | undefined;
  isAlive = true;
  /** Until when a lookup may name it. */
  namedUntil = 0;
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

  async release(): Promise<void> {
    if (this.owns) await this.lease!.release().catch(() => undefined);
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

/** How time passes, and how many packets arrive in each step of it. */
const passing = { ms: fc.constantFrom(100, 400, 900, 1600), packets: fc.constantFrom(0, 1, 3, 10) };
const swift = { ms: fc.constantFrom(400, 900, 1600, 1600), packets: fc.constantFrom(1, 3, 10, 10) };
/** All that Redis knew, in the end. */
const doLose = fc.constantFrom(false, false, true);
/** What becomes of the next calls of an owner: some are lost, one goes astray, some arrive, and then perhaps none. */
const faults = fc
  .record({
    lost: fc.array(fc.constantFrom<Fault>('request', 'answer'), { maxLength: 5 }),
    // In time, but after what was asked later; and when nobody counts any more on what was then.
    then: fc.constantFrom<Fault>('none', 'astray', TIMES.commandTimeout - STEP_MS, 2 * TIMES.deadline),
    arriving: fc.constantFrom(0, 1, 2, 2),
    isCutThen: fc.boolean(),
  })
  .map(({ lost, then, arriving, isCutThen }) => [
    ...[...lost, then, ...Array<Fault>(arriving).fill('none')],
    ...(isCutThen ? Array<Fault>(12).fill('request') : []),
  ]);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('pass' as const), ...passing }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), node: fc.nat(1) }) },
  // The owner of that moment.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), ms: fc.constantFrom(300, 1300, 2500) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('faults' as const), faults, ...swift, doLose }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Three nodes beside a Redis that is modelled. */
class World {
  readonly server = new LeaseServer(() => performance.now(), TIMES.grace);
  readonly nodes: readonly Node[];
  readonly #epochs: number[] = [];
  /** What nodes say before Redis has answered once is not known to come late. */
  #areTimesKnown = false;

  constructor(
    private readonly s: Scheduler,
    faults: readonly (readonly Fault[])[],
  ) {
    this.nodes = faults.map(
      (given, index) =>
        new Node(`n${index}`, this.server, new RemoteCalls(s, given, TIMES.commandTimeout), (epoch) => {
          expect(epoch).toBeGreaterThan(Math.max(0, ...this.#epochs));
          this.#epochs.push(epoch);
        }),
    );
  }

  get owner(): Node | undefined {
    return this.nodes.find(({ owns }) => owns);
  }

  /** One owns it before anything goes wrong; perhaps each did. */
  async begin(doAllOwn: boolean): Promise<void> {
    this.calm(true);
    const calm = async (ms: number): Promise<void> => this.pass(ms, 0);
    for (const node of doAllOwn ? this.nodes : []) {
      while (!node.owns) {
        node.look();
        await calm(STEP_MS);
      }
      // Until it was renewed once.
      for (let passed = 0; passed < 1.2 * TIMES.renewEvery; passed += STEP_MS) await calm(STEP_MS);
      await node.release();
    }
    this.#areTimesKnown = doAllOwn;
    this.nodes[0]!.look();
    for (let round = 0; this.owner === undefined; round++) {
      expect(round).toBeLessThan(20);
      await this.pass(STEP_MS, 0);
    }
    this.calm(false);
  }

  calm(isCalm: boolean): void {
    for (const { calls } of this.nodes) calls.isCalm = isCalm;
  }

  async pass(ms: number, packets: number, doLook = false, stepMs = STEP_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      jest.advanceTimersByTime(stepMs);
      if (doLook && passed % LOOK_MS === 0) for (const node of this.nodes) node.look();
      await settled();
      this.#check();
      for (let packet = 0; packet < packets && this.s.count() > 0; packet++) {
        await this.s.waitOne();
        await settled();
        this.#check();
      }
    }
  }

  async do(each: Step): Promise<void> {
    if (each.kind === 'lose') this.server.lose();
    else if (each.kind === 'die') this.nodes[each.node]!.die();
    else if (each.kind === 'cut') this.owner?.cut(each.ms);
    else if (each.kind === 'release') void this.owner?.release();
    else if (each.kind === 'faults') this.owner?.calls.next(each.faults);
    this.#check();
    if (each.kind === 'pass' || each.kind === 'faults') await this.pass(each.ms, each.packets, true);
    if (each.kind === 'faults' && each.doLose) this.server.lose();
  }

  /** Nothing goes wrong any more. */
  async end(): Promise<void> {
    this.calm(true);
    while (this.s.count() > 0) await this.s.waitOne();
    // What nobody renews any more ends.
    await this.pass(2 * TIMES.ttl, 0, true, LOOK_MS);
    for (let round = 0; round < 80 && this.owner === undefined; round++) await this.pass(LOOK_MS, 0, true, LOOK_MS);
    // Until it was renewed, and is sure of its epoch.
    await this.pass(3 * TIMES.renewEvery, 0, true, LOOK_MS);
    expect(this.nodes.filter(({ owns }) => owns)).toHaveLength(1);
    const { epoch } = this.owner!.lease!;
    expect(this.server.epochOf(KEYS.epoch(NAME))).toBe(epoch);
    expect(epoch).toBeGreaterThan(this.server.least);
    expect(this.server.named(KEYS.lease(NAME), KEYS.owner(NAME))).toBe(this.owner!.name);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.die();
    while (this.s.count() > 0) await this.s.waitOne();
    await settled();
  }

  #check(): void {
    const owners = this.nodes.filter(({ owns }) => owns);
    expect(owners.length).toBeLessThanOrEqual(1);
    for (const node of owners) {
      expect(node.lease!.epoch).toBe(this.#epochs.at(-1));
      node.namedUntil = performance.now() + NAMED_MS;
    }
    const named = this.nodes.find(({ name }) => name === this.server.named(KEYS.lease(NAME), KEYS.owner(NAME)));
    if (!this.#areTimesKnown || named === undefined) return;
    // A node that was given the name and never heard of it is named for the time that it was given.
    const givenUntil = this.server.takenAt(KEYS.lease(NAME)) + TIMES.ttl;
    expect(performance.now()).toBeLessThanOrEqual(Math.max(named.namedUntil, givenUntil));
  }
}

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

  it('have one owner at a time, and one in the end, in whatever order everything comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.boolean(),
        fc.array(step, { minLength: 1, maxLength: 16 }),
        fc.array(fc.array(fault, { maxLength: 20 }), { minLength: 3, maxLength: 3 }),
        async (s, didAllOwn, steps, faults) => {
          const world = new World(s, faults);
          try {
            await world.begin(didAllOwn);
            for (const each of steps) await world.do(each);
            await world.end();
          } finally {
            await world.close();
          }
        },
      ),
      // Each is some seconds in the lives of three nodes.
      { numRuns: Math.ceil(ORDERS / 6) },
    );
  }, 120_000);
});
