/* eslint-disable max-lines -- a row for each callback and value of the public API */
// Gives every callback and every value of the public API what it least expects, in an application that has no handler
// for unhandled rejections: whatever is not caught ends it. Says on its last line what came of it. With HOSTILE_REDIS
// it is a node of a cluster. What hears of gaps (`onGap`) is in dispatcher.spec.ts. SAY=1 names each step.
import 'reflect-metadata';
import { Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ValidateBy } from 'class-validator';
import {
  Callable,
  Channels,
  ClusterConfig,
  FoundationMetrics,
  FoundationModule,
  type FoundationModuleAsyncOptions,
  type FoundationOptions,
  Journal,
  Membership,
  type ProcessContext,
  ProcessManager,
  readTraceContext,
  resolve,
  ServiceMesh,
  type SpanInput,
  SpanRecorder,
  type StandardSchema,
  Telemetry,
  type TopologyStrategy,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import { FoundationV1Module } from 'nestjs-foundation/v1';
import { hostileFunctions, hostileValues } from '../support/hostile.js';
import { v1Places } from './hostile.v1.js';

type Wrong = (...values: unknown[]) => unknown;

/** The keys of `FoundationOptions`. */
const OPTIONS = (
  'cluster appName nodeName release redis redlock queue lease membership processes channels calls labels capacity ' +
  'expectedNodes shutdownTimeout forgetOrphansAfter readiness topologies transport security journal'
).split(' ');

/** What the classes below do at the moment. */
const will: Partial<
  Record<
    'create' | 'start' | 'stop' | 'handoff' | 'run' | 'call' | 'fail' | 'payload' | 'validate' | 'schema',
    Wrong | undefined
  >
> = {};

/** For a constructor, which can throw, and whose promises are its own. */
function atOnce(wrong: Wrong | undefined): void {
  const answer = wrong?.();
  new Promise((resolve) => resolve(answer)).catch(() => undefined);
}

@Injectable()
class Victim {
  constructor() {
    atOnce(will.create);
  }
  async onProcessStart(ctx: ProcessContext): Promise<void> {
    if (will.run !== undefined) ctx.run(will.run as () => Promise<void>);
    if (will.fail !== undefined) ctx.fail(will.fail() as Error);
    await will.start?.();
  }
  async onProcessStop(): Promise<void> {
    await will.stop?.();
  }
  onHandoff(): unknown {
    return will.handoff?.();
  }
  @Callable()
  work(): unknown {
    return will.call?.();
  }
}

class Target {
  @Callable()
  work(): unknown {
    return will.call?.();
  }
}

class Payload {
  @ValidateBy({ name: 'mine', validator: { validate: () => will.validate?.() as boolean } })
  n = 0;
  constructor() {
    atOnce(will.payload);
  }
}

const how = { restart: 'temporary', stopTimeout: 200, handoff: true, timeout: 2000 } as const;
/** The URL of a Redis, for a node of a cluster; without it everything runs inside this process. */
const redis = process.env['HOSTILE_REDIS'];
const inCluster = redis === undefined ? {} : { cluster: true, redis, topologies: [] };
/** Looks at everything that is set, and is wrong for some of it. */
const schema: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'mine',
    validate: (value) => (will.schema === undefined ? { value } : (will.schema(value) as { value: unknown })),
  },
};
/** What is given here keeps the event loop of a busy machine for longer than a lease of the default lasts. */
const times = { lease: { ttl: 10_000 }, membership: { beatEvery: 100, ttl: 10_000 } };
const options: FoundationOptions = {
  ...inCluster,
  clusterConfig: { schema, defaults: { a: 0 } },
  ...times,
  channels: { names: { jobs: { durable: { maxDeliveries: 1 } } } },
};

@Module({ imports: [FoundationModule.forRoot(options), FoundationV1Module], providers: [Victim] })
class HostileModule {}

const { log, warn, error } = Object.fromEntries(
  ['log', 'warn', 'error'].map((level) => [level, hostileFunctions()['one that throws']!]),
) as Record<'log' | 'warn' | 'error', Wrong>;
const app = await NestFactory.createApplicationContext(HostileModule, { logger: false, abortOnError: false });
await app.init();
app.useLogger({ log: log, warn: warn, error: error });
const get = <T>(type: Type<T>): T => app.get(type);
const [channels, services, processes] = [get(Channels), get(ServiceMesh), get(ProcessManager)];
const journal = get(Journal);
const [telemetry, membership] = [get(Telemetry), get(Membership)];
const settings = app.get<ClusterConfig>(ClusterConfig);
await membership.whenReady();

