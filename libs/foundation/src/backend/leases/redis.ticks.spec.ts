import { describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Secret } from '../../security/secret.js';
import { createSigner } from '../../security/signer.js';
import { LONGEST_HINT } from '../../wire/hint.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import { LeaseQuorum } from './lease.quorum.js';
import { RedisTicks } from './redis.ticks.js';
import type { KeptTicks } from './ticks.js';

const keys = { cron: (job: string) => `cron:${job}`, hints: 'hints' };
const plain = createSigner('app', undefined);
const by = (writer: number, rev: number): string => `{"rev":${rev},"by":${writer}}`;
const never = new Promise<never>(() => undefined);
const gone = (): Promise<never> => Promise.reject(new Error('gone'));
/** Later than stragglers are waited for. */
const later = (answer: unknown) => () => new Promise((resolve) => setTimeout(() => resolve(answer), 60));

/** Ticks on servers that answer every script so, and what each was sent. */
function on(...answers: unknown[]) {
  const sent: string[][] = [];
  const clients = answers.map((answer) => {
    const reply = jest.fn(async (_count: number, ...rest: string[]) => {
      sent.push(rest);
      return typeof answer === 'function' ? (answer as () => unknown)() : answer;
    });
    return Object.fromEntries(['Open', 'Write', 'Read', 'Restore'].map((name) => [`foundationTicks${name}`, reply]));
  });
  const ticks = new RedisTicks(new LeaseQuorum(clients as unknown as Redis[]), keys, plain);
  return { ticks, sent };
}

describe('what an owner finds on several servers', () => {
  const found = (epoch: number, claimed: number, record = '', doubt = ''): string[] => [
    ...[String(epoch), String(claimed), record, doubt],
  ];

  it('is the last record and the highest claim of a majority, whoever hangs', async () => {
    const { ticks } = on(found(3, 9, by(3, 1)), found(4, 7, by(4, 1)), () => never);
    expect(await ticks.open('job', 5)).toStrictEqual({ claimed: 9, record: by(4, 1) });
    // The other way round as well.
    const turned = on(found(4, 7, by(4, 1)), found(3, 9, by(3, 1)), () => never);
    expect(await turned.ticks.open('job', 5)).toStrictEqual({ claimed: 9, record: by(4, 1) });
  });

  it('waits for one more as long as too few have let it begin', async () => {
    const { ticks } = on(found(3, 9), '', later(found(3, 7)));
    expect(await ticks.open('job', 5)).toStrictEqual({ claimed: 9, record: '' });
  });

  it.each([
    ['on the only server', ['']],
    ['where a majority has not let it begin', [['3', '9', '', ''], '', gone]],
  ])('is nothing once a later one has begun, %s', async (_where, answers) => {
    expect(await on(...answers).ticks.open('job', 5)).toBeUndefined();
  });

  it('begins above the highest revision that any server has', async () => {
    const { ticks } = on(found(3, 0, by(3, 7)), found(4, 0, by(4, 1)), gone);
    expect(await ticks.open('job', 5)).toStrictEqual({ claimed: 0, record: by(4, 1), revision: 7 });
  });

  it('tells of claimed times that no clock said, and counts those of the others', async () => {
    const { ticks } = on(found(3, 90, '', '?never'), found(3, 7), found(3, 80, '', '?nan'));
    const doubt = { said: 'never', most: 90 };
    expect(await ticks.open('job', 5)).toStrictEqual({ claimed: 7, record: '', doubt });
    const turned = on(found(3, 80, '', '?nan'), found(3, 7), found(3, 90, '', '?never'));
    expect(await turned.ticks.open('job', 5)).toMatchObject({ doubt: { said: 'nan', most: 90 } });
  });
});

