/**
 * Pure: what the handlers of one node return for one message of a sender that asks → what the node answers.
 * Used by `dispatcher.ts`.
 */
import { describe } from '../../errors/describe.js';
import type { Envelope } from '../envelope.js';
import type { NodeAnswer } from '../node.answer.js';

/**
 * Collects what `count` handlers settle with, as JSON as soon as it is there: what a handler changes afterwards is not
 * answered. One that returns nothing adds nothing, unless none returns anything: then the node answers that.
 *
 * @param longest the bytes of JSON that one node may answer.
 */
export function answerAfter(
  count: number,
  longest: number,
  answered: (answer: NodeAnswer) => void,
): NonNullable<Envelope['settle']> {
  if (count === 0) answered({ values: [] });
  const values: string[] = [];
  let failure: NodeAnswer['failure'];
  let left = count;
  let handled = 0;
  let room = longest;
  const take = (value: unknown): void => {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) return;
    const bytes = Buffer.byteLength(text);
    if (bytes > room) throw new RangeError(`the answer has ${bytes} bytes, more than channels.maxMessageBytes allows`);
    room -= bytes;
    values.push(text);
  };
  return (problem, { value, reason = 'failed' } = {}) => {
    try {
      if (problem === undefined) take(value);
      if (problem === undefined) handled += 1;
      else failure ??= { reason, message: problem };
    } catch (error) {
      failure ??= { reason: 'failed', message: `its answer cannot be sent: ${describe(error)}` };
    }
    if (--left > 0) return;
    if (handled > 0 && values.length === 0) values.push('');
    answered({ values, ...(failure === undefined ? {} : { failure }) });
  };
}
