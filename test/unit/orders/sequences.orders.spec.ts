// Numbers of messages under every order in which bundles of several senders arrive, are lost or come twice, and in
// which their last numbers are told (I21): each message is handled once or reported once.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Beginning,
  GapDetector,
  type Sequence,
} from '../../../libs/foundation/src/channels/receiving/gap.detector.js';
import { ORDERS } from './orders.clock.js';

type Fate = 'arrives' | 'lost' | 'twice';

const bundle = fc.record({
  sender: fc.nat(2),
  lane: fc.constantFrom('high' as const, 'normal' as const),
  count: fc.integer({ min: 1, max: 4 }),
  fate: fc.constantFrom<Fate>('arrives', 'arrives', 'lost', 'twice'),
  /** The sender is asked for its last number after it, as after a cut. */
  isAsked: fc.boolean(),
});
const beginnings = fc.array(fc.constantFrom<Beginning>('here', 'before', 'unknown'), { minLength: 3, maxLength: 3 });

/** What this node has of one sequence. */
class Heard {
  readonly handled: number[] = [];
  readonly reported: number[] = [];
  first: number | undefined;

  handle(first: number, count: number, duplicates: number): void {
    for (let number = first + duplicates; number < first + count; number++) this.handled.push(number);
  }

  report(range: { first: number; last: number } | undefined): void {
    if (range === undefined) return;
    for (let number = range.first; number <= range.last; number++) this.reported.push(number);
  }
}

it('handles or reports every message once, in whatever order senders are heard', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(bundle, { minLength: 1, maxLength: 14 }),
      beginnings,
      async (s, bundles, beginningOf) => {
        const detector = new GapDetector((bootId) => beginningOf[Number(bootId)]!);
        const heard = new Map<string, Heard>();
        const sent = new Map<string, number>();
        const paths = new Map<string, Promise<unknown>>();
        /** Within a sequence everything comes in the order in which it was sent. */
        const along = (key: string, what: string, arrive: () => void): void => {
          const before = paths.get(key) ?? Promise.resolve();
          paths.set(key, before.then(() => s.schedule(Promise.resolve(), what)).then(arrive));
        };
        const tell = (key: string, sequence: Sequence): void => {
          const last = sent.get(key) ?? 0;
          along(key, `${key} says that ${last} was its last`, () => {
            const of = heard.get(key)!;
            of.first ??= last + 1;
            of.report(detector.announced(sequence, last));
          });
        };
        for (const { sender, lane, count, fate, isAsked } of bundles) {
          const key = `${sender} ${lane}`;
          const sequence: Sequence = { bootId: String(sender), channel: 'c', lane };
          if (!heard.has(key)) heard.set(key, new Heard());
          const first = (sent.get(key) ?? 0) + 1;
          sent.set(key, first + count - 1);
          const arrive = (): void => {
            const of = heard.get(key)!;
            of.first ??= first;
            const { duplicates, gap } = detector.arrived(sequence, first, count);
            of.report(gap);
            of.handle(first, count, duplicates);
          };
          for (let copies = fate === 'lost' ? 0 : fate === 'twice' ? 2 : 1; copies > 0; copies--)
            along(key, `${key} sends ${first} to ${first + count - 1}`, arrive);
          if (isAsked) tell(key, sequence);
        }
        for (const key of sent.keys()) {
          const [sender, lane] = key.split(' ') as [string, Sequence['lane']];
          tell(key, { bootId: sender, channel: 'c', lane });
        }
        await s.waitIdle();
        await Promise.all(paths.values());
        for (const [key, last] of sent) {
          const { handled, reported, first } = heard.get(key)!;
          const from = beginningOf[Number(key[0])] === 'before' ? first! : 1;
          const expected = Array.from({ length: Math.max(0, last - from + 1) }, (_, index) => from + index);
          expect([...handled, ...reported].sort((one, other) => one - other)).toEqual(expected);
          expect(handled).toEqual([...handled].sort((one, other) => one - other));
        }
      },
    ),
    { numRuns: ORDERS },
  );
}, 60_000);
