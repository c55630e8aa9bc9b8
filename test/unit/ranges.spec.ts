// The arguments of the public calls at the ends of their ranges: each value works, or is refused at once by an error of
// Foundation that names it, is short, and says what happened.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Callable,
  Channels,
  FoundationError,
  FoundationModule,
  ProcessManager,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { within } from '../../libs/foundation/src/time/timeout.js';

@Singleton({ name: 'declared' })
@Injectable()
class Declared {}

@Injectable()
class Free {
  @Callable()
  go(): number {
    return 1;
  }
}

/** What no name, number, duration or choice is. */
const HOSTILE: unknown[] = [
  ...[NaN, Infinity, -Infinity, -1, -0, 0.5, 1e308, 2 ** 53, null, true, [], {}, 10n, Symbol('s'), () => 1],
  ...['', 'x'.repeat(5000), 'a\nb', 'a\0b', '\ud800', 'x\udfff'],
];
/** What is unusual, and a name all the same. */
const NAMES = ['  ', '{x}', 'a:b', '*', 'a b', '__proto__', 'constructor', '../x', 'ünï', '😀'];
/** Longer than any error should be. */
const LONG = 700;

let app: INestApplicationContext;
let manager: ProcessManager;
let channels: Channels;
let mesh: ServiceMesh;
let count = 0;
const fresh = (): string => `fresh-${(count += 1)}`;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [FoundationModule.forRoot({ appName: 'ranges', cluster: false })],
    providers: [Declared, Free],
  }).compile();
  app = await module.init();
  [manager, channels, mesh] = [app.get(ProcessManager), app.get(Channels), app.get(ServiceMesh)];
});
afterAll(() => app.close());

/** The error, or what it resolved with. */
async function outcomeOf(call: (value: never) => unknown, value: unknown): Promise<unknown> {
  try {
    return await within(
      5000,
      Promise.resolve().then(() => call(value as never)),
      'it waits',
    );
  } catch (error) {
    return error;
  }
}

function expectRefusal(outcome: unknown): void {
  expect(outcome).toBeInstanceOf(FoundationError);
  const { code, message } = outcome as FoundationError;
  expect(code).not.toBe('FOUNDATION_CONFIG');
  expect(message).not.toContain('did not start');
  expect(message.length).toBeLessThan(LONG);
}

const named: Record<string, (value: never) => unknown> = {
  'the name of a singleton': (name) => manager.startSingleton(Free, [], { name }),
  'what is looked up': (name) => manager.lookupSingleton(name),
  'what is stopped': (name) => manager.stop(name),
  'what is restarted': (name) => manager.restart(name),
  'the name of a service': (name) => mesh.registerService(name, {}),
  'the type of a message': (type) => channels.broadcast('events', 1, { type }),
  'the type of a subscription': (type) => channels.subscribe('events', () => undefined, { type }),
};

const refusing: Record<string, (value: never) => unknown> = {
  ...named,
  'the node of a move': (node) => manager.move('declared', node),
  'the node of a drain': (node) => manager.drain({ node }),
  'the node of an undrain': (node) => manager.undrain({ node }),
  'the channel of a subscription': (channel) => channels.subscribe(channel, () => undefined),
  'the channel of a message': (channel) => channels.broadcast(channel, 1),
  'the priority of a message': (priority) => channels.broadcast('events', 1, { priority }),
  'the timeout of a message': (timeout) => channels.broadcast('events', 1, { timeout }),
  'the group of a subscription': (group) => channels.subscribe('events', () => undefined, { group }),
  'the queue of a subscription': (size) => channels.subscribe('events', () => undefined, { queue: { size } }),
  'the service of a call': (name) => mesh.call(name, 'go'),
  'the timeout of a call': (timeout) => mesh.call('till', 'go', [], { timeout }),
  'the timeout of a start': (timeout) => manager.startSingleton(Free, [], { name: fresh(), timeout }),
  'how often a process may restart': (maxSeconds) => manager.startSingleton(Free, [], { name: fresh(), maxSeconds }),
  'the number of replicas': (replicas) => manager.startReplicated(Free, [], { name: fresh(), replicas }),
  'the number of partitions': (partitions) => manager.startPartitioned(Free, [], { name: fresh(), partitions }),
};

/** What one of them takes of these: `null` as if it were not given. */
const FITTING: Record<string, unknown[]> = {
  'how often a process may restart': [null],
  'the number of partitions': [null],
};

describe('what is no value', () => {
  it.each(Object.keys(refusing))('is refused at once as %s', async (what) => {
    for (const value of HOSTILE) {
      if (FITTING[what]?.includes(value)) continue;
      const outcome = await outcomeOf(refusing[what]!, value);
      try {
        expectRefusal(outcome);
      } catch (cause) {
        throw new Error(`${what}: ${String(value).slice(0, 50)} was answered with ${String(outcome)}`, { cause });
      }
    }
  });
});

describe('what is unusual', () => {
  it.each(Object.keys(named))('is a name all the same: %s', async (what) => {
    for (const value of NAMES) {
      const outcome = await outcomeOf(named[what]!, value);
      if (outcome instanceof FoundationError) expect(outcome.code).toBe('FOUNDATION_PROCESS_UNKNOWN');
      else expect(outcome).not.toBeInstanceOf(Error);
    }
  });
});
