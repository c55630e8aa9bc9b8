/**
 * The module for tests of an application: its node runs inside this process, by a clock that the test moves.
 * Underneath: the factory of `FoundationModule`, which asks for a `NodeSetup`.
 */
import { type DynamicModule, type FactoryProvider, Module, type Type } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { FoundationConfig } from '../../config/config.js';
import { readMachine } from '../../config/machine.js';
import type { FoundationOptions } from '../../config/options.js';
import { resolve } from '../../config/resolve.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { isOptions } from '../../foreign/given.options.js';
import { FoundationEdges, FoundationFront } from '../../foundation.edges.js';
import { FoundationLifecycle } from '../../foundation.lifecycle.js';
import { assemble, FoundationModule, OFFERED, provide, SURROUNDINGS, withRemotes } from '../../foundation.module.js';
import { NODE, type NodeParts, NodeSetup } from '../../node.parts.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { type Duration, parseDuration } from '../../time/duration.js';
import { isNear, ManualClock, timeOf } from './manual.clock.js';
import { ManualTimers } from './manual.timers.js';
import { TestProcesses } from './test.processes.js';

/** How long `advance` waits for each work of the application, by the clock of the machine. */
const PATIENCE_MS = 1000;
const LONGEST_PATIENCE_MS = 600_000;

/** A test may move by days, and nobody hears the heartbeat of a single node. */
const HEARTBEAT = { beatEvery: '60s', ttl: '180s' } as const;

/**
 * Options of {@link FoundationTestingModule}: those of `FoundationModule`, which count before the application's
 * own, and
 * two of the clock.
 */
export interface FoundationTestingOptions extends Omit<FoundationOptions, 'cluster'> {
  /**
   * What the clock says at first: a `Date`, milliseconds since 1970, or a text that `Date` reads, at most seven
   * years ahead.
   * Default: the time of the machine, to the second.
   */
  startsAt?: Date | number | string;
  /**
   * How long `advance` waits for each job, schedule, start and stop of yours, by the clock of the machine; 0 to ten
   * minutes.
   * Default one second. One that waits for the test costs that much, once.
   */
  patience?: Duration;
}

/**
 * Runs the application under test inside this process, without Redis, whatever its own `FoundationModule` says; time
 * stands still until the test moves {@link ManualClock}.
 *
 * ```ts
 * const module = await Test.createTestingModule({ imports: [AppModule, FoundationTestingModule.forRoot()]
 * }).compile();
 * const app = await module.createNestApplication().init();
 * await module.get(ManualClock).advance('1m');
 * await app.close();
 * ```
 *
 * It is Foundation itself where nothing else of the test imports `FoundationModule`, as in the test of one feature
 * module.
 * From `app.close()` on time runs by itself.
 */
// Of forRoot() comes another one in its place.
@Module({ providers: [{ provide: NodeSetup, useFactory: refuseBare }] })
export class FoundationTestingModule {
  /**
   * With the options of the application, or without any.
   *
   * @throws FoundationConfigError for an option that is wrong: at once for those of the clock, else while the
   * application is
   * created.
   */
  static forRoot(options: FoundationTestingOptions = {}): DynamicModule {
    const given = checked(options);
    const found = [ManualClock, TestProcesses];
    return withRemotes({
      module: FoundationTestingModule,
      global: true,
      imports: OFFERED.imports,
      providers: [
        // Made for each application anew, also where several have this very module.
        { provide: NodeSetup, useFactory: () => new TestSetup(given) },
        made(ManualClock, ({ clock }) => new ManualClock(clock)),
        made(TestProcesses, ({ parts, clock }) => new TestProcesses(parts, clock)),
        provide(NODE, [NodeSetup, ModulesContainer, ...SURROUNDINGS], nodeOf),
        provide(Telemetry, [NODE], ({ telemetry }) => telemetry),
        ...OFFERED.providers,
        provide(
          FoundationLifecycle,
          [ModulesContainer, NODE, DiscoveryService, FoundationFront, FoundationEdges],
          lifecycleOf,
        ),
      ],
      exports: [NodeSetup, ...found, ...OFFERED.exports],
    });
  }
}

