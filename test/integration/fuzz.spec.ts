// A node in a process of its own, fed by real Redis, its port and HTTP with changed samples of what is there: it goes
// on, and its event loop does too.
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ReplayGuard } from '../../libs/foundation/src/security/replay.guard.js';
import { Secret } from '../../libs/foundation/src/security/secret.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { mulberry32 } from '../chaos/history.plan.mjs';
import { fuzzPlan, Mutator } from '../support/mutations.js';
import { startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { freshName } from './fixture.js';

const APP = join(import.meta.dirname, '../../dist/test/apps/fuzzed.js');
const COOKIE = secret('the cookie of the fuzzed node');
const TOKEN = secret('the token of the fuzzed node');
const { seconds, seed, isLong } = fuzzPlan(15);
/** What a turn may take in a quiet machine is 200 ms; a busy one makes us wait for the processor. */
const LIMIT_MS = 10_000;

interface Said {
  ready?: string;
  longest?: number;
}

for (const [what, cookie, direct] of [
  ['without a cookie, over Redis', undefined, false],
  ['by one who has the cookie, with links', COOKIE, true],
] as const) {
  it(
    `goes on whatever comes: ${what}`,
    async () => {
      if (!existsSync(APP)) throw new Error(`${APP} is missing: npm run build:lib && npm run build:test`);
      const server = await startRedis();
      const appName = freshName('fuzzed');
      // Listens before the node starts: one with links says next to nothing on Redis once it runs.
      const tap = new Redis(server.adminUrl);
      const heardTexts = new Map<string, string[]>();
      tap.on('pmessage', (_pattern, topic: string, text: string) => {
        const list = heardTexts.get(topic) ?? [];
        heardTexts.set(topic, [...list.slice(-20), text]);
      });
      await tap.psubscribe('*');
      const child: ChildProcess = fork(APP, [], {
        env: {
          PATH: process.env['PATH'],
          FOUNDATION_REDIS_URL: server.url,
          FOUNDATION_APP_NAME: appName,
          FUZZED_TOKEN: TOKEN,
          ...(cookie === undefined ? {} : { FOUNDATION_COOKIE: cookie }),
          ...(direct ? { FUZZED_DIRECT: '1' } : {}),
        },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      let [url, longest, heard, errors] = ['', 0, 0, ''];
      let ended: string | undefined;
      child.stderr?.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-4000)));
      child.on('exit', (code, signal) => (ended = `exit ${code ?? signal}`));
      child.on('message', (said: Said) => {
        if (said.ready !== undefined) url = said.ready;
        if (said.longest === undefined) return;
        heard += 1;
        longest = Math.max(longest, said.longest);
      });
      const redis = new Redis(server.adminUrl);
      const mutator = new Mutator(mulberry32(seed), 2);
      const keys = keysOf(appName);
      try {
        await eventually(() => url !== '' || ended, { timeout: 60_000, lastSeen: () => [ended, errors] });
        const seal = createSigner(appName, cookie === undefined ? undefined : new Secret(cookie));
        const stamps = new ReplayGuard('boot-of-fuzz');
        /**
         * Opens what is signed, changes it, and signs it again where this one has the cookie, or now and then does not.
         */
        const changed = (place: string, text: string, isStamped = false): string => {
          const opened = seal.open(place, text);
          if (opened === undefined || (cookie !== undefined && mutator.random() < 0.2)) return mutator.text(text);
          if (!isStamped || cookie === undefined) return seal.sign(place, mutator.text(opened));
          const body = opened.replace(/^\S+ \d+ /, '');
          return seal.sign(place, stamps.next(Date.now()) + mutator.text(body));
        };
        await eventually(() => heardTexts.size > 0, { lastSeen: () => [...heardTexts.keys()] });
        const rows = async (hash: string, versions: string): Promise<void> => {
          const [name, row] = mutator.pick(Object.entries(await redis.hgetall(hash))) ?? [];
          if (name === undefined || row === undefined) return;
          const key = mutator.random() < 0.5 ? name : `fuzz-${mutator.below(50)}`;
          await redis.hset(hash, key, changed(hash, row));
          await redis.zadd(versions, mutator.pick([Date.now() * 1000, 2 ** 52, 1, Date.now() * 1000 + 1e6]), key);
          await redis.publish(keys.hints, '{"t":"table"}');
          await redis.publish(keys.hints, '{"t":"services"}');
        };
        const steps: (() => Promise<unknown>)[] = [
          () => rows(keys.processes, keys.processVersions),
          () => rows(keys.services, keys.serviceVersions),
          async () => {
            const [name, text] = mutator.pick(Object.entries(await redis.hgetall(keys.nodes))) ?? [];
            if (name === undefined || text === undefined) return;
            const [head = ''] = /^\S+ \d+ /.exec(text) ?? [];
            const other = `fuzz-${mutator.below(50)}`;
            await redis.hset(keys.nodes, other, head + changed(keys.nodes, text.slice(head.length)));
            await redis.zadd(keys.beats, mutator.pick([Date.now(), 1, 2 ** 53]), other);
            await redis.incr(keys.view);
            await redis.publish(keys.hints, '{"t":"view"}');
          },
          () => redis.publish(keys.hints, mutator.text('{"t":"load","node":"a","load":3}')),
          async () => {
            const topic = mutator.pick([...heardTexts.keys()]);
            const text = mutator.pick(heardTexts.get(topic)!);
            await redis.publish(topic, changed(topic, text, true));
          },
          async () => {
            const key = keys.stream('orders');
            const [entry] = await redis.xrevrange(key, '+', '-', 'COUNT', 1);
            const text = entry?.[1][1];
            if (text !== undefined) await redis.xadd(key, '*', mutator.pick(['m', 'x']), changed(key, text));
          },
          async () => {
            // As many messages in one text as a text may hold, or levels of one.
            const topic = mutator.pick([...heardTexts.keys()]);
            const [first = '1'] = /\{.*?\}/s.exec(mutator.pick(heardTexts.get(topic)!)) ?? [];
            const many = `[${Array(Math.floor(2_000_000 / (first.length + 1)))
              .fill(first)
              .join(',')}]`;
            await redis.publish(topic, mutator.pick([many, '['.repeat(1_000_000) + ']'.repeat(1_000_000)]));
          },
          () => redis.hset(keys.owner('feed'), mutator.pick(['epoch', 'since', 'state', 'node']), mutator.hostile()),
          () => redis.set(keys.handoff('feed'), mutator.hostile(), 'PX', 60_000),
          () => redis.hset(keys.played('orders', 'g', Math.floor(Date.now() / 600_000)), 'x', mutator.hostile()),
          async () => {
            const [record] = Object.values(await redis.hgetall(keys.nodes));
            const port = /"address":"127\.0\.0\.1:(\d+)"/.exec(record ?? '')?.[1] ?? new URL(url).port;
            await sent(
              Number(port),
              mutator.bytes(Buffer.from(mutator.text('\u0000\u0000\u0000\u0040\u0001{"v":1,"app":"a"}'))),
            );
          },
          () =>
            sent(
              Number(new URL(url).port),
              Buffer.from(
                mutator.characters(
                  `${mutator.pick(['GET', 'POST', 'HEAD', 'X'])} ${mutator.pick(['/foundation/events', '/foundation/login', '/foundation/move', '/health/cluster'])} HTTP/1.1\r\nHost: a\r\nx-foundation-dashboard: 1\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n{"token":"x","process":"feed"}`,
                ),
              ),
            ),
        ];
        const end = performance.now() + (seconds * 1000) / 2;
        let runs = 0;
        while (performance.now() < end && ended === undefined) {
          await mutator
            .pick(steps)()
            .catch((error: unknown) => {
              // Of ours: a script or a command that the hostile key is no good for.
              if (!/ReplyError|WRONGTYPE|ERR/.test(String(error))) throw error;
            });
          runs += 1;
        }
        const before = heard;
        await eventually(() => ended !== undefined || heard > before + 2, {
          timeout: 30_000,
          what: 'A turn of its loop',
        });
        const seen = { ended, errors: ended === undefined ? '' : errors, seed };
        expect(seen).toEqual({ ended: undefined, errors: '', seed });
        expect((await fetch(`${url}/health/live`)).status).toBe(200);
        if (isLong) console.log(`${what}: ${runs} steps, the longest turn was ${longest.toFixed(0)} ms, seed ${seed}`);
        expect(longest).toBeLessThan(LIMIT_MS);
      } finally {
        if (ended === undefined) {
          child.kill('SIGKILL');
          await eventually(() => ended !== undefined);
        }
        redis.disconnect();
        tap.disconnect();
        await server.stop().catch((error: unknown) => {
          // What Redis refused was asked by hostile names.
          if (!/refused/.test(String(error))) throw error;
        });
      }
    },
    seconds * 1000 + 150_000,
  );
}

/** Sends bytes and goes, whatever comes back. */
function sent(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(done, 300);
    socket.on('error', done).on('close', done).resume();
    socket.on('connect', () => void socket.end(bytes));
  });
}
