// Discovery: what a lookup costs with few and with many services, what a service costs every node in memory, and how
// fast the others learn that one came or that its node was killed. Children of their own; no peers, who have nothing
// like it.
import { join } from 'node:path';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { startAsked } from './asked.mjs';
import { latency, median } from './figures.mjs';
import { describeMachine, sharedNow } from './machine.mjs';
import { saveSamples } from './samples.mjs';

const CHILD = join(import.meta.dirname, 'discovery.child.mjs');
/** With fewer, what else is on the heap is more than they are. */
const ENOUGH = 1000;
const SERVICES_OF_THE_KILLED = 10;

export const about = 'lookups among 10 to 10 000 services, memory, time until others know';

export async function run({ quick, out }) {
  const sizes = quick ? [10, 100] : [10, 1000, 10_000];
  const registrations = quick ? 10 : 200;
  const kills = quick ? 1 : 5;
  const redis = await startRedis();
  const children = [];
  const start = async (role) => {
    const child = await node(role, redis.url);
    children.push(child);
    return child;
  };
  try {
    const lookups = [];
    for (const size of sizes) {
      const [reader, writer] = [await start(`reader-${size}`), await start(`writer-${size}`)];
      const before = await reader.ask('heap');
      await writer.ask('register', { count: size });
      await reader.ask('until', { count: size });
      const after = await reader.ask('heap');
      lookups.push({ size, ...(await reader.ask('lookups', { size })), bytes: (after - before) / size });
      console.error(`${size} services: ${JSON.stringify(lookups.at(-1))}`);
      await Promise.all([writer.close(), reader.close()]);
    }
    const [reader, writer] = [await start('reader'), await start('writer')];
    await reader.ask('watch');
    const arrivals = [];
    for (let index = 0; index < registrations; index++) {
      const seen = reader.ask('added', { name: `one-${index}` });
      const began = await writer.ask('registerOne', { name: `one-${index}` });
      arrivals.push((await seen) - began);
    }
    const departures = [];
    for (let index = 0; index < kills; index++) {
      const victim = await start(`victim-${index}`);
      const names = Array.from({ length: SERVICES_OF_THE_KILLED }, (_, each) => `victim-${index}-${each}`);
      const seen = Promise.all(names.map((name) => reader.ask('added', { name })));
      for (const name of names) await victim.ask('registerOne', { name });
      await seen;
      const gone = Promise.all(names.map((name) => reader.ask('removed', { name })));
      const at = sharedNow();
      victim.child.kill('SIGKILL');
      departures.push(Math.max(...(await gone)) - at);
      console.error(`kill ${index + 1}/${kills}: ${Math.round(departures.at(-1) / 1000)} ms`);
    }
    await Promise.all([writer.close(), reader.close()]);
    const version = /redis_version:(\S+)/.exec(await redis.cli('INFO', 'server'))?.[1];
    report({ machine: describeMachine(), redis: version, lookups, arrivals, departures }, out);
  } finally {
    for (const { child } of children) child.kill('SIGKILL');
    await redis.stop();
  }
}

function report(figures, out) {
  const { machine, redis, lookups, arrivals, departures } = figures;
  const number = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '–');
  const arrival = latency(arrivals);
  const seconds = departures.map((micros) => micros / 1e6);
  console.log(`## discovery

${machine}, Redis ${redis}. Each lookup finds 10 services; the services are another node's.

### A lookup among so many services, median

| services | by name µs | by capability µs | full scan µs | memory of each service B |
| ---: | ---: | ---: | ---: | ---: |
${lookups.map((of) => `| ${[of.size, of.name, of.capability, of.scan, of.size < ENOUGH ? NaN : of.bytes].map(number).join(' | ')} |`).join('\n')}

### Until another node knows

| | n | p50 | p99 | max |
| --- | ---: | ---: | ---: | ---: |
| a registration, ms | ${arrival.n} | ${[arrival.p50, arrival.p99, arrival.max].map(number).join(' | ')} |
| SIGKILL of a node, s | ${seconds.length} | ${number(median(seconds))} | – | ${number(Math.max(...seconds))} |`);
  saveSamples('discovery', figures, out);
}

async function node(role, redis) {
  const { child, exited, ask } = await startAsked(CHILD, { role, redis }, { execArgv: ['--expose-gc'], name: role });
  const close = async () => {
    await ask('close');
    await exited;
  };
  return { child, ask, close };
}