function refuseBare(): never {
  throw wrong('imports', 'FoundationTestingModule', 'FoundationTestingModule.forRoot(), in the test module');
}

/** The clock and the options of one application under test. */
class TestSetup extends NodeSetup {
  readonly clock: ManualTimers;
  /** Of its node. */
  readonly parts: Promise<NodeParts>;
  #resolve!: (parts: NodeParts) => void;

  constructor(private readonly given: Given) {
    super();
    const { startsAt = Math.floor(Date.now() / 1000) * 1000, patienceMs } = given;
    this.clock = new ManualTimers({ startsAt, patienceMs });
    this.parts = new Promise((found) => (this.#resolve = found));
  }

  configure(options: FoundationOptions): FoundationConfig {
    // As with FOUNDATION_CLUSTER=off, which needs no Redis whatever the options say; a test need not be told so.
    const env = { ...process.env, FOUNDATION_CLUSTER: 'off' };
    const {
      isSwitchedOff: _off,
      isUnnamed: _unnamed,
      ...config
    } = resolve({ membership: HEARTBEAT, ...options, ...this.given.options }, env, readMachine());
    return config;
  }

  assembled(parts: NodeParts): void {
    const { view } = parts;
    view.listen({ changed: () => view.isLeaving && this.clock.release() });
    this.#resolve(parts);
  }
}

interface Given {
  options: FoundationOptions;
  startsAt: number | undefined;
  patienceMs: number;
}

function checked(options: unknown): Given {
  if (!isOptions(options)) throw wrong('options', options, 'an object');
  const { startsAt, patience = PATIENCE_MS, cluster, ...others } = options;
  if (cluster !== undefined && cluster !== false) {
    throw wrong('cluster', cluster, 'nothing: it runs inside this process; TestCluster has nodes');
  }
  const startMs = startsAt === undefined ? undefined : timeOf(startsAt);
  if (startMs !== undefined && !isNear(startMs)) {
    throw wrong(
      'startsAt',
      startsAt,
      'a Date, milliseconds since 1970 or a text that Date reads, at most seven years ahead',
    );
  }
  const patienceMs = parseDuration(patience) ?? Number.NaN;
  if (!(patienceMs >= 0 && patienceMs <= LONGEST_PATIENCE_MS)) {
    throw wrong('patience', patience, `0 to ${LONGEST_PATIENCE_MS} milliseconds, or a text such as '5s'`);
  }
  return { options: others, startsAt: startMs, patienceMs };
}

function wrong(option: string, received: unknown, expected: string): FoundationConfigError {
  return new FoundationConfigError(`FoundationTestingModule.${option}`, show(received), expected);
}

function made<T>(token: Type<T>, make: (setup: TestSetup) => T): FactoryProvider {
  return provide(token, [NodeSetup], (setup) => make(setup as TestSetup));
}

/** That of the `FoundationModule` of the application; one of its own where there is none. */
async function nodeOf(
  setup: NodeSetup,
  modules: ModulesContainer,
  ...surroundings: Parameters<typeof assemble> extends [unknown, unknown, ...infer R] ? R : never
): Promise<NodeParts> {
  const times = [...modules.values()].filter(({ metatype }) => metatype === FoundationTestingModule).length;
  if (times > 1) throw wrong('imports', times, 'FoundationTestingModule.forRoot() once, in the test module');
  if (hasOwn(modules)) return (setup as TestSetup).parts;
  return assemble({}, new Telemetry(), ...surroundings);
}

/** Its node is started and ended by one lifecycle. */
function lifecycleOf(
  modules: ModulesContainer,
  node: NodeParts,
  discovery: DiscoveryService,
  front: FoundationFront,
  edges: FoundationEdges,
): object {
  return hasOwn(modules) ? {} : new FoundationLifecycle(node, discovery, front, edges, node.telemetry);
}

function hasOwn(modules: ModulesContainer): boolean {
  return [...modules.values()].some(({ metatype }) => metatype === FoundationModule);
}
