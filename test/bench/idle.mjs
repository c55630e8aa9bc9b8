// Idle: what a node that does nothing costs, in CPU, wake-ups and commands to Redis. Clusters of three nodes and an
// application without Foundation rest side by side. With `--against FOLDER`, another built checkout takes part as well.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { median } from './figures.mjs';
import { describeMachine, machineCpu, rssOf } from './machine.mjs';
import { saveSamples } from './samples.mjs';

const CHILD = join(import.meta.dirname, 'idle.child.mjs');
const NODES = 3;
const COOKIE = 'nobody but these nodes knows this cookie';
const TRANSPORTS = ['redis', 'direct'];
/** By then start-up work is over, and V8 has collected its garbage, which it does for half a minute once it is idle. */
const SETTLE_SECONDS = 35;

export const about = 'CPU, wake-ups and commands of nodes that do nothing';

export async function run({ quick, seconds, out, only, against, trace = false }) {
  const settle = quick ? 1 : SETTLE_SECONDS;
  const span = Number(seconds ?? (quick ? 1 : 40));
  const folders = { here: resolve(import.meta.dirname, '../..'), ...(against ? { other: resolve(against) } : {}) };
  const transports = only?.split(',') ?? TRANSPORTS;
  const teams = [];
  try {
    // One after the other, because starting costs more than a core; they rest at the same time.
    for (const transport of transports)
      for (const [title, folder] of Object.entries(folders)) await cluster(teams, { title, folder, transport, trace });
    await cluster(teams, { title: 'here', folder: folders.here, transport: 'none' });
    await delay(settle * 1000);
    const machine = machineCpu();
    const before = await Promise.all(teams.map(reading));
    const beganAt = performance.now();
    await delay(span * 1000);
    const passed = (performance.now() - beganAt) / 1000;
    const after = await Promise.all(teams.map(reading));
    const rows = teams.map((team, index) => rowOf(team, before[index], after[index], passed));
    const ours = after.flatMap(({ costs }, index) =>
      costs.map(({ cpuMicros }, node) => cpuMicros - before[index].costs[node].cpuMicros),
    );
    const others = machine && (machineCpu() - machine - ours.reduce((sum, each) => sum + each, 0)) / 1e6 / passed;
    // Only now, because MONITOR costs the server as much as all of them.
    const commands = await Promise.all(
      teams.map((team) => (team.redis === undefined ? {} : commandsOf(team, quick ? 1 : Math.min(span, 20)))),
    );
    for (const [index, row] of rows.entries()) {
      row.commands = commands[index];
      row.sent = sum(commands[index].byClients ?? {});
    }
    report({ rows, others, seconds: passed, trace }, out);
  } finally {
    for (const { children } of teams) for (const { child } of children) child.kill('SIGKILL');
    for (const { redis } of teams) await redis?.stop();
  }
}

async function cluster(teams, { title, folder, transport, trace }) {
  const team = { title, transport, children: [] };
  teams.push(team);
  if (transport === 'none') return void team.children.push(await start({ folder }));
  team.redis = await startRedis();
  const how = transport === 'direct' ? { transport, security: { cookie: COOKIE } } : {};
  for (let index = 0; index < NODES; index++) {
    const options = { cluster: true, redis: team.redis.url, appName: 'idle', nodeName: `node-${index}`, ...how };
    team.children.push(await start({ folder, options, trace }));
  }
}

async function reading({ children, redis }) {
  const costs = await Promise.all(children.map(({ ask }) => ask('cost')));
  return { costs, processed: redis === undefined ? 0 : await processed(redis) };
}

/** What Redis has run: the commands of clients and, since 7.0, those that scripts call. */
async function processed(redis) {
  return Number(/total_commands_processed:(\d+)/.exec(await redis.cli('INFO', 'stats'))[1]);
}

function rowOf({ title, transport, children }, before, after, seconds) {
  const rate = (key) => median(children.map((_, node) => (after.costs[node][key] - before.costs[node][key]) / seconds));
  const fired = children.map((_, node) =>
    Object.entries(after.costs[node].fired).map(([where, count]) => [
      where,
      (count - (before.costs[node].fired[where] ?? 0)) / seconds / children.length,
    ]),
  );
  const timers = {};
  for (const [where, count] of fired.flat()) timers[where] = (timers[where] ?? 0) + count;
  return {
    title,
    transport,
    cpuPercent: rate('cpuMicros') / 1e4,
    cpuOfEach: children.map((_, node) => (after.costs[node].cpuMicros - before.costs[node].cpuMicros) / seconds / 1e4),
    turns: rate('turns'),
    switches: rate('switches'),
    // The connection that asks for the figures counts three commands a time: HELLO or AUTH, INFO, QUIT.
    executed: (after.processed - before.processed) / seconds / children.length,
    rssMb: median(children.map(({ child }) => rssOf(child.pid))),
    timers,
  };
}

