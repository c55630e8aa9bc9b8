import { describe, expect, it } from '@jest/globals';
import * as calls from './call.errors.js';
import * as cluster from './cluster.errors.js';
import * as config from './config.errors.js';
import * as connections from './connection.errors.js';
import { describe as words } from './describe.js';
import { FoundationError } from './foundation.error.js';
import * as limits from './limit.errors.js';
import * as messages from './message.errors.js';
import * as processes from './process.errors.js';
import * as services from './service.errors.js';

const errors = { ...calls, ...cluster, ...config, ...connections, ...limits, ...messages, ...processes, ...services };

const cause = new Error('ECONNREFUSED');
const call = { processName: 'feed', method: 'price', node: 'n1' };

// Every class with one example: code, tool, what it names, how its advice ends, whether it carries the cause.
const examples: [FoundationError, string, string, readonly (string | RegExp)[], boolean][] = [
  [
    new errors.ConflictError('entry "feed" of the process table', 20),
    ...([
      'FOUNDATION_CONFLICT',
      'redis EVALSHA',
      ['entry "feed" of the process table', '20 times', /one node at a time change it\.$/],
      false,
    ] as const),
  ],
  [
    new errors.FoundationConfigError('lease.ttl', '5 (number)', 'more'),
    ...(['FOUNDATION_CONFIG', 'foundation', ['"lease.ttl"', '5 (number)', 'more', /start again\.$/], false] as const),
  ],
  [
    new errors.DeclarationError('@Channel of the class Orders', 'the class is transient', 'Move it.'),
    ...([
      'FOUNDATION_DECLARATION',
      'foundation',
      ['@Channel of the class Orders', 'transient', /Move it\.$/],
      false,
    ] as const),
  ],
  [
    new errors.MissingPackageError('ioredis bullmq', 'cluster: true', cause),
    ...(['FOUNDATION_MISSING_PACKAGE', 'ioredis bullmq', [/Run: npm install ioredis bullmq$/], true] as const),
  ],
  [
    new errors.PackageVersionError('some-client 2.0.1', 'cluster: true', 'Node.js 22.19 or later', 'some-client@1'),
    ...([
      'FOUNDATION_PACKAGE_VERSION',
      'some-client 2.0.1',
      ['cluster: true', 'Node.js 22.19', /Run: npm install some-client@1, or take another Node\.js\.$/],
      false,
    ] as const),
  ],
  [
    new errors.RedisRefusedError('h:1', 'WRONGPASS', 'Correct it.', cause),
    ...(['FOUNDATION_REDIS_REFUSED', 'ioredis', ['h:1', 'WRONGPASS', /Correct it\.$/], true] as const),
  ],
  [
    new errors.RedisUnavailableError('h:1', 'joining', cause),
    ...([
      'FOUNDATION_REDIS_UNAVAILABLE',
      'ioredis',
      ['h:1', 'joining: ECONNREFUSED', /Check that Redis runs .*\.$/],
      true,
    ] as const),
  ],
  [
    new errors.TopologyError('kubernetes', 'kubernetes list pods', '403', 'Allow it.', cause),
    ...(['FOUNDATION_TOPOLOGY', 'kubernetes list pods', ['"kubernetes"', '403', /Allow it\.$/], true] as const),
  ],
  [
    new errors.RedisNotFoundError(['FOUNDATION_REDIS_URL: not set', '127.0.0.1:6379: no answer']),
    ...([
      'FOUNDATION_REDIS_NOT_FOUND',
      'foundation',
      [
        'FOUNDATION_REDIS_URL: not set; 127.0.0.1:6379',
        /set cluster: false or FOUNDATION_CLUSTER=off to run inside one process\.$/,
      ],
      false,
    ] as const),
  ],
  [
    new errors.DirectListenError('h:1', cause),
    ...([
      'FOUNDATION_DIRECT_LISTEN',
      'net.Server.listen',
      ['h:1', 'ECONNREFUSED', /"transport\.host"\.$/],
      true,
    ] as const),
  ],
  [
    new errors.DuplicateNodeError('n1', 'abc'),
    ...([
      'FOUNDATION_DUPLICATE_NODE',
      'foundation',
      ['"n1"', 'abc', /Give each process its own .*\.$/],
      false,
    ] as const),
  ],
  [
    new errors.CookieMismatchError('n1'),
    ...(['FOUNDATION_COOKIE_MISMATCH', 'foundation', ['"n1"', /Give all of them the same .*\.$/], false] as const),
  ],
  [
    new errors.NotReadyError('n1', 'joining', 99.6, { cause }),
    ...(['FOUNDATION_NOT_READY', 'foundation', ['"n1"', '"joining"', '100 ms', /Check that .*\.$/], true] as const),
  ],
  [
    new errors.LeaseLostError('feed', 'n1', 7, 'why'),
    ...([
      'FOUNDATION_LEASE_LOST',
      'redlock',
      ['"feed"', 'epoch 7', '"n1"', 'why', /raise lease\.ttl\.$/],
      false,
    ] as const),
  ],
  [
    new errors.StaleEpochError('k', 1, 2),
    ...(['FOUNDATION_STALE_EPOCH', 'redis HSET', ['"k"', 'epoch 1', 'epoch 2', /Stop working: .*\.$/], false] as const),
  ],
  [
    new errors.ProcessDeclarationError('"feed"', 'two of them', 'Rename one.'),
    ...(['FOUNDATION_PROCESS_DECLARATION', 'foundation', ['"feed"', 'two of them', /Rename one\.$/], false] as const),
  ],
  [
    new errors.ProcessStartError('feed', 'n1', 'it threw', cause),
    ...(['FOUNDATION_PROCESS_START', 'foundation', ['"feed"', 'it threw', /start it again\.$/], true] as const),
  ],
  [
    new errors.ProcessTimeoutError('feed', 'did not start', 9.7, 'It was stopped.', 'Raise it.'),
    ...(['FOUNDATION_PROCESS_TIMEOUT', 'foundation', ['"feed"', '10 ms', /Raise it\.$/], false] as const),
  ],
  [
    new errors.ProcessLostError('job'),
    ...(['FOUNDATION_PROCESS_LOST', 'foundation', ['"job"', /let it be "transient"\.$/], false] as const),
  ],
  [
    new errors.UnknownProcessError('feed', ['a', 'b']),
    ...(['FOUNDATION_PROCESS_UNKNOWN', 'foundation', ['"feed"', /Known processes: a, b\.$/], false] as const),
  ],
  [
    new errors.CallInterruptedError(call, 'the node left'),
    ...([
      'FOUNDATION_CALL_INTERRUPTED',
      'redis PUBLISH',
      ['feed.price', '"n1"', 'the node left', 'may or may not have been carried out', /idempotent: true \}\)\.$/],
      false,
    ] as const),
  ],
  [
    new errors.CircularWaitError(['a', 'b', 'a']),
    ...([
      'FOUNDATION_CIRCULAR_WAIT',
      'foundation',
      ['"a" waits for "b", which waits for "a"', 'gave up the wait of "a"', /ctx\.run.*\.$/],
      false,
    ] as const),
  ],
  [
    new errors.CallTimeoutError(call, 500),
    ...([
      'FOUNDATION_CALL_TIMEOUT',
      'redis PUBLISH',
      ['feed.price', '"n1"', '500 ms', 'may or may not have been carried out', /Raise "timeout", .*\.$/],
      false,
    ] as const),
  ],
  [
    new errors.CallRefusedError(call, 'busy', 'Call less often.'),
    ...([
      'FOUNDATION_CALL_REFUSED',
      'foundation',
      ['feed.price', 'too many calls', 'It was not carried out', /Call less often\.$/],
      false,
    ] as const),
  ],
  [
    new errors.InvalidArgumentsError('till.pay', ['argument 1: count: not a number']),
    ...([
      'FOUNDATION_INVALID_ARGUMENTS',
      'foundation',
      ['till.pay was called', 'argument 1: count: not a number', 'did not run', /Send what its schemas ask for\.$/],
      false,
    ] as const),
  ],
  [
    new errors.ArgumentError('broadcast', 'type', '5 (number)', 'a text'),
    ...([
      'FOUNDATION_ARGUMENT',
      'foundation',
      ['broadcast', '"type"', 'expected a text', /Nothing was done\.$/],
      false,
    ] as const),
  ],
  [
    new errors.ServiceNotFoundError('payments', 'no instance meets the criteria'),
    ...(['FOUNDATION_SERVICE_UNKNOWN', 'foundation', ['"payments"', 'no instance', /registered\.$/], false] as const),
  ],
  [
    new errors.UnknownChannelError('x', ['control', 'events']),
    ...(['FOUNDATION_CHANNEL_UNKNOWN', 'foundation', ['"x"', 'control, events', /channels\.names\.$/], false] as const),
  ],
  [
    new errors.AcknowledgementError('events', [{ node: 'n2', reason: 'no answer' }], 50),
    ...([
      'FOUNDATION_MESSAGE_UNACKNOWLEDGED',
      'redis PUBLISH',
      ['"events"', 'n2: no answer', '50 ms', /look at the handlers there\.$/],
      false,
    ] as const),
  ],
  [
    new errors.MessageNotSafeError('orders', {
      ...{ id: '5-0', acknowledge: { replicas: 2 }, isKept: true, reached: 1, cause },
      ...{ reason: '1 of 2 replicas had it within 50 ms', advice: 'Look at INFO replication.' },
    }),
    ...([
      'FOUNDATION_MESSAGE_NOT_SAFE',
      'redis WAIT',
      ['5-0', '"orders"', '1 of 2 replicas', 'left it in the stream', /Look at INFO replication\.$/],
      true,
    ] as const),
  ],
  [
    new errors.RequestError('sum', 'no node answers', false),
    ...([
      'FOUNDATION_REQUEST',
      'redis PUBLISH',
      ['"sum"', 'no node answers', 'was not carried out', /in the cluster\.$/],
      false,
    ] as const),
  ],
  [
    new errors.LimitError('registerService("quotes")', 'services of this node', 9),
    ...(['FOUNDATION_LIMIT', 'foundation', ['"quotes"', /without an end\.$/], false] as const),
  ],
  [
    new errors.OverloadedError('topic', '9 characters wait for the transport'),
    ...(['FOUNDATION_OVERLOADED', 'redis PUBLISH', ['"topic"', /look at the connection\.$/], false] as const),
  ],
  [
    new errors.MessageError('events', 'too big', 'Send less.', 'FOUNDATION_MESSAGE_TOO_LARGE', cause),
    ...(['FOUNDATION_MESSAGE_TOO_LARGE', 'redis PUBLISH', ['"events"', 'too big', /Send less\.$/], true] as const),
  ],
];

