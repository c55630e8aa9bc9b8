// What the specs of peers share: clusters in this process, a node whose path can be broken, and processes whose lives
// are written down.
import { expect } from '@jest/globals';
import type { Type } from '@nestjs/common';
import {
  Channels,
  type FoundationOptions,
  Membership,
  type MessageMeta,
  type ProcessContext,
  type ProcessInfo,
  ProcessManager,
  type ProcessRef,
  ServiceMesh,
  Singleton,
  type SingletonOptions,
  type SubscribeOptions,
} from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { secret } from '../../support/secrets.js';
import { boot, type Booted, closeLater, formed, type Ground, type Provider } from '../fixture.js';

export const managerOf = ({ app }: Booted): ProcessManager => app.get(ProcessManager);
export const meshOf = ({ app }: Booted): ServiceMesh => app.get(ServiceMesh);
export const channelsOf = ({ app }: Booted): Channels => app.get(Channels);
export const membersOf = ({ app }: Booted): string[] =>
  app
    .get(Membership)
    .members()
    .map(({ name }) => name)
    .sort();

/** A safety limit, for a machine that does other things besides. */
export const PATIENT = 30_000;

const QUICK: FoundationOptions = { processes: { timeout: 10_000, stopTimeout: 1000, backoff: { base: 10, cap: 50 } } };
const COOKIE = secret('a cookie of the specs of peers');

export const TRANSPORTS: readonly [string, FoundationOptions][] = [
  ['redis', {}],
  ['direct', { transport: { kind: 'direct', host: '127.0.0.1' }, security: { cookie: COOKIE } }],
];

export const node = ({ server, appName }: Ground, providers: Provider[] = [], options: FoundationOptions = {}) =>
  boot(options.redis ?? server.url, appName, providers, { ...QUICK, ...options });

/** Nodes that have seen each other, with the names `a`, `b`, and so on. */
export async function cluster(
  ground: Ground,
  size: number,
  providers: Provider[] = [],
  options: FoundationOptions = {},
): Promise<Booted[]> {
  const names = Array.from({ length: size }, (_, index) => String.fromCharCode(97 + index));
  const nodes = await Promise.all(names.map((nodeName) => node(ground, providers, { nodeName, ...options })));
  await formed(...nodes);
  return nodes;
}

/** A node whose way to Redis can be cut, which is how it dies for the others: this one process cannot be killed. */
export async function mortal(
  ground: Ground,
  providers: Provider[] = [],
  options: FoundationOptions = {},
): Promise<{ proxy: TcpProxy; mortal: Booted }> {
  const proxy = await TcpProxy.open(ground.server.port);
  closeLater(async () => {
    proxy.mode = 'ok';
    await proxy.close();
  });
  return { proxy, mortal: await node(ground, providers, { redis: ground.server.urlAt(proxy.port), ...options }) };
}

/** Waits until the node sees exactly these. */
export const sees = (booted: Booted, ...names: string[]) =>
  eventually(() => membersOf(booted).join() === [...names].sort().join(), {
    timeout: PATIENT,
    what: `${booted.name} to see ${names.join(', ')}`,
    lastSeen: () => membersOf(booted),
  });

export const running = <T>(booted: Booted, name: string, not?: { epoch: number }): Promise<ProcessRef<T>> =>
  eventually(
    async () => {
      const ref = await managerOf(booted).lookupSingleton<T>(name);
      return ref !== undefined && ref.epoch > (not?.epoch ?? 0) ? ref : undefined;
    },
    { timeout: PATIENT, what: `"${name}" to run`, lastSeen: () => managerOf(booted).list() },
  );

/** Waits until `suits` holds for what the node lists. */
export async function lists(
  booted: Booted,
  what: string,
  suits: (list: readonly ProcessInfo[]) => boolean,
): Promise<ProcessInfo[]> {
  let last: ProcessInfo[] = [];
  return eventually(
    async () => {
      last = await managerOf(booted).list();
      return suits(last) ? last : undefined;
    },
    { timeout: PATIENT, what: `${what} on ${booted.name}`, lastSeen: () => last },
  );
}

export interface Life {
  name: string;
  node: string;
  ctx: ProcessContext;
  began: number;
  ended?: number;
  reason?: string;
}

/** A class whose instances are written down; `start` is what each does at its start, `stop` at its end. */
export function recorded(
  options: SingletonOptions = {},
  start?: (ctx: ProcessContext, count: number) => unknown,
  stop?: (life: Life) => unknown,
) {
  const lives: Life[] = [];
  @Singleton({ name: 'echo', ...options })
  class Echo {
    #life!: Life;
    async onProcessStart(ctx: ProcessContext): Promise<void> {
      this.#life = { name: ctx.name, node: ctx.node, ctx, began: performance.now() };
      lives.push(this.#life);
      await start?.(ctx, lives.length);
    }
    async onProcessStop(reason: string): Promise<void> {
      await stop?.(this.#life);
      Object.assign(this.#life, { ended: performance.now(), reason });
    }
  }
  return { type: Echo as Type<object>, lives };
}

/** The lives of one name never overlap, and each has a higher epoch than the one before. */
export function expectOneAtATime(lives: readonly Life[]): void {
  for (const [index, life] of lives.entries()) {
    const next = lives[index + 1];
    if (next === undefined) continue;
    expect(life.ended).toBeLessThanOrEqual(next.began);
    expect(next.ctx.epoch).toBeGreaterThan(life.ctx.epoch);
  }
}

export interface Heard {
  messages: unknown[];
  metas: MessageMeta[];
  unsubscribe(): Promise<void>;
}

/** A subscription that keeps what it hears. */
export async function hears(booted: Booted, channel = 'events', options: SubscribeOptions = {}): Promise<Heard> {
  const messages: unknown[] = [];
  const metas: MessageMeta[] = [];
  const hear = (message: unknown, meta: MessageMeta): void => {
    messages.push(message);
    metas.push({ ...meta });
  };
  const subscription = await channelsOf(booted).subscribe(channel, hear, options);
  return { messages, metas, unsubscribe: () => subscription.unsubscribe() };
}

/** Waits until each has heard exactly this, in this order. */
export const heard = (expected: readonly unknown[], ...each: Heard[]) =>
  eventually(() => each.every(({ messages }) => JSON.stringify(messages) === JSON.stringify(expected)), {
    timeout: PATIENT,
    what: JSON.stringify(expected),
    lastSeen: () => each.map(({ messages }) => messages),
  });
