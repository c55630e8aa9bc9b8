// A Nest application with Foundation in it, one node of a simulated cluster: its processes, callers and talkers are
// those of the tests with real processes (`test/apps`).
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Channels,
  ClusterConfig,
  FoundationModule,
  FoundationTools,
  Membership,
  ProcessManager,
  ServiceMesh,
  Telemetry,
} from 'nestjs-foundation';
import { recordHistory } from 'nestjs-foundation/testing';
import { tell } from 'simulated';
import { acknowledge, askForEver } from '../../dist/test/apps/node.asks.js';
import { callForEver } from '../../dist/test/apps/node.caller.js';
import { commonCommands, lookForEver } from '../../dist/test/apps/node.commands.js';
import { COUNTERS } from '../../dist/test/apps/node.counters.js';
import { Clockwork, JOBS } from '../../dist/test/apps/node.cron.js';
import { consume, DURABLE, orderForEver } from '../../dist/test/apps/node.durable.js';
import { configured, found, offerForEver, setForEver } from '../../dist/test/apps/node.offers.js';
import { Extra, Job, Journal, processClasses } from '../../dist/test/apps/node.processes.js';
import { SHARED } from '../../dist/test/apps/node.settings.js';
import { writeAsStale } from '../../dist/test/apps/node.stale.js';
import { listen, talkForEver } from '../../dist/test/apps/node.talk.js';

const RECORDER = Symbol('recorder');
const LISTENER = Symbol('listener');
const LOOK_EVERY_MS = 400;
const RETRY_MS = 200;

/** Starts; resolves with what a test can ask of it. */
export async function run({ options = {}, processes, load = {} }) {
  class NodeModule {}
  Module({
    imports: [
      FoundationModule.forRoot({
        ...{ cluster: true, topologies: [] },
        ...(load.durable ? { channels: { names: DURABLE } } : {}),
        ...(load.config ? { clusterConfig: SHARED } : {}),
        ...options,
      }),
    ],
    providers: [
      ...[Journal, Extra, Job, ...(load.cron ? [Clockwork] : []), ...processClasses(processes, COUNTERS)],
      // Made before anything starts, so that the history has all of it.
      { provide: RECORDER, useFactory: recorderOf, inject: [Telemetry, Membership, Journal] },
      ...(load.talk ? [{ provide: LISTENER, useFactory: listenerOf, inject: [Channels, Membership, RECORDER] }] : []),
    ],
  })(NodeModule);
  const app = await NestFactory.createApplicationContext(NodeModule, { logger: false, abortOnError: false });
  const membership = app.get(Membership);
  const manager = app.get(ProcessManager);
  const channels = app.get(Channels);
  const journal = app.get(Journal);
  const recorder = app.get(RECORDER);
  let leaving = false;
  let quiet = false;
  const hasLeft = () => leaving || membership.state === 'left';
  /** Nothing is begun any more that another node has to hear of. */
  const isOver = () => quiet || hasLeft();
  const asked = { app, recorder, hasLeft, lookEveryMs: LOOK_EVERY_MS };
  const common = commonCommands(asked);
  const commands = {
    ...common,
    quiet: () => (quiet = true),
    found: () => found(app.get(ServiceMesh), recorder),
    config: () => configured(app.get(ClusterConfig), recorder),
    terminate: async () => {
      leaving = true;
      await app.close();
    },
  };

  if (load.cron) {
    for (const [job, everyMs] of Object.entries(JOBS)) recorder.record('test.cron_job', { job, everyMs });
  }
  if (options.capacity !== undefined) recorder.record('test.capacity', { capacity: options.capacity });
  void lookForEver(asked, common);
  if (load.stale) void writeAsStale(journal, [app.get(FoundationTools.control)], hasLeft);
  if (load.calls) void callForEver(manager, recorder, membership.self, hasLeft);
  if (load.talk) void talkForEver(channels, recorder, hasLeft);
  if (load.asks) {
    await acknowledge(channels, recorder);
    void askForEver(channels, recorder, membership.self, isOver);
  }
  if (load.durable) {
    await subscribed(() => consume(channels, recorder), hasLeft);
    void orderForEver(channels, recorder, membership.self, isOver);
  }
  if (load.services) void offerForEver(app.get(ServiceMesh), recorder, isOver);
  if (load.config) void setForEver(app.get(ClusterConfig), recorder, membership.self, isOver);
  return { commands, state: membership.state };
}

/** Redis may be away just then. */
async function subscribed(subscribe, hasLeft) {
  for (let isDone = false; !isDone && !hasLeft();) {
    isDone = await subscribe().then(
      () => true,
      () => new Promise((resolve) => setTimeout(() => resolve(false), RETRY_MS)),
    );
  }
}

function recorderOf(telemetry, membership, journal) {
  return (journal.recorder = recordHistory(telemetry, tell.line, membership.self));
}

function listenerOf(channels, membership, recorder) {
  return { onModuleInit: () => listen(channels, membership, recorder) };
}