describe('errors', () => {
  it.each(examples.map((example) => [example[0].constructor.name, ...example] as const))(
    '%s has its code, its tool, its sentence and its cause',
    (name, error, code, tool, parts, caused) => {
      expect(error).toBeInstanceOf(FoundationError);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(name);
      expect(error.code).toBe(code);
      expect(error.tool).toBe(tool);
      for (const part of parts) expect(error.message).toMatch(part);
      expect(error.message).not.toMatch(/undefined|\[object|NaN| {2}/);
      expect(error.cause).toBe(caused ? cause : undefined);
      expect('cause' in error).toBe(caused);
      expect(error.stack).toContain(error.message);
    },
  );

  it('has an example of every class', () => {
    const classes = Object.values(errors).filter(
      (value) => typeof value === 'function' && value.prototype instanceof FoundationError,
    );
    const shown = new Set(examples.map(([error]) => error.constructor));
    expect(classes.filter((each) => !shown.has(each))).toEqual([]);
    expect(classes).toHaveLength(examples.length);
  });

  it('has one code for each class, and two for messages', () => {
    const codes = examples.map(([, code]) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(new errors.MessageError('c', 'p', 'a').code).toBe('FOUNDATION_MESSAGE_INVALID');
  });

  it('tells a node that has not joined from one that has too few beside it', () => {
    const { code, message } = new errors.NotReadyError('n1', 'up', 99.6, { nodes: { seen: 2, wanted: 3 } });
    expect(code).toBe('FOUNDATION_NOT_READY');
    expect(message).toMatch(/"n1" waited 100 ms for 3 nodes and sees 2\. .* Check that .*\.$/);
  });

  it('says so when no process is known, and does not list hundreds', () => {
    expect(new errors.UnknownProcessError('x', []).message).toContain('Known processes: none.');
    const names = Array.from({ length: 300 }, (_, index) => `p${index}`);
    expect(new errors.UnknownProcessError('x', names).message).not.toContain('p20');
  });
});

describe('RemoteError', () => {
  it('looks like the error that was thrown, and says what was called', () => {
    const error = new errors.RemoteError(call, { name: 'TypeError', message: 'bad', code: 'E_BAD', stack: 'at there' });
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(FoundationError);
    expect(error).toMatchObject({ name: 'TypeError', message: 'bad', code: 'E_BAD', stack: 'at there', subject: call });
  });

  it('has a stack of this node, and no code, when none came along', () => {
    const error = new errors.RemoteError(call, { name: 'Error', message: 'bad' });
    expect(error.code).toBeUndefined();
    expect(error.stack).toContain('foundation.error.spec');
  });
});

describe('describe', () => {
  it.each([
    [new Error('it broke'), 'it broke'],
    [new TypeError(''), 'TypeError'],
    [new AggregateError([new Error('a'), new Error('b')]), 'a; b'],
    [new AggregateError([new Error('a')], 'all failed'), 'all failed'],
    ['a text', 'a text'],
    [{ code: 5 }, '{"code":5}'],
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [Symbol('s'), 'Symbol(s)'],
  ])('makes one line of %p', (thrown, text) => {
    expect(words(thrown)).toBe(text);
  });

  it.each([
    [
      'a cycle',
      () =>
        Object.assign({ x: 1 } as Record<string, unknown>, {
          get self() {
            return this;
          },
        }),
    ],
    ['a BigInt', () => 5n],
    ['a BigInt inside', () => ({ n: 5n })],
    [
      'a toJSON that throws',
      () => ({
        toJSON: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('does not throw for %s', (_what, make) => {
    expect(typeof words(make())).toBe('string');
  });

  it('says why a transaction was given up, also when its commands failed with the very same error', () => {
    const given = Object.assign(new Error('EXECABORT'), {
      previousErrors: [new Error('NOPERM'), new Error('WRONGTYPE')],
    });
    expect(words(given)).toBe('NOPERM; WRONGTYPE');
    const lost = Object.assign(new Error('Connection is closed.'), { previousErrors: [] as unknown[] });
    lost.previousErrors.push(lost, lost);
    expect(words(lost)).toBe('Connection is closed.');
  });
});
