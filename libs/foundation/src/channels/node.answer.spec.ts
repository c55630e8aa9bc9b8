import { describe, expect, it } from '@jest/globals';
import { Gathering } from '../calls/gathering.js';
import { type NodeAnswer, takeAnswer, writeAnswer } from './node.answer.js';
import { answerAfter } from './receiving/handler.answers.js';

const received = async (body: unknown[]) => {
  const gathering = new Gathering(new Map([['boot a', { node: 'a' }]]), {});
  takeAnswer(gathering, 'boot a', body);
  return gathering.result;
};
const overTheWire = (answer: NodeAnswer) => received(JSON.parse(JSON.stringify(writeAnswer(1, answer))) as unknown[]);

function answered(longest: number, ...settled: Parameters<ReturnType<typeof answerAfter>>[]): NodeAnswer {
  let answer: NodeAnswer | undefined;
  const settle = answerAfter(settled.length, longest, (given) => (answer = given));
  for (const words of settled) settle(...words);
  return answer!;
}

describe('The answer of a node', () => {
  it('has what each handler returned', async () => {
    const answer = answered(1000, [undefined, { value: { a: [1, null] } }], [undefined, { value: 'text' }]);
    expect((await overTheWire(answer)).answers).toEqual([
      { node: 'a', value: { a: [1, null] } },
      { node: 'a', value: 'text' },
    ]);
  });

  it('is one that has nothing to say where every handler returns nothing', async () => {
    const nothing = answered(1000, [undefined, { value: undefined }], [undefined, {}]);
    expect(await overTheWire(nothing)).toEqual({
      answers: [{ node: 'a', value: undefined }],
      missing: [],
      complete: true,
    });
    const one = answered(1000, [undefined, { value: undefined }], [undefined, { value: 1 }]);
    expect((await overTheWire(one)).answers).toEqual([{ node: 'a', value: 1 }]);
  });

  it('is none where no handler takes the message', async () => {
    expect(await overTheWire(answered(1000))).toEqual({ answers: [], missing: [], complete: true });
  });

  it('has the first failure, and what the others returned', async () => {
    const answer = answered(
      1000,
      [undefined, { value: 1 }],
      ['a handler failed: no', { reason: 'failed' }],
      ['queue full', { reason: 'queue-full' }],
    );
    expect(await overTheWire(answer)).toEqual({
      answers: [{ node: 'a', value: 1 }],
      missing: [{ node: 'a', reason: 'failed', message: 'a handler failed: no' }],
      complete: false,
    });
  });

  it.each([
    ['a BigInt', 1n],
    ['a circle', (() => Object.assign([] as unknown[], { 0: null }))()],
    [
      'a getter that throws',
      {
        get x() {
          throw new Error('no');
        },
      },
    ],
  ])('says so where a handler returns what cannot be sent: %s', (name, value) => {
    const circle: unknown[] = [];
    circle.push(circle);
    const { failure, values } = answered(1000, [undefined, { value: name === 'a circle' ? circle : value }]);
    expect(failure?.message).toMatch(/^its answer cannot be sent: /);
    expect(values).toEqual([]);
  });

  it('is bounded in size, all handlers together', () => {
    const { failure, values } = answered(10, [undefined, { value: '1234' }], [undefined, { value: '12345' }]);
    expect(values).toEqual(['"1234"']);
    expect(failure).toMatchObject({ reason: 'failed', message: expect.stringContaining('channels.maxMessageBytes') });
  });

  it('of a node of the version before is known to be none', async () => {
    expect((await received([1])).missing).toEqual([{ node: 'a', reason: 'unsupported' }]);
    expect((await received([1, 'a handler failed: no'])).missing).toEqual([
      { node: 'a', reason: 'failed', message: 'a handler failed: no' },
    ]);
  });

  it.each([
    [[1, null, 'x']],
    [[1, null, null]],
    [[1, null, [1]]],
    [[1, null, ['{']]],
    [[1, null, Array.from({ length: 1001 }, () => '1')]],
  ])('that cannot be read is a failure: %j', async (body) => {
    expect((await received(body)).missing).toEqual([
      { node: 'a', reason: 'failed', message: 'its answer cannot be read' },
    ]);
  });

  it('reaches no prototype, and gives no reason of the asking node', async () => {
    const { answers, missing } = await received([1, null, ['{"__proto__":{"x":1}}'], 'not-awaited', { a: 1 }]);
    expect(Object.keys(answers[0]!.value as object)).toEqual([]);
    expect(missing).toEqual([{ node: 'a', reason: 'failed' }]);
  });
});
