// A real Redis whose clock is set while the cluster runs: a library that is loaded before it adds what a file says to
// the time. Needs gcc and Linux; what matters most is tried without them in leases.spec.ts and contract.spec.ts.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Membership, ProcessManager, Singleton } from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { boot, type Booted, CapturedLog, closeAll, formed, freshName, settle, Teller } from './fixture.js';

const SHIM = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long *offset;
__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("CLOCK_FILE"), O_RDONLY);
  offset = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
}
int clock_gettime(clockid_t id, struct timespec *at) {
  int result = syscall(SYS_clock_gettime, id, at);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += *offset;
  return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
`;

const folder = mkdtempSync(join(tmpdir(), 'foundation-clock-'));
const clock = join(folder, 'clock');

/** The binary of a Redis whose clock can be set, where one can be made here. */
function shiftedRedis(): string | undefined {
  const redis = process.env['FOUNDATION_TEST_REDIS_SERVER'] || 'redis-server';
  if (process.platform !== 'linux' || redis === 'embedded') return undefined;
  try {
    writeFileSync(join(folder, 'shim.c'), SHIM);
    execFileSync('gcc', ['-shared', '-fPIC', '-o', join(folder, 'shim.so'), join(folder, 'shim.c')], {
      stdio: 'ignore',
    });
  } catch {
    return undefined;
  }
  const binary = join(folder, 'redis');
  const script = `#!/bin/sh\nLD_PRELOAD=${join(folder, 'shim.so')} CLOCK_FILE=${clock} exec ${redis} "$@"\n`;
  writeFileSync(binary, script);
  chmodSync(binary, 0o755);
  return binary;
}

function setClock(seconds: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  // In place, because it is mapped.
  writeFileSync(clock, bytes, { flag: 'r+' });
}

writeFileSync(clock, Buffer.alloc(8));
const binary = shiftedRedis();
if (binary === undefined) console.warn('Skipped: the clock of a Redis can be set with gcc, on Linux');

@Singleton({ name: 'clerk', backoff: { base: 10, cap: 50 } })
class Clerk extends Teller {}

(binary === undefined ? describe.skip : describe)('While the clock of Redis is set', () => {
  let server: RedisServer;
  let nodes: Booted[];
  const managerOf = (node: Booted) => node.app.get(ProcessManager);
  const ask = (node: Booted): Promise<number> =>
    eventually(async () => {
      const ref = await managerOf(node).lookupSingleton<Clerk>('clerk');
      return ref
        ?.with({ timeout: 1000 })
        .call('epoch')
        .catch(() => undefined);
    });

  beforeAll(async () => {
    const before = process.env['FOUNDATION_TEST_REDIS_SERVER'];
    process.env['FOUNDATION_TEST_REDIS_SERVER'] = binary;
    try {
      server = await startServer();
    } finally {
      if (before === undefined) delete process.env['FOUNDATION_TEST_REDIS_SERVER'];
      else process.env['FOUNDATION_TEST_REDIS_SERVER'] = before;
    }
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    setClock(0);
    CapturedLog.install();
    const appName = freshName();
    await settle(server, appName);
    // An hour is longer than this, and what a busy machine takes for a beat is not.
    const membership = { beatEvery: 400, ttl: 5000 };
    nodes = [
      await boot(server.url, appName, [Clerk], { membership }),
      await boot(server.url, appName, [Clerk], { membership }),
    ];
    await formed(...nodes);
  });
  afterEach(closeAll);

  it.each([
    ['forward by an hour', [3600]],
    ['back by an hour', [-3600]],
    ['back by ten minutes and forward again', [-600, 0]],
    ['forward by an hour and back again', [3600, 0]],
    ['by seconds', [3, 0, -3, 0]],
  ])(
    '%s, nobody is thrown out, and within seconds the process runs, is found, restarted and moved',
    async (_how, jumps) => {
      const [a, b] = nodes as [Booted, Booted];
      let epoch = await ask(a);
      for (const jump of jumps) {
        setClock(jump);
        const began = performance.now();
        await eventually(async () => {
          const at = await Promise.all([ask(a), ask(b)]);
          const [listed] = await managerOf(a).list();
          return at[0] === at[1] && listed?.state === 'running' && listed.epoch === at[0];
        });
        await managerOf(b)
          .lookupSingleton<Clerk>('clerk')
          .then((ref) => ref!.cast('crash'));
        await eventually(async () => (await ask(b)) > epoch);
        epoch = await ask(a);
        // Two lease times of a second, what a crash takes, and what a loaded machine adds.
        expect(performance.now() - began).toBeLessThan(15_000);
      }
      const owner = (await managerOf(a).lookupSingleton('clerk'))!.node;
      const other = owner === a.name ? b.name : a.name;
      // A move prefers a node, and one that does not take its turn leaves the process to its owner; after a jump that
      // happens now and then, and the next move gets there.
      await eventually(async () => (await managerOf(a).move('clerk', other)).node === other);
      for (const node of nodes) {
        expect(node.of('cluster.node_left')).toEqual([]);
        expect(node.app.get(Membership).members()).toHaveLength(2);
      }
      // One that leaves is followed at once, and its successor has a higher epoch all the same.
      const before = await ask(a);
      const [leaving, staying] = other === a.name ? [a, b] : [b, a];
      await leaving.app.close();
      expect(await eventually(async () => ((await ask(staying)) > before ? true : undefined))).toBe(true);
    },
  );
});
