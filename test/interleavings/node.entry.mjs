// A Nest application with Foundation in it, one node of a simulated cluster: its processes, callers and talkers are
// those of the tests with real processes (`test/apps`).
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Channels,
  FoundationModule,
  FoundationTools,
  Membership,
  ProcessManager,
  StaleEpochError,
  Telemetry,
} from 'nestjs-foundation';
import { historyNow, recordHistory } from 'nestjs-foundation/testing';
import { tell } from 'simulated';
import { callForEver } from '../../dist/test/apps/node.caller.js';
import { COUNTERS } from '../../dist/test/apps/node.counters.js';
import { Clockwork, JOBS } from '../../dist/test/apps/node.cron.js';
import { Extra, Job, Journal, processClasses } from '../../dist/test/apps/node.processes.js';
import { listen, talkForEver } from '../../dist/test/apps/node.talk.js';
import { hostileError } from '../../dist/test/support/hostile.errors.js';

const RECORDER = Symbol('recorder');
const LISTENER = Symbol('listener');
const LOOK_EVERY_MS = 400;
const STALE_EVERY_MS = 500;
const ownerOf = ({ name, node, epoch }) => ({ name, node, epoch });

/** Starts; resolves with what a test can ask of it. */
export async function run({ options = {}, processes, load = {} }) {
  class NodeModule {}
  Module({
    imports: [FoundationModule.forRoot({ cluster: true, topologies: [], ...options })],
    providers: [
      ...[Journal, Extra, Job, ...(load.cron ? [Clockwork] : []), ...processClasses(processes, COUNTERS)],
      // Made before anything starts, so that the history has all of it.
      { provide: RECORDER, useFactory: recorderOf, inject: [Telemetry, Membership, Journal] },
      ...(load.talk ? [{ provide: LISTENER, useFactory: listenerOf, inject: [Channels, RECORDER] }] : []),
    ],
  })(NodeModule);
  const app = await NestFactory.createApplicationContext(NodeModule, { logger: false, abortOnError: false });
  const membership = app.get(Membership);
  const manager = app.get(ProcessManager);
  const channels = app.get(Channels);
  const journal = app.get(Journal);
  const recorder = app.get(RECORDER);
  let leaving = false;
  const hasLeft = () => leaving || membership.state === 'left';

  const lookup = async (name) => {
    const askedAt = historyNow();
    const ref = await manager.lookupSingleton(name);
    recorder.record('test.lookup', { name, askedAt, node: ref?.node, epoch: ref?.epoch });
    return ref === undefined ? null : ownerOf(ref);
  };
  const revive = async (name, start) => {
    recorder.record('test.revived', { name });
    return ownerOf(await start());
  };
  const change = async (event, name, ask, to) => {
    const askedAt = historyNow();
    const owner = await revive(name, ask);
    recorder.record(event, { name: owner.name, node: owner.node, epoch: owner.epoch, askedAt, to });
    return owner;
  };
  const contextFor = (name) => {
    const ctx = journal.contexts.get(name);
    if (ctx === undefined) throw new Error(`"${name}" never ran here`);
    return ctx;
  };
  const commands = {
    state: () => ({ state: membership.state, version: membership.version }),
    members: () => membership.members(),
    lookup,
    stop: async (name) => {
      recorder.record('test.stopping', { name });
      await manager.stop(name);
      recorder.record('test.stopped', { name });
    },
    restart: (name) => change('test.restarted', name, () => manager.restart(name)),
    move: (name, to) => change('test.moved', name, () => manager.move(name, to), to),
    fail: (name) => contextFor(name).fail(new Error('The test asked for it')),
    failBadly: (name, number) => contextFor(name).fail(hostileError(number)),
    complete: (name) => contextFor(name).complete(),
    job: async (name, restart) => {
      const outcome = await manager.startSingleton(Job, [], { name, restart }).then(
        () => 'ok',
        (error) => error.name,
      );
      recorder.record('test.job_started', { name, outcome });
    },
    terminate: async () => {
      leaving = true;
      await app.close();
    },
  };

  if (load.cron) {
    for (const [job, everyMs] of Object.entries(JOBS)) recorder.record('test.cron_job', { job, everyMs });
  }
  if (options.capacity !== undefined) recorder.record('test.capacity', { capacity: options.capacity });
  void look();
  if (load.stale) void writeAsStale();
  if (load.calls) void callForEver(manager, recorder, membership.self, hasLeft);
  if (load.talk) void talkForEver(channels, recorder, hasLeft);
  return { commands, state: membership.state };

  /** Writes with the epochs of instances that have ended, past the guard of their contexts. */
  async function writeAsStale() {
    const client = app.get(FoundationTools.control);
    for (let turn = 0; !hasLeft(); turn++) {
      await new Promise((resolve) => setTimeout(resolve, STALE_EVERY_MS));
      const ended = [...journal.contexts.values()].filter(({ signal }) => signal.aborted);
      if (ended.length === 0 || client.foundationFencedSet === undefined) continue;
      const { name, epoch } = ended[turn % ended.length];
      const key = `{foundation:e2e}:fenced:${name}`;
      await journal.write(name, epoch, async () => {
        const higher = await client.foundationFencedSet(1, key, String(epoch), '60000', 'stale!');
        if (higher !== '') throw new StaleEpochError(name, epoch, Number(higher));
      });
    }
  }

  async function look() {
    while (!hasLeft()) {
      try {
        for (const { name } of await manager.list()) await lookup(name);
      } catch (error) {
        recorder.record('test.lookup_failed', { error: error.name });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}

function recorderOf(telemetry, membership, journal) {
  return (journal.recorder = recordHistory(telemetry, tell.line, membership.self));
}

function listenerOf(channels, recorder) {
  return { onModuleInit: () => listen(channels, recorder) };
}
