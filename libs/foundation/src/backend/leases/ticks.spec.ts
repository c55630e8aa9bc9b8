import { describe, expect, it } from '@jest/globals';
import { isLater, isMissing, revisionOf, writerOf } from './ticks.js';

const by = (writer: number, rev: number): string => `{"rev":${rev},"by":${writer}}`;

describe('the writer of a record', () => {
  it('is in it, and never later than the last owner that has begun', () => {
    expect(writerOf({ epoch: 5, record: by(3, 1) })).toBe(3);
    expect(writerOf({ epoch: 5, record: by(9, 1) })).toBe(5);
    expect(writerOf({ epoch: 5, record: '' })).toBe(-1);
  });

  it.each(['{"rev":1}', 'text', '{"rev":1,"by":-3}', '{"rev":1,"by":"3"}', `{"rev":1,"by":${'1'.repeat(17)}}`])(
    'is taken for the last that has begun where it says none: %s',
    (record) => {
      expect(writerOf({ epoch: 5, record })).toBe(5);
    },
  );
});

describe('the later of two records', () => {
  it('is that of the later writer, whoever has begun since; of one writer the later revision', () => {
    expect(isLater({ epoch: 3, record: by(3, 6) }, { epoch: 4, record: by(3, 5) })).toBe(true);
    expect(isLater({ epoch: 4, record: by(3, 5) }, { epoch: 3, record: by(3, 6) })).toBe(false);
    expect(isLater({ epoch: 4, record: by(4, 1) }, { epoch: 4, record: by(3, 9) })).toBe(true);
    expect(isLater({ epoch: 4, record: by(3, 9) }, { epoch: 4, record: by(4, 1) })).toBe(false);
    expect(isLater({ epoch: 4, record: by(3, 9) }, { epoch: 4, record: by(3, 9) })).toBe(false);
    expect(isLater({ epoch: 3, record: 'text' }, { epoch: 4, record: '' })).toBe(true);
    expect(isLater({ epoch: 4, record: '' }, { epoch: 3, record: 'text' })).toBe(false);
    expect(isLater({ epoch: 0, record: '' }, undefined)).toBe(true);
  });
});

describe('what is missing', () => {
  const known = { epoch: 5, claimed: 10, record: by(5, 2) };

  it('is a later record or claim, unless a later owner has begun', () => {
    expect(isMissing(known, undefined)).toBe(true);
    expect(isMissing(known, known)).toBe(false);
    expect(isMissing(known, { ...known, record: by(5, 1) })).toBe(true);
    expect(isMissing(known, { ...known, claimed: 9 })).toBe(true);
    expect(isMissing(known, { ...known, claimed: 11, record: by(5, 3) })).toBe(false);
    expect(isMissing(known, { epoch: 6, claimed: 0, record: '' })).toBe(false);
    expect(isMissing(known, { epoch: 4, claimed: 10, record: by(5, 2) })).toBe(true);
    expect(isMissing({ ...known, record: by(4, 2) }, { ...known, epoch: 4, record: by(4, 2) })).toBe(false);
  });
});

it('reads a revision that an owner can have written', () => {
  expect([by(5, 12), '{"rev":999999999999999}', '{"rev":1000000000000000}', '', 'x'].map(revisionOf)).toEqual([
    ...[12, 999_999_999_999_999, 0, 0, 0],
  ]);
});
