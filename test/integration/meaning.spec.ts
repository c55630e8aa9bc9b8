// One meaning on every transport: a handler, a called method and a caller get what JSON.parse(JSON.stringify(value))
// gives, and no object of anybody else. With MEANING_SEED, which a failure prints as `seed`, the values come again.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  Callable,
  Channels,
  FoundationError,
  type FoundationOptions,
  MessageError,
  ProcessManager,
  type ProcessRef,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { anything, meaning, objectsIn, sendable, textOf, UNSENDABLE } from '../support/json.values.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { boot, type Booted, CapturedLog, closeAll, formed, freshName, settle } from './fixture.js';

/** Bytes of JSON; small, so that messages at the limit are quickly made. */
const MAX_BYTES = 700_000;
const CHANNELS = ['data', 'kept'];
const SEED = process.env['MEANING_SEED'];
const BATCH = { maxLength: 40, size: 'max' } as const;
/** Milliseconds after which no further batch begins and a failure is not made smaller. */
const OPTIONS = { numRuns: 25, interruptAfterTimeLimit: 8000, ...(SEED === undefined ? {} : { seed: Number(SEED) }) };

/** What a method of it shall return, and what it was called with. Both nodes of a cluster are in this process. */
const results = new Map<string, unknown>();
const calledWith = new Map<string, unknown>();

@Singleton({ name: 'echo', placement: { strategy: 'spread', labels: { role: 'owner' } } })
class Echo {
  @Callable()
  keep(id: string, value: unknown): void {
    calledWith.set(id, value);
  }
  @Callable()
  give(id: string): unknown {
    return results.get(id);
  }
}

interface Heard {
  who: string;
  messages: unknown[];
}
interface Cluster {
  channels: Channels;
  echo: ProcessRef<Echo>;
  /** Of each channel: two handlers of every node. */
  heard: Record<string, Heard[]>;
}

let server: RedisServer;
const clusters: Record<string, Cluster> = {};
const KINDS: Record<string, FoundationOptions> = {
  'inside one process': { cluster: false },
  'over Redis': {},
  'over direct links': {
    transport: { kind: 'direct', host: '127.0.0.1' },
    security: { cookie: secret('the cookie of the meaning') },
  },
};

beforeAll(async () => {
  CapturedLog.install();
  server = await startRedis();
  for (const [kind, options] of Object.entries(KINDS)) clusters[kind] = await start(options);
}, 60_000);
afterAll(async () => {
  await closeAll();
  await server.stop();
});

async function start(options: FoundationOptions): Promise<Cluster> {
  const appName = freshName('meaning');
  await settle(server, appName);
  const all: FoundationOptions = {
    ...options,
    // A durable message that fails would come again; here it would hide why.
    channels: { names: { kept: { durable: { maxDeliveries: 1 } } }, maxMessageBytes: MAX_BYTES },
  };
  const node = (role: string): Promise<Booted> => boot(server.url, appName, [Echo], { ...all, labels: { role } });
  const nodes = options.cluster === false ? [await node('owner')] : [await node('owner'), await node('caller')];
  await formed(...nodes);
  const heard: Cluster['heard'] = {};
  for (const channel of CHANNELS) heard[channel] = await listen(channel, nodes);
  const { app } = nodes.at(-1)!;
  const manager = app.get(ProcessManager);
  const echo = await eventually(() => manager.lookupSingleton(Echo), { timeout: 20_000, what: 'An owner' });
  const cluster = { channels: app.get(Channels), echo, heard };
  // Until then the nodes may not know of each other's subscriptions.
  for (const channel of CHANNELS) {
    await eventually(async () => {
      await cluster.channels.broadcast(channel, 'ready?');
      return heard[channel]!.every(({ messages }) => messages.length > 0);
    });
  }
  return cluster;
}

async function listen(channel: string, nodes: readonly Booted[]): Promise<Heard[]> {
  const all: Heard[] = [];
  for (const { app, name } of nodes) {
    for (const group of ['one', 'other']) {
      const heard: Heard = { who: `${group} handler of ${name}`, messages: [] };
      all.push(heard);
      const take = (message: unknown): void => void heard.messages.push(message);
      // A durable channel gives a message to one member of each group.
      const options = channel === 'kept' ? { group: `${group}.${name}`, from: '$' as const } : {};
      await app.get(Channels).subscribe(channel, take, options);
    }
  }
  return all;
}

let batches = 0;

/**
 * Sends them in one turn, so that they share bundles, and waits until all handlers have as many. They follow a mark, so
 * that what a failed test left behind is not taken for them.
 */
async function exactly({ channels, heard }: Cluster, channel: string, values: readonly unknown[]): Promise<Heard[]> {
  const mark = `mark ${(batches += 1)}`;
  const all = heard[channel]!;
  const after = ({ messages }: Heard): unknown[] => {
    const at = messages.indexOf(mark);
    return at < 0 ? [] : messages.slice(at + 1);
  };
  await Promise.all([mark, ...values].map((value) => channels.broadcast(channel, value)));
  await eventually(() => all.every((one) => one.messages.includes(mark) && after(one).length >= values.length), {
    every: 2,
    what: `${values.length} messages on ${channel}`,
    lastSeen: () => all.map((one) => `${one.who}: ${after(one).length} of ${one.messages.length}`).join(', '),
  });
  const got = all.map((one) => ({ who: one.who, messages: after(one) }));
  for (const { messages } of all) messages.length = 0;
  return got;
}

/** Equal in every respect: prototypes, -0, the order of keys. */
function requireMeaning(got: unknown, expected: unknown, who: string): void {
  if (isDeepStrictEqual(got, expected) && textOf(got) === textOf(expected)) return;
  const text = (value: unknown): string => textOf(value)?.slice(0, 500) ?? String(value);
  throw new Error(`${who} got ${text(got)} instead of ${text(expected)}`);
}