const told: string[] = [];
let failures = 0;
/**
 * In characters of JSON: the largest event, row of a process, report in the record of a node, and error that a caller
 * got.
 */
const largest = { event: 0, row: 0, report: 0, error: 0 };
const note = (what: keyof typeof largest, value: unknown): void => {
  largest[what] = Math.max(largest[what], JSON.stringify(value).length);
};
async function measure(): Promise<void> {
  for (const each of await processes.list()) note('row', each);
  // Not of the published type: what nodes tell each other of replicas.
  const members = membership.members() as unknown as readonly { replicas: Readonly<Record<string, object>> }[];
  for (const { replicas } of members) {
    for (const report of Object.values(replicas)) note('report', report);
  }
}
telemetry.attach('*', (_event, payload) => {
  note('event', payload);
});
telemetry.attach('callback.failed', () => (failures += 1));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const outcome = (work: unknown): Promise<string> =>
  Promise.resolve(work).then(
    () => 'resolved',
    () => 'rejected',
  );
let count = 0;
const named = (): string => `victim-${(count += 1)}`;

/** Runs one process in which one step is wrong, to its end. */
async function lived(step: keyof typeof will, wrong: Wrong): Promise<void> {
  const name = named();
  will[step] = wrong;
  await outcome(processes.startSingleton(Victim, [], { ...how, name }));
  await turn();
  await measure();
  await outcome(processes.stop(name));
  will[step] = undefined;
}

/** A message that the payload class, which is wrong, makes nothing of; handled or not, the next one is. */
async function invalid(what: 'payload' | 'validate', wrong: Wrong): Promise<void> {
  const subscription = await channels.subscribe('events', () => undefined, { payload: Payload });
  will[what] = wrong;
  await channels.broadcast('events', { n: 1 });
  const { counters } = subscription;
  await eventually(() => subscription.counters.invalid + subscription.counters.received === 1, {
    what: 'A message that was read',
    lastSeen: () => counters,
  });
  will[what] = undefined;
  await channels.broadcast('events', { n: 1 });
  await eventually(() => subscription.counters.invalid + subscription.counters.received === 2, {
    what: 'The next message',
  });
  await subscription.unsubscribe();
}

const callee = await processes.startSingleton(Victim, [], { ...how, name: 'callee' });
await services.registerService('target', new Target());

/** Starts another application, and closes it if it comes up. */
async function booted(imports: Parameters<typeof Module>[0]['imports']): Promise<string> {
  class Other {}
  Module({ imports })(Other);
  const other = await NestFactory.createApplicationContext(Other, { logger: false, abortOnError: false }).catch(
    () => undefined,
  );
  await other?.close();
  return other === undefined ? 'rejected' : 'resolved';
}

/** Nest calls factories, and ends the process itself when one throws a revoked proxy. */
const withAnError =
  (wrong: Wrong): Wrong =>
  async () => {
    try {
      return await wrong();
    } catch {
      throw new Error('mine');
    }
  };

const asynchronously = (how: FoundationModuleAsyncOptions): Promise<string> =>
  booted([FoundationModule.forRootAsync(how)]);

/** Starts a node with a strategy of its user's, in the cluster. */
async function withStrategy(strategy: Omit<TopologyStrategy, 'name'>): Promise<void> {
  if (redis === undefined) return;
  const own = { name: named(), ...strategy };
  const cluster = { cluster: true, redis, topologies: [own], nodeName: own.name, ...times };
  await booted([FoundationModule.forRoot(cluster)]);
}

