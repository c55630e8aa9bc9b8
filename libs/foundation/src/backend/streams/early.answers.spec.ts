import { expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { answersEarly } from './early.answers.js';

/** Answers one WAITAOF after the other. */
function clientOf(...answers: unknown[]): Redis {
  const pipeline = {
    eval: () => pipeline,
    call: () => pipeline,
    exec: () => {
      const answer = answers.shift();
      return Promise.resolve([[null, 1], answer instanceof Error ? [answer] : [null, answer]]);
    },
  };
  return { pipeline: () => pipeline } as unknown as Redis;
}

it.each<[boolean, unknown[]]>([
  [
    true,
    [
      [1, 0],
      [1, 0],
      [1, 0],
    ],
  ],
  [
    false,
    [
      [1, 0],
      [0, 0],
    ],
  ],
  [false, [[0, 0]]],
  [false, [[1, 0], new Error('UNBLOCKED')]],
  [false, [null]],
  [false, ['OK']],
])('says %s of the answers %j', async (isEarly, answers) => {
  expect(await answersEarly(clientOf(...answers), 'key')).toBe(isEarly);
});