describe('what an owner writes on several servers', () => {
  it.each([
    ['a majority has done it, whoever hangs', ['done', 'done', () => never], 'done'],
    ['one that was waited for has done it, too', ['done', 'late', later('done')], 'done'],
    ['one refuses it and one is gone', ['done', 'late', gone], 'late'],
    ['all refuse it', ['late', 'late', 'late'], 'late'],
    ['one says that a later owner has begun', ['late', 'taken', 'stale'], 'stale'],
    ['one says that it is claimed, and one that it is far ahead', ['done', 'early', 'taken'], 'taken'],
  ])('is answered where %s', async (_what, answers, expected) => {
    expect(await on(...answers).ticks.write('job', 5, 'r')).toBe(expected);
  });

  it('is an error where too few give an answer that is known', async () => {
    await expect(on('done', 'what', gone).ticks.write('job', 5, 'r')).rejects.toThrow('no answer of a majority');
    await expect(on(undefined).ticks.write('job', 5, 'r')).rejects.toThrow('no answer of a majority');
  });

  it('goes to each with a claim, or without one, and with what the other nodes hear', async () => {
    const { ticks, sent } = on('done');
    await ticks.write('job', 5, by(5, 1), { at: 9, id: 'a' });
    await ticks.write('job', 5, by(5, 2));
    const hint = (claimed: number, record: string): string =>
      JSON.stringify({ t: 'cron', said: JSON.stringify({ job: 'job', epoch: 5, claimed, record }) });
    const life = String(LIVES.unused);
    expect(sent).toEqual([
      ['cron:job', '5', life, by(5, 1), 'hints', hint(9, by(5, 1)), '9', 'a'],
      ['cron:job', '5', life, by(5, 2), 'hints', hint(0, by(5, 2))],
    ]);
  });

  it('is heard by no other node where it is longer than a hint, in bytes', async () => {
    const { ticks, sent } = on('done');
    await ticks.write('job', 5, '');
    const left = LONGEST_HINT - Buffer.byteLength(sent[0]![5]!);
    for (const record of ['x'.repeat(left), 'x'.repeat(left + 1), 'ä'.repeat(left - 1)]) {
      await ticks.write('job', 5, record);
    }
    expect(sent.map(([, , , , , hint]) => Buffer.byteLength(hint!))).toEqual([LONGEST_HINT - left, LONGEST_HINT, 0, 0]);
  });
});

describe('what is kept of jobs on several servers', () => {
  const none = ['', '', ''];

  it('is the last record of each, what anybody has claimed, and the last that has begun', async () => {
    const { ticks } = on(
      [...['4', '9', by(3, 2)], ...none, ...['6', '1', by(6, 1)]],
      [...['3', '7', by(3, 3)], ...none, ...none],
      gone,
    );
    const all: KeptTicks[] = [
      { job: 'a', epoch: 4, claimed: 9, record: by(3, 3) },
      { job: 'c', epoch: 6, claimed: 1, record: by(6, 1) },
    ];
    expect(await ticks.recall(['a', 'b', 'c'])).toEqual(all);
    expect(await ticks.read(['a', 'b', 'c'])).toEqual([by(3, 3), '', by(6, 1)]);
  });

  it('is nothing where nothing was written, also beside a server that is gone', async () => {
    const { ticks } = on(gone, none, none);
    expect([await ticks.recall(['a']), await ticks.read(['a'])]).toEqual([[], ['']]);
  });

  it('goes back to each server', async () => {
    const { ticks, sent } = on(1, 1, 1);
    await ticks.restore([
      { job: 'a', epoch: 4, claimed: 9, record: 'r' },
      { job: 'b', epoch: 5, claimed: 0, record: 's' },
    ]);
    const each = ['cron:a', 'cron:b', String(LIVES.unused), '4', '9', 'r', '5', '0', 's'];
    expect(sent).toEqual([each, each, each]);
  });
});

describe('what other nodes have written', () => {
  const kept: KeptTicks = { job: 'job', epoch: 5, claimed: 9, record: by(5, 1) };
  const secret = new Secret('a cookie of thirty-two characters!');

  it.each([
    ['without a cookie', plain],
    ['with one', createSigner('app', secret)],
  ])('is told %s, and nothing else is', (_what, seal) => {
    const ticks = new RedisTicks(new LeaseQuorum([]), keys, seal);
    const heard: KeptTicks[] = [];
    ticks.onWritten((each) => heard.push(each));
    const stranger = createSigner('app', new Secret('another cookie, also long enough!!'));
    for (const said of ['', 'text', '{"job":"job"}', seal.sign('elsewhere', '{}')]) ticks.heard({ t: 'cron', said });
    ticks.heard({ t: 'cron', said: seal.sign('hints', '{"job":"job"}') });
    ticks.heard({ t: 'cron', said: stranger.sign('hints', JSON.stringify(kept)) });
    expect(heard).toEqual([]);
    ticks.heard({ t: 'cron', said: seal.sign('hints', JSON.stringify(kept)) });
    expect(heard).toEqual([kept]);
  });
});
