// What the integration specs share: backends and applications on a Redis of the spec's own, each with a log of its own.
import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  type FoundationEvents,
  FoundationModule,
  type FoundationOptions,
  Membership,
  type ProcessContext,
  Telemetry,
} from 'nestjs-foundation';
import type { Backend } from '../../libs/foundation/src/backend/backend.js';
import { createBackend } from '../../libs/foundation/src/backend/create.backend.js';
import { LocalNode } from '../../libs/foundation/src/cluster/local.node.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type Keys, keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { requireNoLeak } from '../support/secrets.js';

export type Provider = NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>[number];

/** Shorter than the defaults, so that a spec is, and long enough for a busy machine. */
export const LEASE = { ttl: 1000, renewEvery: 150, commandTimeout: 200, margin: 150 };
export const MEMBERSHIP = { beatEvery: 400, ttl: 1200 };

let count = 0;
/** A name that no other test of this file has, so that tests share a server and no key. */
export const freshName = (word = 'app') => `${word}-${++count}`;

/** Whatever the tests of a file made that shows texts, for the search for secrets. */
const shown: (() => string[])[] = [];

/** Everything that went through Nest's logger, as one line each. */
export class CapturedLog implements LoggerService {
  readonly lines: string[] = [];
  readonly #write = (level: string, values: unknown[]): void => {
    this.lines.push(
      `${level} ${values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' ')}`,
    );
  };
  log = (...values: unknown[]) => this.#write('log', values);
  warn = (...values: unknown[]) => this.#write('warn', values);
  error = (...values: unknown[]) => this.#write('error', values);
  debug = (...values: unknown[]) => this.#write('debug', values);
  verbose = (...values: unknown[]) => this.#write('verbose', values);
  fatal = (...values: unknown[]) => this.#write('fatal', values);

  static install(): CapturedLog {
    const log = new CapturedLog();
    shown.push(() => log.lines);
    Logger.overrideLogger(log);
    return log;
  }
}

/** Marks the Redis as settled: without it, a new application waits one lease time before its first owner. */
export async function settle(server: RedisServer, appName: string): Promise<void> {
  const { incarnation } = keysOf(appName);
  // By a script with the key, so that in a Redis Cluster the node that has the key says who it is.
  const info = await server.cli('EVAL', `return redis.call('INFO', 'server')`, '1', incarnation);
  await server.cli('SET', incarnation, `${/run_id:(\w+)/.exec(info)?.[1] ?? '-'} 1`);
}

/** What completes a Redis that a strategy finds. */
export function credentials({ url }: RedisServer): { username?: string; password?: string } {
  const { username, password } = new URL(url);
  return password === '' ? {} : { username, password: decodeURIComponent(password) };
}

export interface Bench {
  backend: Backend;
  node: LocalNode;
  events: { event: keyof FoundationEvents; payload: FoundationEvents[keyof FoundationEvents] }[];
  of<E extends keyof FoundationEvents>(event: E): FoundationEvents[E][];
}

const opened: (() => Promise<unknown>)[] = [];

/** Closes what the tests of a file opened, newest first, and looks for secrets in what they showed; for `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
  requireNoLeak(
    shown.splice(0).flatMap((lines) => lines()),
    'a log or an event',
  );
}

/** What a test begins with: the Redis of its spec, and a name, keys and a log that no other test has. */
export interface Ground {
  server: RedisServer;
  appName: string;
  keys: Keys;
  log: CapturedLog;
}

/** Gives the spec a Redis of its own and each test its ground, and closes what a test opened. */
export function onOwnRedis(stand: (ground: Ground) => void): void {
  let server: RedisServer;
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());
  beforeEach(async () => {
    const log = CapturedLog.install();
    const appName = freshName();
    await settle(server, appName);
    stand({ server, appName, keys: keysOf(appName), log });
  });
  afterEach(closeAll);
}

export const closeLater = (close: () => Promise<unknown>): void => void opened.push(close);

/** A backend that is connected. */
export async function backendOn(server: RedisServer, appName: string, options: FoundationOptions = {}): Promise<Bench> {
  const bench = await backendFor(server, appName, options);
  // As a node does it: on a busy machine the first connection may take longer than a lease has time for.
  await eventually(() => bench.backend.open().then(() => true), { timeout: 20_000, what: 'A connection' });
  return bench;
}

/** A backend that has not connected yet. */
export async function backendFor(
  server: RedisServer,
  appName: string,
  options: FoundationOptions = {},
): Promise<Bench> {
  const all = { cluster: true, redis: server.url, appName, nodeName: freshName('node'), lease: LEASE, ...options };
  const config = resolve({ membership: MEMBERSHIP, ...all }, {}, { host: 'h', pid: 1 });
  const node = new LocalNode(config);
  const telemetry = new Telemetry();
  const events: Bench['events'] = [];
  telemetry.attach('*', (event, payload) => events.push({ event, payload }));
  shown.push(() => events.map((one) => JSON.stringify(one)));
  const backend = await createBackend(config, node, telemetry);
  closeLater(() => backend.close());
  const of = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);
  return { backend, node, events, of };
}

/** A process that tells its epoch, and crashes when it is asked to; a spec gives it a name. */
export abstract class Teller {
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable()
  epoch(): number {
    return this.#ctx.epoch;
  }
  @Callable()
  crash(): void {
    this.#ctx.fail(new Error('asked to'));
  }
}

export interface Booted {
  app: TestingModule;
  name: string;
  events: Bench['events'];
  of: Bench['of'];
}

/** A Nest application that is a node. */
export async function boot(
  redis: FoundationOptions['redis'],
  appName: string,
  providers: Provider[],
  options: FoundationOptions = {},
): Promise<Booted> {
  const nodeName = options.nodeName ?? freshName('node');
  const all = { cluster: true, redis, appName, lease: LEASE, membership: MEMBERSHIP, ...options, nodeName };
  const imports = [FoundationModule.forRoot(all)];
  const logger = (Logger as unknown as { staticInstanceRef?: LoggerService }).staticInstanceRef;
  const app = await Test.createTestingModule({ imports, providers })
    .setLogger(logger ?? new CapturedLog())
    .compile();
  closeLater(() => app.close());
  const events: Bench['events'] = [];
  app.get(Telemetry).attach('*', (event, payload) => events.push({ event, payload }));
  shown.push(() => events.map((one) => JSON.stringify(one)));
  const of = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);
  await app.init();
  return { app, name: nodeName, events, of };
}

/** Waits until each of the applications sees all of them. */
export async function formed(...apps: Booted[]): Promise<void> {
  await eventually(() => apps.every(({ app }) => app.get(Membership).members().length === apps.length), {
    what: `A cluster of ${apps.length}`,
    lastSeen: () =>
      apps.map(({ app }) =>
        app
          .get(Membership)
          .members()
          .map(({ name }) => name),
      ),
  });
}