/** By MONITOR: what each connection sends a second, for the mean node. */
async function commandsOf({ redis, children }, seconds) {
  const client = new Redis(redis.adminUrl);
  const monitor = await client.duplicate({ retryStrategy: () => null }).monitor();
  const roles = new Map();
  for (const line of String(await client.client('LIST')).split('\n')) {
    const [, address, name] = / addr=(\S+) .*? name=(\S*)/.exec(line) ?? [];
    if (name) roles.set(address, name.replace(/^foundation:[^:]+:/, ''));
  }
  const counts = {};
  const scripted = {};
  monitor.on('monitor', (_time, [command, ...args], source) => {
    if (source === 'lua') return void (scripted[command] = (scripted[command] ?? 0) + 1);
    const role = roles.get(source) ?? 'other';
    if (role === 'other') return;
    const what = /^evalsha/i.test(command) ? `${command} ${shape(args[2])}` : `${command} ${shape(args[0])}`;
    const key = `${role}: ${what}`;
    counts[key] = (counts[key] ?? 0) + 1;
  });
  await delay(seconds * 1000);
  monitor.disconnect();
  await client.quit();
  const rates = (of) =>
    Object.fromEntries(Object.entries(of).map(([key, count]) => [key, count / seconds / children.length]));
  return { byClients: rates(counts), byScripts: rates(scripted) };
}

/** What kind of key it is. */
function shape(key = '') {
  return key
    .replace(/^\{[^}]*\}:?/, '')
    .replaceAll(/[0-9a-f-]{12,}|node-\d|One|Other/g, '*')
    .slice(0, 40);
}

function sum(rates) {
  return Object.values(rates).reduce((total, each) => total + each, 0);
}

function report(figures, out) {
  const { rows, others, seconds, trace } = figures;
  const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
  const none = rows.find(({ transport }) => transport === 'none');
  const cells = ({ title, transport, cpuPercent, turns, switches, sent, executed, rssMb }) =>
    [
      transport === 'none'
        ? 'an empty Nest application'
        : `${transport}${rows.length > 3 || title !== 'here' ? `, ${title}` : ''}`,
      number(cpuPercent),
      number(cpuPercent - none.cpuPercent),
      number(turns, 1),
      number(switches, 1),
      number(sent, 1),
      number(executed, 1),
      number(rssMb, 0),
    ].join(' | ');
  console.log(`## idle: ${number(seconds, 0)} s, ${NODES} nodes with two singletons, the mean of a node

${describeMachine()}. Cores used by others, Redis among them: ${number(others)}.${trace ? ' With --trace, which costs CPU.' : ''}

| | CPU % of a core | added % | turns of the loop /s | switches /s | commands sent /s | run by Redis, in scripts too, /s | RSS MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map((row) => `| ${cells(row)} |`).join('\n')}`);
  for (const { title, transport, commands, timers } of rows) {
    const list = (of) =>
      Object.entries(of)
        .filter(([, rate]) => rate >= 0.02)
        .sort(([, a], [, b]) => b - a)
        .map(([key, rate]) => `- ${number(rate)} ${key}`)
        .join('\n');
    if (transport !== 'none')
      console.log(
        `\n### Commands of a node, per second: ${transport}, ${title}\n\n${list(commands.byClients)}\n\nWithin scripts:\n\n${list(commands.byScripts)}`,
      );
    if (trace) console.log(`\n### Timers of a node, per second: ${transport}, ${title}\n\n${list(timers)}`);
  }
  saveSamples('idle', { machine: describeMachine(), ...figures }, out);
}

async function start(what) {
  const child = fork(CHILD, [JSON.stringify(what)], {
    stdio: ['ignore', 2, 2, 'ipc'],
    env: { ...process.env, NO_COLOR: '1', NODE_ENV: 'production' },
  });
  const pending = new Map();
  let lastId = 0;
  const exited = once(child, 'exit').then(([code, signal]) => new Error(`a node ended with ${signal ?? code}`));
  const ready = new Promise((yes) => {
    child.on('message', ({ id, result }) => {
      if (id === 0) return yes();
      pending.get(id)(result);
      pending.delete(id);
    });
  });
  const failed = await Promise.race([ready, exited]);
  if (failed) throw failed;
  const ask = (command) =>
    new Promise((yes) => {
      const id = ++lastId;
      pending.set(id, yes);
      child.send({ id, command });
    });
  return { child, ask };
}
