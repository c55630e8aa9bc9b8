// Several nodes that would like the same names, under every order in which Redis hears, loses or answers what they ask,
// hints come or do not, and nodes die: no node takes more than it has room for (I23), no name has two owners (I1), all
// are owned in the end (I5), and soon those that a node gives back as it leaves, also by one that polls at that moment.
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import type { Lease, Standing } from '../../../libs/foundation/src/backend/leases/leases.js';
import { Candidacy } from '../../../libs/foundation/src/processes/supervision/candidacy.js';
import { ORDERS, OrdersClock, settled } from './orders.clock.js';
import { type Fault, fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const NAMES = ['a', 'b', 'c', 'd'];
const CAPACITY = 2;
const TTL_MS = 1000;
/** By then a hint has led to an owner: the last in turn waits for 50 milliseconds. */
const SOON_MS = 200;

/** What Redis knows: who has each name, and until when unless it is renewed. */
class Names {
  readonly #owners = new Map<string, { node: Node; until: number }>();

  constructor(private readonly clock: OrdersClock) {}

  ownerOf(name: string): Node | undefined {
    const owner = this.#owners.get(name);
    return owner !== undefined && owner.until > this.clock.time ? owner.node : undefined;
  }

  take(name: string, node: Node): boolean {
    if (this.ownerOf(name) !== undefined) return false;
    this.#owners.set(name, { node, until: this.clock.time + TTL_MS });
    return true;
  }

  renew(name: string, node: Node): void {
    if (this.ownerOf(name) === node) this.#owners.set(name, { node, until: this.clock.time + TTL_MS });
  }

  release(name: string, node: Node): void {
    if (this.ownerOf(name) === node) this.#owners.delete(name);
  }

  standing(name: string): Standing {
    const isTaken = this.ownerOf(name) !== undefined;
    return { name, freeInMs: isTaken ? this.#owners.get(name)!.until - this.clock.time : 0 };
  }
}

class Node {
  readonly owned = new Set<string>();
  readonly candidacy: Candidacy;
  most = 0;
  isAlive = true;

  constructor(
    private readonly names: Names,
    index: number,
    calls: RemoteCalls,
    clock: OrdersClock,
  ) {
    const leases = {
      standing: (asked: readonly string[]) =>
        calls.call(`${index} asks for ${asked.join()}`, async () => asked.map((name) => names.standing(name))),
      acquire: (name: string): Promise<Lease | undefined> =>
        calls.call(`${index} takes ${name}`, async () => (names.take(name, this) ? ({ name } as Lease) : undefined)),
    };
    this.candidacy = new Candidacy(
      leases,
      (name) => (this.#room() <= 0 ? undefined : { rank: (NAMES.indexOf(name) + index) % 3, queueMs: 0 }),
      ({ name }) => {
        expect(this.owned.has(name)).toBe(false);
        // An answer that comes so late that the lease is over is refused below the candidacy.
        if (names.ownerOf(name) === this) this.owned.add(name);
        this.count();
      },
      clock,
    );
  }

  count(): void {
    this.most = Math.max(this.most, this.owned.size + this.candidacy.trying);
  }

  /** What the reconciler does now and then. */
  look(fresh = false): void {
    if (!this.isAlive) return;
    for (const name of this.owned) {
      if (this.names.ownerOf(name) !== this) this.owned.delete(name);
      else this.names.renew(name, this);
    }
    for (const name of NAMES) if (!this.owned.has(name)) this.candidacy.want(name, fresh);
  }

  #room(): number {
    return CAPACITY - this.owned.size - this.candidacy.trying;
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(10, 50, 300, 1000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      name: fc.constantFrom(...NAMES),
      hinted: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hint' as const), name: fc.constantFrom(...NAMES) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), node: fc.nat(1) }) },
);

it('take what they have room for, and all in the end, in whatever order everything comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.boolean(),
      fc.array(step, { maxLength: 12 }),
      fc.array(fc.array(fault, { maxLength: 8 }), { minLength: 4, maxLength: 4 }),
      fc.record({ name: fc.constantFrom(...NAMES), packets: fc.nat(6) }),
      async (s, fresh, steps, faults, last) => {
        const clock = new OrdersClock();
        const names = new Names(clock);
        const networks = faults.map((given) => new RemoteCalls(s, given));
        const nodes = networks.map((calls, index) => new Node(names, index, calls, clock));
        const pass = (ms: number): void => {
          for (const until = clock.time + ms; clock.time < until;) {
            clock.pass(Math.min(100, until - clock.time));
            for (const node of nodes) node.look();
          }
        };
        const check = (): void => {
          for (const node of nodes) {
            node.count();
            expect(node.most).toBeLessThanOrEqual(CAPACITY);
          }
        };
        for (const node of nodes) node.look(fresh);
        s.scheduleSequence(
          steps.map((each) => ({
            label: JSON.stringify(each),
            builder: async () => {
              if (each.kind === 'pass') return pass(each.ms);
              if (each.kind === 'die') {
                const node = nodes[each.node]!;
                node.isAlive = false;
                return void node.candidacy.close();
              }
              const owner = names.ownerOf(each.name);
              if (each.kind === 'release') {
                if (owner === undefined || !owner.owned.delete(each.name)) return;
                names.release(each.name, owner);
                if (!each.hinted) return;
              }
              for (const { candidacy } of nodes) candidacy.hint(each.name);
            },
          })),
        );
        const arrive = async (most = Infinity): Promise<void> => {
          for (let packet = 0; packet < most && s.count() > 0; packet++) {
            await s.waitOne();
            await settled();
            check();
          }
        };
        await arrive();
        for (const calls of networks) calls.next(Array<Fault>(200).fill('none'));
        for (let round = 0; round < 50 && s.count() === 0; round++) {
          pass(20);
          await settled();
        }
        // In the middle of a poll a node leaves, where the others have the room for it.
        await arrive(last.packets);
        const leaving = names.ownerOf(last.name);
        const isEnough = nodes.filter(({ isAlive }) => isAlive).length * CAPACITY >= NAMES.length + CAPACITY;
        const isGivenBack = isEnough && leaving?.isAlive === true && leaving.owned.has(last.name);
        if (isGivenBack) {
          leaving.isAlive = false;
          void leaving.candidacy.close();
          for (const name of leaving.owned) {
            names.release(name, leaving);
            for (const { candidacy } of nodes) candidacy.hint(name);
          }
        }
        await settled();
        await arrive();
        for (const calls of networks) calls.isCalm = true;
        for (let passed = 0; passed < SOON_MS; passed += 20) {
          pass(20);
          await settled();
          check();
        }
        if (isGivenBack) expect(names.ownerOf(last.name)).toBeDefined();
        for (let round = 0; round < 20; round++) {
          pass(300);
          await settled();
          check();
        }
        expect(NAMES.filter((name) => names.ownerOf(name) === undefined)).toEqual([]);
        const owners = NAMES.flatMap((name) => nodes.filter(({ isAlive, owned }) => isAlive && owned.has(name)));
        expect(owners).toHaveLength(NAMES.length);
        await Promise.all(nodes.map(({ candidacy }) => candidacy.close()));
      },
    ),
    // Each is a life of four nodes.
    { numRuns: Math.ceil(ORDERS / 5) },
  );
}, 60_000);
