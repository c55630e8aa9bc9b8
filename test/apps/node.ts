// A Nest application with Foundation in it, one node of a test cluster. Configured by the environment, asked over IPC.
// Its history goes to a file, so that what it did is known even when it is killed.
import 'reflect-metadata';
import type { AddressInfo, Server } from 'node:net';
import { ConsoleLogger, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Channels,
  ClusterConfig,
  FoundationModule,
  type FoundationOptions,
  FoundationTools,
  Membership,
  ProcessManager,
  ServiceMesh,
  Telemetry,
} from 'nestjs-foundation';
import { historyFile, recordHistory } from 'nestjs-foundation/testing';
import {
  type CrashMode,
  ENV,
  type Failure,
  type FromNode,
  type NodeCommands,
  type Question,
} from '../support/node.protocol.js';
import { callForEver } from './node.caller.js';
import { commonCommands, contextOf, lookForEver, revive } from './node.commands.js';
import { COUNTERS } from './node.counters.js';
import { Clockwork, JOBS } from './node.cron.js';
import { Answerer, Everywhere, Parts } from './node.gather.js';
import { Extra, Job, Journal, processClasses } from './node.processes.js';
import { pace, SHARED } from './node.settings.js';
import { writeAsStale, writeUnguarded } from './node.stale.js';
import { listen, talkForEver } from './node.talk.js';

const clock = Date.now;
const LOOK_EVERY_MS = Number(process.env[ENV.lookEvery] ?? 100);
const onStall = process.env[ENV.onStall] === 'exit' ? 'exit' : 'fence';
const names = process.env[ENV.processes] || 'steady';

// A test may choose a strategy by the environment, which an option would override.
const redisPort = process.env[ENV.redisPort];
const cluster = process.env['FOUNDATION_CLUSTER'] ? {} : { cluster: true, ...(redisPort ? { topologies: [] } : {}) };

const more = JSON.parse(process.env[ENV.options] ?? '{}') as FoundationOptions;

const settings = process.env[ENV.settings] ? { clusterConfig: SHARED } : {};

// Loaded where it is wanted only, so that what is measured elsewhere is without it.
const token = process.env[ENV.dashboard];
const dashboard =
  token === undefined
    ? []
    : [(await import('nestjs-foundation/dashboard')).FoundationDashboardModule.forRoot({ token })];

/** The same of the API of Foundation 1.x. */
const v1 = process.env[ENV.v1] ? await import('./node.v1.js') : undefined;

@Module({
  imports: [
    FoundationModule.forRoot({ ...cluster, ...settings, ...more, lease: { onStall, ...more.lease } }),
    ...dashboard,
    ...(v1 === undefined ? [] : [v1.V1_MODULE]),
  ],
  providers: [
    ...[Journal, Extra, Job],
    ...(process.env[ENV.cron] ? [Clockwork] : []),
    ...(process.env[ENV.gather] ? [Answerer, Everywhere, Parts] : []),
    ...processClasses(names, COUNTERS),
  ],
})
class NodeModule {}

const send = (message: FromNode): void => {
  if (process.connected) process.send?.(message);
};
const failureOf = (error: unknown): Failure => {
  const { name, message, code } = error as Error & { code?: string };
  return { name, message, ...(typeof code === 'string' ? { code } : {}) };
};

const block = (ms: number): void => {
  for (const began = performance.now(); performance.now() - began < ms;);
};

let leaving = false;
// The test has gone: nobody will ever stop this process.
process.on('disconnect', () => !leaving && process.exit(70));

try {
  await run();
} catch (error) {
  // No process.exit(): that this process then ends by itself shows that nothing was left open.
  process.exitCode = 1;
  leaving = true;
  send({ t: 'failed', error: failureOf(error) });
  process.disconnect();
}