/** Waits also for the run that the time limit interrupts: fast-check leaves it behind, in the way of the next test. */
async function check(values: fc.Arbitrary<unknown[]>, predicate: (values: unknown[]) => Promise<void>): Promise<void> {
  let running: Promise<void> = Promise.resolve();
  try {
    await fc.assert(
      fc.asyncProperty(values, (each) => (running = predicate(each))),
      OPTIONS,
    );
  } finally {
    await settled(() => running);
  }
}

const settled = (work: () => Promise<unknown>): Promise<unknown> =>
  work().then(
    () => 'sent',
    (error: unknown) => error,
  );

describe.each(Object.keys(KINDS))('%s', (kind) => {
  describe.each(CHANNELS)('on the channel %s', (channel) => {
    it('gives a handler what JSON makes of a message', () =>
      check(fc.array(sendable(MAX_BYTES), BATCH), async (values) => {
        const expected = values.map(meaning);
        for (const { who, messages } of await exactly(clusters[kind]!, channel, values)) {
          expect(messages).toHaveLength(values.length);
          messages.forEach((message, index) => requireMeaning(message, expected[index], who));
        }
      }));

    it('gives no two handlers an object in common, nor one that the sender has', async () => {
      const inner = { a: [1] };
      const values = [inner, [inner, inner], { inner, list: [inner] }, { toJSON: () => inner }];
      const seen = new Set<object>(values.flatMap((value) => objectsIn(value)));
      for (const { who, messages } of await exactly(clusters[kind]!, channel, values)) {
        const objects = messages.flatMap((message) => objectsIn(message));
        expect({ who, shared: objects.filter((each) => seen.has(each)) }).toEqual({ who, shared: [] });
        for (const each of objects) seen.add(each);
      }
    });

    it.each(Object.keys(UNSENDABLE))('refuses %s, and nothing of it arrives', async (what) => {
      const cluster = clusters[kind]!;
      const error = await settled(async () => cluster.channels.broadcast(channel, UNSENDABLE[what]!()));
      expect(error).toBeInstanceOf(MessageError);
      expect(error).toMatchObject({ code: 'FOUNDATION_MESSAGE_INVALID', channel });
      for (const { messages } of await exactly(cluster, channel, [what])) expect(messages).toEqual([what]);
    });

    it.each([
      ['of one byte', 'a'],
      ['of two bytes', 'ä'],
      ['of three bytes', '€'],
      ['of four bytes', '😀'],
      ['that JSON escapes with two bytes', '"'],
      ['that JSON escapes with six bytes', '\x01'],
      ['that are lone surrogates', '\ud800'],
    ])('takes a message of characters %s at the limit, and refuses it above', async (_which, character) => {
      const cluster = clusters[kind]!;
      const each = Buffer.byteLength(JSON.stringify(character)) - 2;
      const room = MAX_BYTES - 2;
      const text = character.repeat(Math.floor(room / each)) + 'a'.repeat(room % each);
      expect(Buffer.byteLength(JSON.stringify(text))).toBe(MAX_BYTES);
      const error = await settled(async () => cluster.channels.broadcast(channel, `${text}a`));
      expect(error).toBeInstanceOf(MessageError);
      expect(error).toMatchObject({ code: 'FOUNDATION_MESSAGE_TOO_LARGE' });
      for (const { messages } of await exactly(cluster, channel, [text])) {
        expect(messages).toHaveLength(1);
        expect(messages[0] === text).toBe(true);
      }
    });
  });

  it('gives a method what JSON makes of its arguments', () =>
    check(fc.array(anything(MAX_BYTES - 1000), BATCH), async (values) => {
      await Promise.all(
        values.map(async (value, index) => {
          const id = `${kind} ${index}`;
          const [, expected] = meaning([id, value]) as [string, unknown];
          await clusters[kind]!.echo.call('keep', id, value);
          requireMeaning(calledWith.get(id), expected, 'The method');
        }),
      );
    }));

  it('gives a caller what JSON makes of the result', () =>
    check(fc.array(anything(MAX_BYTES - 1000), BATCH), async (values) => {
      await Promise.all(
        values.map(async (value, index) => {
          const id = `${kind} ${index}`;
          results.set(id, value);
          const expected = textOf(value) === undefined ? undefined : meaning(value);
          requireMeaning(await clusters[kind]!.echo.call('give', id), expected, 'The caller');
        }),
      );
    }));

  it('gives a method and its caller no object in common', async () => {
    const value = { a: [{ b: 1 }] };
    results.set('own', value);
    const { echo } = clusters[kind]!;
    await echo.call('keep', 'own', value);
    const objects = [value, calledWith.get('own'), await echo.call('give', 'own')].flatMap((each) => objectsIn(each));
    expect(new Set(objects).size).toBe(9);
  });

  it.each(Object.keys(UNSENDABLE))('gives an error for %s where a call cannot carry it', async (what) => {
    const { echo } = clusters[kind]!;
    const bad = UNSENDABLE[what]!();
    results.set(what, bad);
    const [argument, result] = [
      await settled(() => echo.call('keep', what, bad)),
      await settled(() => echo.call('give', what)),
    ];
    // In a list JSON writes null, and a result may be nothing.
    const hasNoText = ['undefined', 'a function', 'a symbol', 'a toJSON without a text'].includes(what);
    if (hasNoText) expect([argument, result]).toEqual(['sent', 'sent']);
    else {
      expect(argument).toBeInstanceOf(FoundationError);
      expect(result).toBeInstanceOf(Error);
    }
  });
});
