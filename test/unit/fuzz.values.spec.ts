// What applications and others give, as fast-check makes it: arbitrary values, texts that are nearly URLs, options and
// criteria of every shape, packets with changed bytes. Each is taken or refused with an error that says why, never with
// another one; and `secure-json-parse`, which others trust with this, finds nothing in what `parseJson` lets through.
import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import secureJson from 'secure-json-parse';
import { HIGHEST_REVISION, revisionOf } from '../../libs/foundation/src/backend/leases/ticks.js';
import { readRestart } from '../../libs/foundation/src/backend/restarts/restarts.js';
import { entriesOf, newEntriesOf } from '../../libs/foundation/src/backend/streams/stream.entries.js';
import { open, seal } from '../../libs/foundation/src/cluster/topologies/gossip/gossip.packets.js';
import { endpointFrom, redisFrom } from '../../libs/foundation/src/config/resolve.endpoint.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { checkChannels } from '../../libs/foundation/src/config/validate.channels.js';
import { checkProcessOptions } from '../../libs/foundation/src/config/validate.js';
import { readRecord, writeRecord } from '../../libs/foundation/src/cron/job.record.js';
import { ArgumentError, FoundationConfigError } from '../../libs/foundation/src/errors/config.errors.js';
import { checkQuery } from '../../libs/foundation/src/journal/journal.query.js';
import { readCriteria } from '../../libs/foundation/src/services/service.criteria.js';
import type { ServiceInfo } from '../../libs/foundation/src/services/service.js';
import { checkPath, checkValue, isValue } from '../../libs/foundation/src/settings/config.path.js';
import { copyJson, parseJson } from '../../libs/foundation/src/wire/json.js';
import { fuzzPlan } from '../support/mutations.js';

const { seconds, seed } = fuzzPlan(6);
const parts = 13;
const AT = 1_760_000_000_000;
const plan = { seed, numRuns: 100_000, interruptAfterTimeLimit: (seconds * 1000) / parts } as const;
const PATIENCE_MS = seconds * 1000 + 60_000;

/** Merges as careless code does: what this changes of all objects is what nothing that we read may hold. */
function mergeCarelessly(into: Record<string, unknown>, from: unknown, depth = 0): void {
  if (typeof from !== 'object' || from === null || depth > 20) return;
  for (const key of Object.keys(from)) {
    const value = (from as Record<string, unknown>)[key];
    const target = into[key];
    const isOpen = (typeof target === 'object' && target !== null) || typeof target === 'function';
    if (isOpen && typeof value === 'object') mergeCarelessly(target as Record<string, unknown>, value, depth + 1);
    else into[key] = value;
  }
}

const WORDS = ['__proto__', 'constructor', 'prototype', 'polluted', 'toString', 'a', '__proto', 'Constructor'];
/** A name as JSON may write it: any of its characters may be an escape. */
const name = fc.constantFrom(...WORDS).chain((word) =>
  fc
    .array(fc.constantFrom('plain', 'lower', 'upper'), { minLength: word.length, maxLength: word.length })
    .map((forms) => {
      const written = [...word].map((letter, index) => {
        const hex = letter.charCodeAt(0).toString(16).padStart(4, '0');
        return forms[index] === 'plain' ? letter : `\\u${forms[index] === 'lower' ? hex : hex.toUpperCase()}`;
      });
      return `"${written.join('')}"`;
    }),
);
const space = fc.constantFrom('', ' ', '\n', '\t\r ');
/** JSON as a text, with the names that reach prototypes at any depth, and with white space wherever it may be. */
const { json } = fc.letrec<{ json: string; object: string; list: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(
      '1',
      'null',
      'true',
      '"__proto__"',
      '"constructor"',
      '"\\u005f_proto__\\":"',
      '"x\\\\"',
      '{}',
      '[]',
    ),
    fc.string().map((text) => JSON.stringify(text)),
  ),
  list: fc.array(tie('json'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .array(fc.tuple(name, space, space, tie('json')), { maxLength: 4 })
    .map((pairs) => `{${pairs.map(([key, before, after, value]) => `${key}${before}:${after}${value}`).join(',')}}`),
  json: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('object'), tie('object'), tie('list')),
}));