/** Every place that takes a function. The key is the declaration, as the spec finds it. */
const callbacks: Record<string, (wrong: Wrong) => Promise<void>> = {
  'Journal.actAs': async (wrong) => {
    await outcome((async () => journal.actAs({ name: 'ada' }, () => wrong()))());
  },
  'Telemetry.span': async (wrong) => {
    await outcome((async () => telemetry.span({ kind: 'internal', name: 'work' }, () => wrong()))());
  },
  'SpanRecorder.keep': async (wrong) => {
    telemetry.tracing = new SpanRecorder({ keep: wrong });
    await telemetry.span({ kind: 'internal', name: 'work' }, () => channels.broadcast('events', 1));
    telemetry.tracing = undefined;
  },
  'Telemetry.attach': async (wrong) => {
    const before = failures;
    const detach = telemetry.attach('message.sent', wrong);
    await channels.broadcast('events', 1);
    await eventually(() => failures > before, { what: 'The failure of a telemetry listener' });
    detach();
  },
  'FoundationMetrics.record': async (wrong) => {
    const end = get(FoundationMetrics).record(wrong);
    await channels.broadcast('events', 1);
    end();
  },
  'Channels.subscribe': async (wrong) => {
    const subscription = await channels.subscribe('events', wrong);
    await channels.broadcast('events', 1);
    await eventually(() => subscription.counters.failed === 1, { what: 'The failure of a handler' });
    await subscription.unsubscribe();
  },
  'Channels.subscribe, durable': async (wrong) => {
    const subscription = await channels.subscribe('jobs', wrong, { group: named() });
    await channels.broadcast('jobs', 1);
    await eventually(() => subscription.counters.dropped['dead-letter'] === 1, { what: 'A dead letter' });
    await subscription.unsubscribe();
  },
  'Channels.gather': async (wrong) => {
    const subscription = await channels.subscribe('events', wrong);
    const { answers, missing } = await channels.gather('events', 1);
    if (answers.length > 0 || missing[0]?.reason !== 'failed') throw new Error('a handler that fails has answered');
    await subscription.unsubscribe();
  },
  'ClusterConfig.watch': async (wrong) => {
    const before = failures;
    const end = settings.watch('a', wrong);
    await settings.set('a', (count += 1));
    await eventually(() => failures > before, { what: 'The failure of a listener to the configuration' });
    end();
  },
  'the schema of a configuration': async (wrong) => {
    will.schema = wrong;
    if ((await outcome(settings.set('a', (count += 1)))) !== 'rejected') throw new Error('set has not rejected');
    will.schema = undefined;
    await settings.set('a', (count += 1));
  },
  'the constructor of a payload': async (wrong) => invalid('payload', wrong),
  'a validator of a payload': async (wrong) => invalid('validate', wrong),
  'FoundationModule.forRootAsync, useFactory': async (wrong) => {
    await asynchronously({ useFactory: withAnError(wrong) as () => FoundationOptions });
  },
  'FoundationModule.forRootAsync, useClass': async (wrong) => {
    class Factory {
      createFoundationOptions = withAnError(wrong) as () => FoundationOptions;
    }
    await asynchronously({ useClass: Factory });
  },
  'TopologyStrategy.start': (wrong) =>
    withStrategy({ start: wrong as () => Promise<void>, stop: () => Promise.resolve() }),
  'TopologyStrategy.announce': (wrong) =>
    withStrategy({ start: () => Promise.resolve(), announce: wrong, stop: () => Promise.resolve() }),
  'TopologyStrategy.stop': (wrong) =>
    withStrategy({ start: () => Promise.resolve(), stop: wrong as () => Promise<void> }),
  'Channels.replay': async (wrong) => {
    await channels.broadcast('jobs', 1);
    if ((await outcome(channels.replay('jobs', wrong, { from: '0' }))) !== 'rejected') {
      throw new Error('replay has not rejected');
    }
  },
  'ServiceCriteria.healthCheck': async (wrong) => {
    const before = failures;
    const found = await services.discoverServices({ name: 'target', healthCheck: wrong as () => boolean });
    if (found.length > 0 || failures === before) throw new Error('a broken healthCheck said yes, or was not counted');
  },
  Tracing: async (wrong) => {
    telemetry.tracing = { carry: wrong as () => undefined, span: wrong as <T>() => T };
    await channels.broadcast('events', 1);
    await callee.call('work');
    telemetry.tracing = undefined;
  },
  'a callable method of a process': async (wrong) => {
    will.call = wrong;
    if ((await outcome(callee.call('work'))) !== 'rejected') throw new Error('the call has not rejected');
    will.call = undefined;
  },
  'a callable method of a service': async (wrong) => {
    will.call = wrong;
    if ((await outcome(services.call('target', 'work'))) !== 'rejected') throw new Error('the call has not rejected');
    will.call = undefined;
  },
  'the constructor of a process': (wrong) => lived('create', wrong),
  OnProcessStart: (wrong) => lived('start', wrong),
  OnProcessStop: (wrong) => lived('stop', wrong),
  OnProcessHandoff: async (wrong) => {
    const name = named();
    will.handoff = wrong;
    await outcome(processes.startSingleton(Victim, [], { ...how, name }));
    await outcome(processes.restart(name));
    await outcome(processes.stop(name));
    will.handoff = undefined;
  },
  'ProcessContext.run': (wrong) => lived('run', wrong),
};

