// What a test can ask of every node, real or simulated: lookups and planned changes, written down for the checker.
import type { INestApplicationContext } from '@nestjs/common';
import { Membership, type ProcessContext, ProcessManager, type ProcessRef } from 'nestjs-foundation';
import { historyNow, type HistoryRecorder } from 'nestjs-foundation/testing';
import { hostileError } from '../support/hostile.errors.js';
import type { NodeCommands, Owner } from '../support/node.protocol.js';
import { Job, Journal } from './node.processes.js';

/** The node that answers, and how it is looked at. */
export interface Asked {
  app: INestApplicationContext;
  recorder: HistoryRecorder;
  hasLeft: () => boolean;
  lookEveryMs: number;
}

type Common = 'state' | 'members' | 'lookup' | 'stop' | 'restart' | 'move' | 'fail' | 'failBadly' | 'complete' | 'job';

export type CommonCommands = { [K in Common]: (...args: Parameters<NodeCommands[K]>) => unknown };

export const ownerOf = ({ name, node, epoch }: ProcessRef): Owner => ({ name, node, epoch });

export function commonCommands({ app, recorder }: Asked): CommonCommands {
  const membership = app.get(Membership);
  const manager = app.get(ProcessManager);
  const journal = app.get(Journal);
  /** What a planned change resolved with, for the checker; `to` is the node that was asked for. */
  const change = async (event: string, name: string, ask: () => Promise<ProcessRef>, to?: string): Promise<Owner> => {
    const askedAt = historyNow();
    const owner = await revive(recorder, name, ask);
    recorder.record(event, { name: owner.name, node: owner.node, epoch: owner.epoch, askedAt, to });
    return owner;
  };
  return {
    state: () => ({ state: membership.state, version: membership.version }),
    members: () => membership.members(),
    lookup: async (name) => {
      const askedAt = historyNow();
      const ref = await manager.lookupSingleton(name);
      recorder.record('test.lookup', { name, askedAt, node: ref?.node, epoch: ref?.epoch });
      return ref === undefined ? null : ownerOf(ref);
    },
    stop: async (name) => {
      recorder.record('test.stopping', { name });
      await manager.stop(name);
      recorder.record('test.stopped', { name });
    },
    restart: (name) => change('test.restarted', name, () => manager.restart(name)),
    move: (name, to) => change('test.moved', name, () => manager.move(name, to), to),
    fail: (name) => contextOf(journal, name).fail(new Error('The test asked for it')),
    failBadly: (name, number) => contextOf(journal, name).fail(hostileError(number) as Error),
    complete: (name) => contextOf(journal, name).complete(),
    job: async (name, restart) => {
      const outcome = await manager.startSingleton(Job, [], { name, restart }).then(
        () => 'ok',
        (error: unknown) => (error as Error).name,
      );
      recorder.record('test.job_started', { name, outcome });
    },
  };
}

export async function revive(
  recorder: HistoryRecorder,
  name: string,
  start: () => Promise<ProcessRef>,
): Promise<Owner> {
  recorder.record('test.revived', { name });
  return ownerOf(await start());
}

/** The last one that this node had, whether it still owns the process or not. */
export function contextOf(journal: Journal, name: string): ProcessContext {
  const ctx = journal.contexts.get(name);
  if (ctx === undefined) throw new Error(`"${name}" never ran here`);
  return ctx;
}

/**
 * Looks up everything again and again, as an application would, so that the history has wrong answers if there are any.
 */
export async function lookForEver(
  { app, recorder, hasLeft, lookEveryMs }: Asked,
  commands: CommonCommands,
): Promise<void> {
  const manager = app.get(ProcessManager);
  while (!hasLeft()) {
    try {
      for (const { name } of await manager.list()) await commands.lookup(name);
    } catch (error) {
      recorder.record('test.lookup_failed', { error: (error as Error).name });
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs).unref());
  }
}
