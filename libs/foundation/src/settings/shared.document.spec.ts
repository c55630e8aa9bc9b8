import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { FoundationConfigError } from '../errors/config.errors.js';
import { LimitError } from '../errors/limit.errors.js';
import type { FoundationEvents } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { type ConfigRow, nextContent } from './config.row.js';
import { type DocumentChange, MAX_WATCHERS, SharedDocument } from './shared.document.js';

const schema = z.object({ a: z.number().max(10), b: z.object({ c: z.string() }) });
const defaults = { a: 1, b: { c: 'x' } };

let telemetry: Telemetry;
let changed: FoundationEvents['config.changed'][];
let refused: FoundationEvents['config.refused'][];

beforeEach(() => {
  Logger.overrideLogger(false);
  telemetry = new Telemetry();
  [changed, refused] = [[], []];
  telemetry.attach('config.changed', (_event, payload) => void changed.push(payload));
  telemetry.attach('config.refused', (_event, payload) => void refused.push(payload));
});

const open = () => SharedDocument.open({ name: 'app', schema, defaults }, telemetry);
const after = (row: ConfigRow | undefined, path: string, value: unknown, version: number): ConfigRow => ({
  ...nextContent(row, { path, value, id: `id ${version}`, node: 'n' }),
  version,
});

describe('A shared document', () => {
  it('needs defaults that its schema takes', async () => {
    for (const wrong of [{ a: 11, b: { c: 'x' } }, {}, { a: 1n, b: {} }]) {
      const opening = SharedDocument.open({ name: 'app', schema, defaults: wrong }, telemetry);
      await expect(opening).rejects.toBeInstanceOf(FoundationConfigError);
    }
  });

  it('tells of each change that it has missed, in order and once', async () => {
    const document = await open();
    const heard: DocumentChange[] = [];
    document.watch('a', ['a'], (change) => heard.push(change));
    const first = after(undefined, 'a', 2, 10);
    const second = after(first, 'b.c', 'y', 11);
    const third = after(second, 'a', 3, 12);
    document.follow(first);
    await document.settled();
    document.follow(third);
    document.follow(third);
    await document.settled();
    expect(heard).toEqual([
      { path: 'a', value: 2, before: 1, revision: 10, node: 'n' },
      { path: 'a', value: 3, before: 2, revision: 12, node: 'n' },
    ]);
    expect(changed.map(({ revision }) => revision)).toEqual([10, 11, 12]);
    expect(document.get()).toEqual({ a: 3, b: { c: 'y' } });
  });

  it('tells of all as one where the row goes on from another one', async () => {
    const document = await open();
    const heard: DocumentChange[] = [];
    document.watch('b', ['b'], (change) => heard.push(change));
    document.follow(after(undefined, 'a', 2, 10));
    await document.settled();
    const other = after(after(undefined, 'b', { c: 'z' }, 20), 'a', 5, 21);
    document.follow(other);
    await document.settled();
    expect(document.get()).toEqual({ a: 5, b: { c: 'z' } });
    expect(heard).toEqual([{ path: 'b', value: { c: 'z' }, before: { c: 'x' }, revision: 21, node: 'n' }]);
  });

  it('keeps the last good values, says so once, and goes on with the next row that suits', async () => {
    const document = await open();
    const wrong = after(undefined, 'a', 11, 10);
    document.follow(wrong);
    await document.settled();
    document.follow(wrong);
    await document.settled();
    expect(document.get(['a'])).toBe(1);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ name: 'app', revision: 10, errors: [expect.stringContaining('a:')] });
    const still = after(wrong, 'b.c', 'y', 11);
    document.follow(still);
    await document.settled();
    expect(document.get()).toEqual(defaults);
    document.follow(after(still, 'a', 4, 12));
    await document.settled();
    expect(document.get()).toEqual({ a: 4, b: { c: 'y' } });
  });

  it('refuses a row that its schema fails on, or takes no end with', async () => {
    const failing = { '~standard': { version: 1 as const, vendor: 'x', validate: (value: unknown) => check(value) } };
    let check = (value: unknown): { value: unknown } | Promise<never> => ({ value });
    const document = await SharedDocument.open({ name: 'app', schema: failing, defaults }, telemetry);
    const row = after(undefined, 'a', 2, 10);
    for (const broken of [
      () => {
        throw new Error('broken');
      },
      () => Promise.reject(new Error('broken')),
      () => ({ value: 5 }),
      () => ({ value: null }),
      () => ({
        value: {
          get a(): never {
            throw new Error('broken');
          },
        },
      }),
      () => ({
        value: new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error('broken');
            },
          },
        ),
      }),
    ]) {
      check = broken;
      expect((await document.check(row.values)).errors).toHaveLength(1);
    }
    jest.useFakeTimers();
    check = () => new Promise<never>(() => undefined);
    const checked = document.check(row.values);
    await jest.advanceTimersByTimeAsync(5000);
    jest.useRealTimers();
    expect((await checked).errors).toEqual(['the schema took more than 5000 ms']);
  });

  it('gives out what nobody can change, and listens to so many listeners', async () => {
    const document = await open();
    expect(Object.isFrozen((document.get() as typeof defaults).b)).toBe(true);
    const ends = Array.from({ length: MAX_WATCHERS }, () => document.watch('a', ['a'], () => undefined));
    expect(() => document.watch('a', ['a'], () => undefined)).toThrow(LimitError);
    ends[0]!();
    document.watch('a', ['a'], () => undefined);
  });

  it('goes on whatever a listener does, and calls none that another one has ended', async () => {
    const document = await open();
    const heard: string[] = [];
    const ends: (() => void)[] = [];
    document.watch('a', ['a'], () => {
      heard.push('first');
      ends[0]!();
      throw new Error('on purpose');
    });
    ends.push(document.watch('a', ['a'], () => heard.push('ended')));
    document.watch('a', ['a'], () => {
      heard.push('last');
      return Promise.reject(new Error('on purpose'));
    });
    document.follow(after(undefined, 'a', 2, 10));
    await document.settled();
    expect(heard).toEqual(['first', 'last']);
  });
});