async function run(): Promise<void> {
  const app = redisPort
    ? await elsewhere(Number(redisPort))
    : await NestFactory.create(NodeModule, { abortOnError: false });
  app.enableShutdownHooks();
  const membership = app.get(Membership);
  const journal = app.get(Journal);
  const sink = historyFile(process.env[ENV.history] ?? '/dev/null');
  const recorder = recordHistory(app.get(Telemetry), sink, membership.self);
  journal.recorder = recorder;
  journal.crash = (process.env[ENV.crash] ?? 'none') as CrashMode;
  for (const kind of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(kind, (error: unknown) =>
      recorder.record('test.stray_error', { kind, error: (error as Error | undefined)?.stack ?? String(error) }),
    );
  }
  const manager = app.get(ProcessManager);
  const channels = app.get(Channels);
  const received: string[] = [];
  const heard = new Map<string, [unknown, unknown][]>();
  for (const path of process.env[ENV.settings] ? ['first', 'second', 'text'] : []) {
    heard.set(path, []);
    app.get(ClusterConfig).watch(path, ({ before, value }) => heard.get(path)!.push([before, value]));
  }
  const callV1 = v1?.v1Of(app);
  const clients = Object.values(FoundationTools).map((token): unknown => app.get(token));

  const hasLeft = (): boolean => leaving || membership.state === 'left';
  const asked = { app, recorder, hasLeft, lookEveryMs: LOOK_EVERY_MS };
  const common = commonCommands(asked);
  const commands: { [K in keyof NodeCommands]: (...args: Parameters<NodeCommands[K]>) => unknown } = {
    ...common,
    port: () => ((app.getHttpServer() as Server).address() as AddressInfo).port,
    list: () => manager.list(),
    startExtra: (name) => revive(recorder, name, () => manager.startSingleton(Extra, [], { name })),
    fencedSet: (name) => {
      const ctx = contextOf(journal, name);
      return journal.write(name, ctx.epoch, () => ctx.fenced.set(name, 'stale?'));
    },
    fencedSetUnguarded: (name) => {
      const { epoch } = contextOf(journal, name);
      return journal.write(name, epoch, () => writeUnguarded(clients, name, epoch));
    },
    broadcast: (channel, message) => channels.broadcast(channel, message),
    discover: async (name) =>
      (await app.get(ServiceMesh).discoverServices({ name })).map(({ node, stale = false }) => ({ node, stale })),
    received: () => received,
    gather: (question, options) => channels.gather('control', question, { type: 'question', ...options }),
    gatherAll: (name, question, options) => manager.all(name).with(options).call('answer', question),
    getConfig: (path) => app.get(ClusterConfig).get(path),
    setConfig: (path, value, options) => app.get(ClusterConfig).set(path, value, options),
    heardConfig: (path) => heard.get(path) ?? [],
    paceConfig: (ms) => void (pace.ms = ms),
    v1: (service, method, ...args) => callV1?.(service, method, args),
    setClock: (aheadMs) => setClock(aheadMs),
    crash: (mode) => void (journal.crash = mode),
    block: (ms) => {
      // After the answer is out, so that the test knows that it has begun.
      setTimeout(() => block(ms), 20);
    },
  };

  if (process.env[ENV.cron]) {
    for (const [job, everyMs] of Object.entries(JOBS)) recorder.record('test.cron_job', { job, everyMs });
  }
  if (more.capacity !== undefined) recorder.record('test.capacity', { capacity: more.capacity });
  if (process.env[ENV.talk]) await listen(channels, membership, recorder);
  else await channels.subscribe('events', (message) => void received.push(String(message)));
  if (token === undefined) await app.init();
  else await app.listen(Number(process.env[ENV.port] ?? 0), '127.0.0.1');
  const looking = process.env[ENV.quiet] ? undefined : lookForEver(asked, common);
  if (process.env[ENV.calls]) void callForEver(manager, recorder, membership.self, hasLeft);
  if (process.env[ENV.talk]) void talkForEver(channels, recorder, hasLeft);
  if (process.env[ENV.stale]) void writeAsStale(journal, clients, hasLeft);
  const services = Array.from({ length: Number(process.env[ENV.services] ?? 0) }, (_, index) => `offer-${index}`);
  await Promise.all(services.map((name) => offer(app.get(ServiceMesh), name)));
  process.on('message', (question: Question) => {
    const command = commands[question.command] as (...args: unknown[]) => unknown;
    void (async () => command(...question.args))().then(
      (result) => send({ t: 'answer', id: question.id, result: result ?? null }),
      (error: unknown) => send({ t: 'error', id: question.id, error: failureOf(error) }),
    );
  });
  send({ t: 'ready', bootId: membership.self.bootId, state: membership.state });
  await looking;
}

/** Registers the service as soon as Redis can be reached, which may be away while this node starts. */
async function offer(mesh: ServiceMesh, name: string): Promise<void> {
  for (;;) {
    try {
      return void (await mesh.registerService(name, {}));
    } catch (error) {
      const { code = '' } = failureOf(error);
      if (leaving || !['FOUNDATION_REDIS_UNAVAILABLE', 'FOUNDATION_NOT_READY'].includes(code)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** As `NestFactory.create`, with another port than 6379 for the Redis of this machine. */
async function elsewhere(port: number): Promise<INestApplication> {
  const { Test } = await import('@nestjs/testing');
  const module = await Test.createTestingModule({ imports: [NodeModule] })
    .setLogger(new ConsoleLogger())
    .overrideProvider(Symbol.for('foundation:search'))
    .useValue({ here: { host: '127.0.0.1', port } })
    .compile();
  return module.createNestApplication();
}

/** As if somebody had set the clock of the machine; the monotonic clock goes on, as it does then. */
function setClock(aheadMs: number): void {
  Date.now = () => clock() + aheadMs;
}
