// What a durable message costs by how it is acknowledged: the memory of Redis, its disk (WAITAOF), a replica (WAIT),
// with 1, 10 and 100 messages in flight. All take turns in each repetition, each with Redis servers of its own.
import { startRedis } from '../../dist/test/support/redis-server.js';
import { latency, median } from './figures.mjs';
import { describeMachine, machineCpu } from './machine.mjs';
import { saveSamples } from './samples.mjs';

const IN_FLIGHT = [1, 10, 100];
const BYTES = 1000;
const aof = (fsync) => ['--appendonly', 'yes', '--appendfsync', fsync];

/** How Redis is set up, and what the channel asks for. */
const WAYS = [
  { name: 'memory', redis: 'no AOF', args: [], acknowledge: 'memory' },
  { name: 'memory', redis: 'everysec', args: aof('everysec'), acknowledge: 'memory' },
  { name: 'memory', redis: 'always', args: aof('always'), acknowledge: 'memory' },
  { name: 'fsync', redis: 'everysec', args: aof('everysec'), acknowledge: 'fsync' },
  { name: 'fsync', redis: 'always', args: aof('always'), acknowledge: 'fsync' },
  { name: 'replicas: 1', redis: 'no AOF', args: [], acknowledge: { replicas: 1 }, replicas: 1 },
];

export const about = 'durable messages by how they are acknowledged: memory, fsync, replicas';

export async function run({ quick, seconds, reps, out, only }) {
  const span = 1000 * Number(seconds ?? (quick ? 0.5 : 3));
  const times = Number(reps ?? (quick ? 1 : 3));
  const wanted = WAYS.filter(({ name }) => only === undefined || only.split(',').includes(name));
  const [teams, missing] = [[], []];
  try {
    for (const way of wanted) {
      const team = { ...way, servers: [], cells: new Map(IN_FLIGHT.map((inFlight) => [inFlight, []])) };
      try {
        await open(team);
        teams.push(team);
      } catch (error) {
        await close(team);
        missing.push(`${way.name}, ${way.redis}: ${error.message}`);
      }
    }
    for (const inFlight of IN_FLIGHT) for (const team of teams) await sendFor(team, inFlight, span / 5);
    for (let rep = 0; rep < times; rep++) {
      for (const inFlight of IN_FLIGHT) {
        for (const team of teams) team.cells.get(inFlight).push(await sendFor(team, inFlight, span));
      }
    }
    report({ teams, missing, span, times, version: teams[0]?.version }, out);
  } finally {
    for (const team of teams) await close(team);
  }
}

async function open(team) {
  const primary = await startRedis({ args: team.args });
  team.servers.push(primary);
  for (let index = 0; index < (team.replicas ?? 0); index++) {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    team.servers.push(replica);
    for (const until = performance.now() + 15_000; performance.now() < until;) {
      if ((await replica.cli('INFO', 'replication')).includes('master_link_status:up')) break;
    }
  }
  const info = await primary.cli('INFO', 'server');
  team.version = (/valkey_version:(\S+)/.exec(info) ?? /redis_version:(\S+)/.exec(info))[1];
  const { NestFactory, Module, FoundationModule, Channels } = await library();
  const durable = { acknowledge: team.acknowledge, acknowledgeTimeout: 10_000 };
  const options = {
    cluster: true,
    redis: primary.url,
    appName: 'durable',
    channels: { names: { orders: { durable } } },
  };
  class Application {}
  Module({ imports: [FoundationModule.forRoot(options)] })(Application);
  team.app = await NestFactory.createApplicationContext(Application, { logger: false, abortOnError: false });
  team.channels = team.app.get(Channels);
}

async function close({ app, servers }) {
  await app?.close();
  for (const server of servers) await server.stop();
}

/** As a user has it. */
async function library() {
  await import('reflect-metadata');
  const [{ NestFactory }, { Module }, ours] = await Promise.all([
    import('@nestjs/core'),
    import('@nestjs/common'),
    import('nestjs-foundation'),
  ]);
  return { NestFactory, Module, ...ours };
}

/** Keeps so many messages in flight for so long. */
async function sendFor({ channels }, inFlight, ms) {
  const [began, machine] = [performance.now(), machineCpu()];
  const own = process.cpuUsage();
  const micros = [];
  const text = 'x'.repeat(BYTES - 2);
  const sender = async () => {
    while (performance.now() - began < ms) {
      const at = performance.now();
      await channels.broadcast('orders', text);
      micros.push((performance.now() - at) * 1000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
  const passed = performance.now() - began;
  const { user, system } = process.cpuUsage(own);
  const cores = machine && (machineCpu() - machine - user - system) / 1000 / passed;
  return { ...latency(micros), rate: (micros.length / passed) * 1000, cores };
}

function report({ teams, missing, span, times, version }, out) {
  const head = [
    'acknowledge',
    'Redis',
    ...IN_FLIGHT.flatMap((each) => [`${each} in flight: p50 ms`, 'p99 ms', 'a second']),
  ];
  const rows = teams.map(({ name, redis, cells }) => [
    ...[`\`${name}\``, redis],
    ...IN_FLIGHT.flatMap((inFlight) => {
      const of = (field) => median(cells.get(inFlight).map((cell) => cell[field]));
      return [ms(of('p50')), ms(of('p99')), Math.round(of('rate')).toLocaleString('en')];
    }),
  ]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, index) => (index < 2 ? '---' : '---:'));
  console.log(
    `## durable: ${times} × ${span / 1000} s, ${BYTES} B, medians\n\n${describeMachine()}, Redis or Valkey ${version}.\n`,
  );
  console.log([head, rule, ...rows].map(line).join('\n'));
  for (const each of missing) console.log(`\nMissing: ${each}`);
  const samples = teams.map(({ name, redis, cells }) => ({ name, redis, cells: Object.fromEntries(cells) }));
  saveSamples('durable', { version, samples, missing }, out);
}

function ms(value) {
  return value === undefined ? '–' : value.toPrecision(3);
}