/** Every place that takes a value. */
const values: Record<string, (value: unknown) => unknown> = {
  'the message of broadcast': (value) => channels.broadcast('events', value),
  'the message of a durable broadcast': (value) => channels.broadcast('jobs', value),
  'the message of routeMessage': (value) => channels.routeMessage(value),
  'the message of gather': (value) => channels.gather('events', value),
  'the options of gather': (value) => channels.gather('events', 1, value as object),
  'what a handler answers': async (value) => {
    const subscription = await channels.subscribe('events', () => value);
    await channels.gather('events', 1, { timeout: 1000 });
    await subscription.unsubscribe();
  },
  'what all of a process are asked': (value) => (processes.all('callee').call as Wrong)('work', value),
  'the process of all': (value) => processes.all(value as string),
  'the options of all': (value) => processes.all('callee').with(value as object),
  'a value of the configuration': (value) => settings.set('b', value),
  'a path of the configuration': (value) => settings.set(value as string, 1),
  'a path that is read': (value) => settings.get(value as string),
  'a path that is watched': (value) => settings.watch(value as string, () => undefined)(),
  'the options of set': (value) => settings.set('a', 1, value as object),
  'what a schema makes': async (value) => {
    will.schema = () => ({ value });
    await outcome(settings.set('a', (count += 1)));
    will.schema = () => value;
    await outcome(settings.set('a', (count += 1)));
    will.schema = undefined;
  },
  'the options of broadcast': (value) => channels.broadcast('events', 1, value as object),
  'a channel': (value) => channels.broadcast(value as string, 1),
  'the options of a call': (value) => callee.with(value as object).call('work'),
  'the argument of a call': (value) => (callee.call as Wrong)('work', value),
  'the method of a call': (value) => callee.call(value as 'work'),
  'the result of a call': (value) => {
    will.call = () => value;
    return callee.call('work');
  },
  'what a method throws': (value) => {
    will.call = () => {
      throw value;
    };
    return callee.call('work').catch((error: Error) => note('error', `${error.name} ${error.message} ${error.stack}`));
  },
  'what a handler throws': async (value) => {
    const subscription = await channels.subscribe('events', () => {
      throw value;
    });
    await channels.broadcast('events', 1);
    await eventually(() => subscription.counters.failed === 1, { what: 'The failure of a handler' });
    await subscription.unsubscribe();
  },
  'the argument of a start': async (value) => {
    const name = named();
    await processes.startSingleton(Victim, [value], { ...how, name });
    await processes.stop(name);
  },
  'the name of a process': (value) => processes.lookupSingleton(value as string),
  'the reason of ctx.fail': (value) => lived('fail', () => value),
  'what onProcessStart throws': (value) =>
    lived('start', () => {
      throw value;
    }),
  'what onProcessStart of a replica throws': async (value) => {
    const name = named();
    will.start = () => {
      throw value;
    };
    await outcome(processes.startReplicated(Victim, [], { ...how, name }));
    await measure();
    will.start = undefined;
    await outcome(processes.stop(name));
  },
  'a state that is handed over': (value) => lived('handoff', () => value),
  'the reason of an abort': async (value) => {
    const abort = new AbortController();
    will.call = () => new Promise((resolve) => setTimeout(resolve, 20));
    const call = callee.with({ signal: abort.signal }).call('work');
    abort.abort(value);
    return call;
  },
  'the metadata of a service': async (value) => {
    const handle = await services.registerService(named(), new Target(), [], { value });
    await handle.deregister();
  },
  'the capabilities of a service': async (value) => {
    const handle = await services.registerService(named(), new Target(), [value as string]);
    await handle.deregister();
  },
  'the options of whenReady': (value) => membership.whenReady(value as object),
  'whenReady, minNodes': (value) => membership.whenReady({ minNodes: value as number, timeout: 10 }),
  'whenReady, timeout': (value) => membership.whenReady({ minNodes: 9, timeout: (value ?? 1) as number }),
  'a class to start': (value) => processes.startSingleton(value as Type<unknown>),
  'the options of a start': (value) => processes.startSingleton(Victim, [], value as object),
  'a label of a placement': async (value) => {
    const name = named();
    const labels = { zone: value as string };
    // It waits for a node that has the label, and nobody has.
    const start = outcome(processes.startSingleton(Victim, [], { ...how, name, placement: { labels } }));
    await Promise.race([
      start,
      eventually(() => processes.list().then((all) => all.some((each) => each.name === name))),
    ]);
    await processes.stop(name);
    await start;
  },
  'the target of stop': (value) => processes.stop(value as string),
  'the target of restart': (value) => processes.restart(value as string),
  'the node of move': (value) => processes.move('callee', value as string),
  'the options of drain': (value) => processes.drain({ node: 'nobody', timeout: value as number }),
  'the node of drain': (value) => (value === undefined ? undefined : processes.drain({ node: value as string })),
  'the criteria of watch': async (value) => {
    const changes = services.watch(value as Record<string, string>)[Symbol.asyncIterator]();
    const next = outcome(changes.next());
    await turn();
    await changes.return?.();
    return next;
  },
  'the description of a span': (value) => telemetry.span(value as SpanInput, () => undefined),
  'a field of a span': (value) => {
    const fields = { kind: 'internal', name: 'work', attributes: value, parent: value } as unknown as SpanInput;
    return telemetry.span(fields, () => value);
  },
  'the query of the journal': (value) => journal.read(value as object),
  'the process of the journal': (value) => journal.read({ process: value as string }),
  'the kind of the journal': (value) => journal.read({ kind: value as string }),
  'a time of the journal': (value) => journal.read({ since: value as string, until: value as number }),
  'the number of entries of the journal': (value) => journal.read({ limit: value as number }),
  'what is followed of the journal': async (value) => {
    const ended = AbortSignal.abort();
    return journal.follow(value as object, { signal: ended }).next();
  },
  'who gives a command': (value) => journal.actAs(value as object, () => undefined),
  'the name of who gives a command': (value) =>
    journal.actAs({ name: value as string, reason: value as string }, () => processes.stop('nobody')),
  'a trace context': (value) => readTraceContext(value),
  'the pattern of attach': (value) => telemetry.attach(value as '*', () => undefined)(),
  'the options of subscribe': async (value) =>
    (await channels.subscribe('events', () => undefined, value as object)).unsubscribe(),
  'the class of a payload': async (value) =>
    (await channels.subscribe('events', () => undefined, { payload: value as Type<object> })).unsubscribe(),
  'the options that a factory makes': (value) => asynchronously({ useFactory: () => value as FoundationOptions }),
  'an option of the module': (value) => {
    // Each is checked, which takes seconds at a start and harms nobody else.
    if (Array.isArray(value) && value.length > 1000) return;
    for (const key of OPTIONS) {
      try {
        resolve({ [key]: value }, {}, { host: 'h', pid: 1 });
      } catch (error) {
        if ((error as Error).message.length > 2000) told.push(`the error of ${key} is long`);
      }
    }
  },
  'what a strategy finds': (value) =>
    withStrategy({
      start: (report) => {
        report.found(value as object);
        report.found({ peers: value as [] });
        report.found({ peers: [value] as unknown as [] });
        report.found({ redis: value as string });
        report.failed(value);
        return Promise.resolve();
      },
      stop: () => Promise.resolve(),
    }),
  criteria: (value) => services.discoverServices(value as Record<string, string>),
  'a criterion': (value) => services.discoverServices({ zone: value as string }),
};

const v1 = v1Places(app, () => failures);
Object.assign(callbacks, v1.callbacks);
Object.assign(values, v1.values);

for (const [place, give] of Object.entries(callbacks)) {
  for (const [what, wrong] of Object.entries(hostileFunctions())) {
    if (process.env['SAY'] !== undefined) process.stderr.write(`${Math.round(performance.now())} ${place}: ${what}\n`);
    await give(wrong).catch((reason: unknown) => told.push(`${place} was given ${what}: ${String(reason)}`));
    await turn();
  }
}
for (const [place, give] of Object.entries(values)) {
  for (const [what, make] of Object.entries(hostileValues)) {
    const value = make();
    await outcome((async () => give(value))());
    will.call = undefined;
    await turn();
    if (process.env['SAY'] !== undefined) process.stderr.write(`${Math.round(performance.now())} ${place}: ${what}\n`);
  }
}
// It is as it was: who waits for a call gets an answer, and no row has grown.
will.call = () => 'well';
const answer = await callee.call('work');
await measure();
await app.close();
const places = { callbacks: Object.keys(callbacks), values: Object.keys(values) };
process.stdout.write(`${JSON.stringify({ answer, told, failures, ...largest, places })}\n`);