/** Only with one of these errors, whose texts must not have the secret. */
function refusedWith(type: new (...args: never[]) => Error, work: () => unknown, secret?: string): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!(error instanceof type)) throw error;
    if (secret !== undefined) expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(secret);
    return true;
  }
}

const anything = fc.anything({
  ...{
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
  },
  ...{ withTypedArray: true, withSparseArray: true, withUnicodeString: true, maxDepth: 3 },
  key: fc.oneof(fc.string(), fc.constantFrom(...WORDS)),
});

describe('arbitrary values', () => {
  it(
    'as JSON reach no prototype, in the opinion of secure-json-parse too, and lose nothing else',
    () => {
      fc.assert(
        fc.property(json, (text) => {
          const read = parseJson(text);
          expect(() => {
            secureJson.scan(copyOf(read), { protoAction: 'error', constructorAction: 'error' });
          }).not.toThrow();
          mergeCarelessly({}, read);
          expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
          mergeCarelessly({}, copyJson(read));
          expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
          if (secureJson.safeParse(text) != null) expect(read).toEqual(JSON.parse(text));
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as texts are JSON for us when they are for JSON.parse',
    () => {
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string(),
            fc.json(),
            json.map((text) => text.slice(1)),
          ),
          (text) => {
            const isJson = !refusedWith(SyntaxError, () => void JSON.parse(text));
            expect(!refusedWith(SyntaxError, () => parseJson(text))).toBe(isJson);
          },
        ),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as criteria are read or refused, and what is read asks every service without harm',
    () => {
      const field = fc.oneof(
        fc.constantFrom('name', 'capabilities', 'node', 'metadata', 'healthCheck', ...WORDS),
        fc.string(),
      );
      const criteria = fc.oneof(anything, fc.dictionary(field, fc.oneof(fc.string(), fc.array(fc.string()), anything)));
      const metadata = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(...WORDS)), fc.jsonValue());
      fc.assert(
        fc.property(criteria, metadata, fc.array(fc.string()), (given, held, capabilities) => {
          const service = { name: 'a', node: 'n', capabilities, metadata: held } as unknown as ServiceInfo;
          refusedWith(ArgumentError, () => {
            expect(typeof readCriteria('find', given as never).matches(service)).toBe('boolean');
          });
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as options are taken or refused by name',
    () => {
      const option = fc.constantFrom(
        ...[
          'cluster',
          'appName',
          'nodeName',
          'redis',
          'topologies',
          'lease',
          'membership',
          'processes',
          'channels',
          'calls',
        ],
        ...[
          'labels',
          'capacity',
          'expectedNodes',
          'cookie',
          'transport',
          'startupTimeout',
          'clusterConfig',
          'context',
          'x',
        ],
      );
      const inner = fc.constantFrom(
        'ttl',
        'renewEvery',
        'names',
        'durable',
        'timeout',
        'host',
        'port',
        'url',
        'kind',
        'x',
      );
      const value = fc.oneof(
        anything,
        fc.dictionary(inner, anything),
        fc.constantFrom('30s', '-1s', true, 0, -1, Infinity),
      );
      fc.assert(
        fc.property(fc.oneof(fc.dictionary(option, value), anything), (options) => {
          refusedWith(FoundationConfigError, () => resolve(options as never, {}, { host: 'box', pid: 1 }));
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as options of a process or a channel are taken or refused by name',
    () => {
      const option = fc.constantFrom(
        ...[
          'name',
          'restart',
          'maxRestarts',
          'maxSeconds',
          'backoff',
          'timeout',
          'stopTimeout',
          'placement',
          'handoff',
        ],
        ...['count', 'rebalance', 'durable', 'schema', 'acknowledge', 'history', 'compression', 'x', ...WORDS],
      );
      const value = fc.oneof(
        anything,
        fc.constantFrom('permanent', 'transient', '5s', '1e9d', '-0ms', 0, -1, 1e308, NaN, true),
        fc.dictionary(fc.constantFrom('base', 'cap', 'labels', 'strategy', 'replicas', 'maxLength', 'x'), anything),
      );
      fc.assert(
        fc.property(fc.oneof(fc.dictionary(option, value), anything), anything, (options, title) => {
          refusedWith(FoundationConfigError, () => checkProcessOptions(options, '@Singleton'));
          refusedWith(FoundationConfigError, () => checkChannels([['events', options]]));
          refusedWith(FoundationConfigError, () => checkChannels([[title, options]]));
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as queries of the journal are read or refused, with times that a clock may say',
    () => {
      const field = fc.constantFrom('process', 'node', 'kind', 'since', 'until', 'after', 'limit', ...WORDS);
      const time = fc.constantFrom('1d', '2026-11-30', '9999-99-99', '+275760-09-13T00:00:00.001Z', -1, 8.7e15, NaN);
      const value = fc.oneof(anything, time, fc.date({ noInvalidDate: false }), fc.constantFrom('process.*', '1-1'));
      fc.assert(
        fc.property(fc.oneof(fc.dictionary(field, value, { maxKeys: 3 }), anything), (query) => {
          refusedWith(ArgumentError, () => {
            const { since, until, limit } = checkQuery('journal.read', query, AT);
            expect([since >= 0, until >= 0, limit >= 1 && limit <= 1000]).toEqual([true, true, true]);
          });
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as paths and values of the configuration are taken or refused, and reach no prototype',
    () => {
      const path = fc.oneof(
        anything,
        fc.array(fc.oneof(fc.string(), fc.constantFrom(...WORDS)), { maxLength: 5 }).map((words) => words.join('.')),
      );
      const value = fc.oneof(
        anything,
        json.map((text) => JSON.parse(text) as unknown),
      );
      fc.assert(
        fc.property(path, value, (where, what) => {
          refusedWith(ArgumentError, () => {
            const segments = checkPath('config.set', where);
            expect(segments.filter((segment) => segment === '__proto__' || segment === 'prototype')).toEqual([]);
          });
          refusedWith(ArgumentError, () => {
            const taken = checkValue('config.set', what);
            // What one node sets, every other one takes.
            expect(isValue(taken)).toBe(true);
            expect(JSON.stringify(taken)).toBe(JSON.stringify(what));
            mergeCarelessly({}, taken);
            expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
          });
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as the environment are taken or refused by name',
    () => {
      const variable = fc.constantFrom(
        ...['FOUNDATION_CLUSTER', 'FOUNDATION_REDIS_URL', 'REDIS_URL', 'FOUNDATION_NODE_NAME', 'FOUNDATION_APP_NAME'],
        ...[
          'FOUNDATION_LEASE_TTL',
          'FOUNDATION_COOKIE',
          'FOUNDATION_TRANSPORT',
          'FOUNDATION_LABELS',
          'FOUNDATION_CAPACITY',
        ],
      );
      fc.assert(
        fc.property(
          fc.dictionary(variable, fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('redis', '1', '', 'x=y'))),
          (env) => {
            refusedWith(FoundationConfigError, () => resolve({}, env, { host: 'box', pid: 1 }));
          },
        ),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as URLs of Redis are taken or refused, and no error shows a password',
    () => {
      const secret = 'S3cr3tS3cr3t';
      const scheme = fc.constantFrom(
        ...[
          'redis://',
          'rediss://',
          'unix://',
          'redis-sentinel://',
          'redis-cluster://',
          'rediss-cluster://',
          'http://',
          '',
        ],
      );
      const piece = fc.oneof(
        fc.string(),
        fc.constantFrom(`:${secret}@`, `u:${secret}@`, `%zz${secret}@`, 'h:6379', ',', '/', '/x', '#m', '?db=1'),
      );
      const url = fc.tuple(scheme, fc.array(piece, { maxLength: 6 })).map(([begin, pieces]) => begin + pieces.join(''));
      fc.assert(
        fc.property(url, (text) => {
          refusedWith(FoundationConfigError, () => endpointFrom(text), secret);
          refusedWith(FoundationConfigError, () => redisFrom(text), secret);
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as packets of gossip are opened only as they were sealed',
    () => {
      const key = createSecretKey(randomBytes(32));
      const change = fc.record({
        at: fc.nat(),
        byte: fc.integer({ min: 0, max: 255 }),
        cut: fc.option(fc.nat(), { freq: 5 }),
      });
      fc.assert(
        fc.property(fc.jsonValue(), fc.array(change, { maxLength: 3 }), fc.uint8Array(), (value, changes, noise) => {
          const packet = seal({ value }, 'shop', key);
          let changed = Buffer.from(packet);
          for (const { at, byte, cut } of changes) {
            if (changed.length > 0) changed[at % changed.length] = byte;
            if (cut !== null) changed = changed.subarray(0, cut % (changed.length + 1));
          }
          const opened = open(changed, 'shop', [key]);
          if (changed.equals(packet)) expect('why' in opened ? opened.why : 'opened').toMatch(/^(opened|malformed)$/);
          else expect(opened).toHaveProperty('why');
          expect(open(Buffer.concat([packet.subarray(0, 8), noise]), 'shop', [key])).toHaveProperty('why');
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as the data of a job are a restart or nothing, which reaches no prototype, in the opinion of secure-json-parse too',
    () => {
      const member = fc.tuple(
        fc.oneof(fc.constantFrom('"name"', '"epoch"', '"\\u006eame"'), name),
        fc.oneof(json, fc.string({ maxLength: 500 }).map(quoted), fc.maxSafeNat().map(String), fc.double().map(quoted)),
      );
      const data = fc.oneof(
        json,
        fc.array(member, { maxLength: 5 }).map((all) => `{${all.map((pair) => pair.join(':')).join(',')}}`),
      );
      fc.assert(
        fc.property(data, (text) => {
          // As BullMQ reads it.
          const read = readRestart(JSON.parse(text));
          if (read === undefined) return;
          expect(Object.keys(read).sort()).toEqual(['epoch', 'name']);
          expect([typeof read.name, read.name.length <= 400]).toEqual(['string', true]);
          expect(Number.isSafeInteger(read.epoch) && read.epoch >= 0).toBe(true);
          expect(() => {
            secureJson.scan({ ...read }, { protoAction: 'error', constructorAction: 'error' });
          }).not.toThrow();
          mergeCarelessly({}, read);
          expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as the record of a cron job are one or nothing, and no time in it is beyond what a clock says',
    () => {
      const field = fc.constantFrom('rev', 'schedule', 'since', 'next', 'run', 'last', 'waiting', 'missed', 'counts');
      const run = { scheduled: AT, cause: 'tick', started: AT, node: 'n', epoch: 1, outcome: 'done' };
      const record = { rev: 3, schedule: '* * * * *', since: AT, next: AT, waiting: AT, run, last: run, counts: {} };
      const change = fc.tuple(
        field,
        fc.oneof(fc.jsonValue(), fc.maxSafeInteger(), fc.constantFrom(8.64e15, -1, 1e300)),
      );
      fc.assert(
        fc.property(fc.array(change, { maxLength: 3 }), fc.oneof(json, fc.constant('')), (changes, noise) => {
          const changed = { ...record, ...Object.fromEntries(changes) };
          const doubts: string[] = [];
          for (const text of [JSON.stringify(changed), noise]) {
            const read = readRecord(text, AT, (part) => doubts.push(part));
            if (read === undefined) continue;
            const times = [read.since, read.waiting, read.run?.started, read.run?.scheduled, read.last?.scheduled];
            for (const time of times) expect(time ?? 0).toBeLessThanOrEqual(AT + 86_400_000);
            expect(revisionOf(writeRecord({ ...read, rev: read.rev + 1 }, 5))).toBe(
              read.rev < HIGHEST_REVISION ? read.rev + 1 : 0,
            );
          }
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );

  it(
    'as replies of Redis with the entries of a stream are entries or nothing',
    () => {
      const part = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean(), fc.bigInt());
      const { any } = fc.letrec<{ any: unknown }>((tie) => ({
        any: fc.oneof({ depthSize: 'small' }, part, fc.array(tie('any'))),
      }));
      const entry = fc.tuple(fc.oneof(fc.string(), any), fc.oneof(fc.array(fc.string()), any));
      const entries = fc.tuple(fc.string(), fc.array(entry));
      const reply = fc.oneof(any, fc.tuple(entries), entries);
      fc.assert(
        fc.property(reply, (given) => {
          for (const each of [...newEntriesOf(given), ...entriesOf(given, 1)]) {
            expect([typeof each.id, typeof each.text]).toEqual(['string', 'string']);
          }
        }),
        plan,
      );
    },
    PATIENCE_MS,
  );
});

function quoted(value: unknown): string {
  return JSON.stringify(value);
}

/** The second opinion changes what it is given. */
function copyOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? structuredClone(value) : {};
}
