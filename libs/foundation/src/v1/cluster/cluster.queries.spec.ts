import { describe, expect, it } from '@jest/globals';
import type { Gathered } from '../../calls/gathering.js';
import type { ChannelRuntime } from '../../channels/channel.runtime.js';
import { Channels } from '../../channels/channels.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { OverloadedError } from '../../errors/limit.errors.js';
import { fromWire, readEvent } from '../events/v1.event.js';
import { ClusterQueries } from './cluster.queries.js';

type Handler = (message: unknown) => unknown;

/** Queries over channels that answer so, or throw. */
const queriesOver = (gathered: Partial<Gathered> | Error) => {
  const handlers: Handler[] = [];
  const runtime = {
    reserved: [] as string[],
    reserve: (channel: string) => {
      runtime.reserved.push(channel);
      return {
        gather: async () => {
          if (gathered instanceof Error) throw gathered;
          return { answers: [], missing: [], complete: true, ...gathered };
        },
        subscribe: async (handler: Handler) => handlers.push(handler),
      };
    },
  };
  return { queries: new ClusterQueries(new Channels(runtime as unknown as ChannelRuntime)), handlers, runtime };
};
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
const ask = (gathered: Partial<Gathered> | Error) => queriesOver(gathered).queries.ask('t', {}, text, {});
const unreadable = { node: 'b', reason: 'failed', message: 'its answer cannot be read' };

describe('ClusterQueries', () => {
  it('uses a channel that no application can declare', () => {
    expect(queriesOver({}).runtime.reserved).toEqual(['#v1']);
  });

  it('puts the entries of all answers together', async () => {
    const answers = [
      { node: 'a', value: { entries: ['x', 'y'], more: 0 } },
      { node: 'b', value: { entries: ['z'], more: 0 } },
    ];
    expect(await ask({ answers })).toEqual({
      ok: true,
      value: { entries: ['x', 'y', 'z'], missing: [], complete: true },
    });
  });

  it.each([
    null,
    undefined,
    'x',
    5,
    [],
    {},
    { entries: 'x', more: 0 },
    { entries: [], more: -1 },
    { entries: [5], more: 0 },
  ])('calls a node missing that answers %j', async (value) => {
    const answers = [
      { node: 'a', value: { entries: ['x'], more: 0 } },
      { node: 'b', value },
    ];
    expect(await ask({ answers })).toEqual({
      ok: true,
      value: { entries: ['x'], missing: [unreadable], complete: false },
    });
  });

  it('is incomplete where a node has more, or does not answer', async () => {
    const answers = [{ node: 'a', value: { entries: ['x'], more: 7 } }];
    const result = await ask({ answers, missing: [{ node: 'c', reason: 'timeout' }] });
    expect(result).toMatchObject({
      value: {
        complete: false,
        missing: [
          { node: 'c', reason: 'timeout' },
          { node: 'a', reason: 'too-large' },
        ],
      },
    });
  });

  it('answers with the last entries, up to 512 KiB', async () => {
    const { queries, handlers } = queriesOver({});
    const entries = Array.from({ length: 10 }, (_, at) => `${at}${'x'.repeat(100 * 1024)}`);
    await queries.answer('t', () => entries);
    const answer = handlers[0]!({}) as { entries: string[]; more: number };
    expect(answer).toEqual({ entries: entries.slice(5), more: 5 });
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThanOrEqual(512 * 1024 + 100);
  });

  it('fails where nobody can be asked, and throws what the caller did wrong', async () => {
    expect(await ask(new OverloadedError('t', 'too much'))).toMatchObject({
      ok: false,
      error: { code: 4201, context: { code: 'FOUNDATION_OVERLOADED' } },
    });
    await expect(ask(new ArgumentError('gather', 'timeout', '-1', 'more'))).rejects.toBeInstanceOf(ArgumentError);
    await expect(ask(new Error('the reason of a signal'))).rejects.toThrow('the reason of a signal');
  });
});

describe('An event of another node', () => {
  it.each([
    null,
    [],
    { eventType: 'a' },
    { eventType: 'a', eventId: 1, timestamp: 1, wallTime: 'x'.repeat(1_000_000) },
    { eventType: 'a', eventId: 1, timestamp: 1, wallTime: 'no time' },
    { eventType: 'a', eventId: 1, timestamp: 1, data: 'x'.repeat(2_000_000) },
    { eventType: '__proto__\n', eventId: 1, timestamp: 1 },
  ])('is refused when it is none: %#', (value) => expect(fromWire(value).ok).toBe(false));

  it('is what the other node has stored', () => {
    const kept = readEvent({ eventType: 'a', eventId: 1, timestamp: 1, wallTime: new Date(5), data: { a: 1 } });
    const sent: unknown = kept.ok && JSON.parse(JSON.stringify({ ...kept.value.head, data: { a: 1 } }));
    expect(fromWire(sent)).toEqual(kept);
  });
});
