// Acknowledgements under every order in which nodes answer, fail, answer again, leave or fall silent, and in which the
// time runs out (I16): every wait ends, once, and says exactly who is missing.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { NodeMessageListener, NodeMessages } from '../../../libs/foundation/src/channels/node.messages.js';
import { Acknowledgements } from '../../../libs/foundation/src/channels/sending/acknowledgements.js';
import type { ClusterView } from '../../../libs/foundation/src/cluster/cluster.view.js';
import { AcknowledgementError } from '../../../libs/foundation/src/errors/message.errors.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { ORDERS, OrdersClock, settled } from './orders.clock.js';

const NODES = ['me', 'a', 'b', 'c'] as const;
const TIMEOUT_MS = 1000;

type Event =
  | { kind: 'answer'; node: (typeof NODES)[number]; message: number; failure: boolean }
  | { kind: 'leave'; node: (typeof NODES)[number]; reason: 'shutdown' | 'timeout' }
  | { kind: 'junk'; node: (typeof NODES)[number]; body: unknown }
  | { kind: 'pass'; ms: number }
  | { kind: 'left' };

const node = fc.constantFrom(...NODES);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('answer' as const), node, message: fc.nat(2), failure: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('leave' as const),
      node: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
      reason: fc.constantFrom('shutdown' as const, 'timeout' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('junk' as const),
      node,
      body: fc.constantFrom(null, 1, [], ['1'], [1.5], [99], [1, 7], { 0: 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 500, TIMEOUT_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('left' as const) }) },
);
const audience = fc.subarray([...NODES]);

/** What is true of one wait, by what happened in the order in which it did. */
class Expected {
  readonly missing: Map<string, string>;
  outcome: 'waits' | 'acknowledged' | Map<string, string> = 'waits';

  constructor(
    nodes: readonly string[],
    readonly until: number,
  ) {
    this.missing = new Map(nodes.map((name) => [name, 'no answer']));
    this.decide();
  }

  decide(isOver = false): void {
    if (this.outcome !== 'waits') return;
    if (this.missing.size === 0) this.outcome = 'acknowledged';
    else if (isOver || ![...this.missing.values()].includes('no answer')) this.outcome = new Map(this.missing);
  }

  happens(given: Event, index: number): void {
    if (this.outcome !== 'waits') return;
    if (given.kind === 'answer' && given.message === index && this.missing.has(given.node)) {
      if (given.failure) this.missing.set(given.node, 'failed');
      else this.missing.delete(given.node);
    }
    if (given.kind === 'leave' && given.reason === 'shutdown') this.missing.delete(given.node);
    if (given.kind === 'left') {
      for (const [name, reason] of this.missing)
        if (reason === 'no answer') this.missing.set(name, 'the sender left the cluster before it answered');
    }
    this.decide();
  }
}

it('end every wait once, with exactly those that are missing, in whatever order nodes answer and go', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(audience, { minLength: 1, maxLength: 3 }),
      fc.array(event, { maxLength: 20 }),
      async (s, audiences, events) => {
        const clock = new OrdersClock();
        const telemetry = new Telemetry();
        let hear!: NodeMessageListener;
        let changed: () => void = () => undefined;
        const view = {
          ...{ clock, state: 'member', self: { name: 'me', bootId: 'me' } },
          listen: (listener: { changed: () => void }) => void (changed = listener.changed),
        };
        const nodeMessages = { on: (_kind: string, given: NodeMessageListener) => void (hear = given) };
        const acknowledgements = new Acknowledgements(
          view as unknown as ClusterView,
          nodeMessages as unknown as NodeMessages,
          telemetry,
        );
        const waits = audiences.map((names, index) => {
          const nodes = names.map((name) => ({ name, bootId: name }));
          const receipt = acknowledgements.expect('events', nodes, TIMEOUT_MS * (index + 1));
          const ends: unknown[] = [];
          receipt.acknowledged.then(
            () => ends.push('acknowledged'),
            (error: unknown) => ends.push(error),
          );
          return { receipt, ends, expected: new Expected(names, clock.time + TIMEOUT_MS * (index + 1)) };
        });
        for (const given of events) {
          void s.schedule(Promise.resolve(), JSON.stringify(given)).then(() => {
            switch (given.kind) {
              case 'answer': {
                const receipt = waits[given.message]?.receipt;
                const failure = given.failure ? 'failed' : undefined;
                if (given.node === 'me') receipt?.settle(failure);
                else if (receipt !== undefined) {
                  const from = { name: given.node, bootId: given.node };
                  hear(failure === undefined ? [receipt.id] : [receipt.id, failure], from);
                }
                break;
              }
              case 'leave':
                telemetry.emit('cluster.node_left', { node: given.node, bootId: given.node, reason: given.reason });
                break;
              case 'junk':
                hear(given.body, { name: given.node, bootId: given.node });
                break;
              case 'pass': {
                const until = clock.time + given.ms;
                while (clock.time < until) clock.pass(until - clock.time);
                for (const { expected } of waits) if (expected.until <= clock.time) expected.decide(true);
                break;
              }
              case 'left':
                view.state = 'left';
                changed();
            }
            waits.forEach(({ expected }, index) => expected.happens(given, index));
          });
        }
        await s.waitIdle();
        for (const { expected } of waits) expected.decide(true);
        while (!clock.isIdle) clock.pass();
        await settled();
        for (const { ends, expected } of waits) {
          expect(ends).toHaveLength(1);
          const [end] = ends;
          if (expected.outcome === 'acknowledged') expect(end).toBe('acknowledged');
          else {
            expect(end).toBeInstanceOf(AcknowledgementError);
            const { missing } = end as AcknowledgementError;
            expect(new Map(missing.map(({ node, reason }) => [node, reason]))).toEqual(expected.outcome);
          }
        }
        expect(clock.isIdle).toBe(true);
      },
    ),
    { numRuns: ORDERS },
  );
}, 60_000);
