// `Foundation.ServiceRegistry` of 1.x, function by function, and what `ProcessRegistry` adds. An object stands for a
// process: it is dead once its `isAlive()` is not true, and never without one. `Billing` is a class whose `price()` is
// marked with `@Callable()`, as each method has to be that is called by `callClusterWide`.
/* eslint-disable max-lines -- one table */
import { setTimeout as sleep } from 'node:timers/promises';
import { Callable } from 'nestjs-foundation';
import { type Service } from 'nestjs-foundation/v1';
import { ANY_NUMBER, ANY_TEXT, because, fails, has, ok, type Row, SAME, throws } from './rows.js';

const ONE: Service = { name: 'one' } as object;
const OTHER: Service = { name: 'other' } as object;
const DEAD: Service = { isAlive: () => false };
class Billing {
  @Callable()
  price(count: number): number {
    return 5 * count;
  }
}
const TEST = { test: 'run-1' };

export const REGISTRY_ROWS: Row[] = [
  {
    fn: 'register',
    case: 'a name, and once more',
    input: ({ registry }) => [1, 2].map(() => registry.register('production', 'config_server', ONE)),
    result: [ok(), ok()],
    was: 'the same process again is no error',
    now: SAME,
  },
  {
    fn: 'register',
    case: 'the name of another one',
    input: ({ registry }) => [ONE, OTHER].map((each) => registry.register('production', 'event_store', each))[1],
    result: because('already_registered', ONE),
    was: '`{:error, {:already_registered, pid}}`',
    now: SAME + ' as an object',
  },
  {
    fn: 'register',
    case: 'the name of one that is dead',
    input: ({ registry }) => [DEAD, OTHER].map((each) => registry.register('production', 'event_store', each)),
    result: [ok(), ok()],
    was: 'took the name',
    now: SAME,
  },
  {
    fn: 'register',
    case: 'any name, in several namespaces',
    input: ({ registry }) =>
      [
        registry.register('production', 'billing', ONE),
        registry.register(TEST, 'billing', OTHER),
        registry.lookup('production', 'billing'),
        registry.lookup(TEST, 'billing'),
      ].slice(2),
    result: [ok(ONE), ok(OTHER)],
    was: 'its type has four names, and the code takes any; two stores could hold a name each',
    now: 'any name, in one store',
  },
  {
    fn: 'register',
    case: 'a process that is none',
    input: ({ registry }) => registry.register('production', 'billing', 'pid' as unknown as Service),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'register',
    case: 'a name of 1 MB, one that reaches a prototype',
    input: ({ registry }) => registry.register('production', 'x'.repeat(1_000_000), ONE),
    result: throws('ArgumentError'),
    was: 'took any term',
    now: 'throws: 1 to 200 characters',
  },
  {
    fn: 'register',
    case: 'a namespace that is none',
    input: ({ registry }) => registry.register({ test: 5 } as unknown as string, 'a', ONE),
    result: throws('ArgumentError'),
    was: 'took any term',
    now: 'throws',
  },
  {
    fn: 'register',
    case: 'tells telemetry',
    input: ({ registry, telemetry }) => {
      const all: unknown[] = [];
      telemetry.attachHandlers([['foundation', 'registry', 'register']], (...event) => all.push(event));
      registry.register('production', 'billing', ONE);
      return all;
    },
    result: [
      [
        ['foundation', 'registry', 'register'],
        { count: 1 },
        { namespace: 'production', service: 'billing', result: 'ok' },
      ],
    ],
    was: 'as `[:foundation, :foundation, :registry, :register]`',
    now: 'with one prefix',
  },
  {
    fn: 'register',
    case: 'the 10,001st',
    input: ({ registry }) =>
      Array.from({ length: 10_001 }, (_, at) => registry.register('production', String(at), ONE))[10_000],
    result: fails(2201, 'resource_exhausted'),
    was: 'had no bound',
    now: 'is refused',
  },
  {
    fn: 'lookup',
    case: 'there, and not there',
    input: ({ registry }) =>
      [
        registry.register('production', 'billing', ONE),
        registry.lookup('production', 'billing'),
        registry.lookup('production', 'other'),
      ].slice(1),
    result: [
      ok(ONE),
      fails(5001, 'service_not_found', {
        severity: 'medium',
        category: 'system',
        context: { namespace: 'production', service: 'other' },
      }),
    ],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'lookup',
    case: 'one that is dead, and one that throws when it is asked',
    input: ({ registry }) => {
      const broken: Service = {
        isAlive: () => {
          throw new Error('mine');
        },
      };
      return [DEAD, broken].map((each) => {
        registry.register('production', 'billing', each);
        return registry.lookup('production', 'billing');
      });
    },
    result: Array(2).fill(fails(5001, 'service_not_found')),
    was: 'removed it',
    now: SAME,
  },
  {
    fn: 'lookup',
    case: 'tells telemetry',
    input: ({ registry, telemetry }) => {
      const all: unknown[] = [];
      telemetry.attachHandlers([['foundation', 'registry', 'lookup']], (...event) => all.push(event));
      registry.lookup('production', 'billing');
      return all;
    },
    result: [
      [
        ['foundation', 'registry', 'lookup'],
        { duration: ANY_NUMBER },
        { namespace: 'production', service: 'billing', result: 'error' },
      ],
    ],
    was: 'with a doubled prefix, in native units of time',
    now: 'with one prefix, in milliseconds',
  },
  {
    fn: 'unregister',
    case: 'there, and not there',
    input: ({ registry }) =>
      [
        registry.register('production', 'billing', ONE),
        registry.unregister('production', 'billing'),
        registry.unregister('production', 'billing'),
        registry.lookup('production', 'billing'),
      ].slice(1),
    result: [ok(), ok(), fails(5001, 'service_not_found')],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'listServices',
    case: 'those that are alive',
    input: ({ registry }) => {
      registry.register('production', 'a', ONE);
      registry.register('production', 'b', DEAD);
      registry.register(TEST, 'c', ONE);
      return [registry.listServices('production'), registry.listServices('empty')];
    },
    result: [['a'], []],
    was: 'a plain list',
    now: SAME,
  },
  {
    fn: 'healthCheck',
    case: 'without a check, and without a service',
    input: async ({ registry }) => {
      registry.register('production', 'billing', ONE);
      return [await registry.healthCheck('production', 'billing'), await registry.healthCheck('production', 'none')];
    },
    result: [ok(ONE), fails(5001, 'service_not_found')],
    was: SAME,
    now: SAME + ', as a promise',
  },
  {
    fn: 'healthCheck',
    case: 'what passes',
    input: ({ registry }) => {
      registry.register('production', 'billing', ONE);
      const answers = [true, 'ok', ok(5), Promise.resolve(true)];
      return Promise.all(
        answers.map((answer) => registry.healthCheck('production', 'billing', { healthCheck: () => answer })),
      );
    },
    result: Array(4).fill(ok(ONE)),
    was: '`true`, `:ok`, `{:ok, _}`',
    now: SAME + ', and promises for them',
  },
  {
    fn: 'healthCheck',
    case: 'what does not',
    input: ({ registry }) => {
      registry.register('production', 'billing', ONE);
      return Promise.all(
        [false, 'sick'].map((answer) =>
          registry.healthCheck('production', 'billing', { healthCheck: () => answer, debugHealthCheck: true }),
        ),
      );
    },
    result: [because('health_check_failed', false), because('health_check_failed', 'sick')],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'healthCheck',
    case: 'a check that throws',
    input: ({ registry }) => {
      registry.register('production', 'billing', ONE);
      const checks = [
        () => {
          throw new Error('mine');
        },
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what is no error
        () => Promise.reject('out'),
      ];
      return Promise.all(checks.map((healthCheck) => registry.healthCheck('production', 'billing', { healthCheck })));
    },
    result: [because('health_check_error', has({ message: 'mine' })), because('health_check_crashed', 'out')],
    was: 'RuntimeError, and any other exit',
    now: 'an Error, and anything else',
  },
  {
    fn: 'healthCheck',
    case: 'a check that does not end',
    input: ({ registry }) => {
      registry.register('production', 'billing', ONE);
      const healthCheck = () => new Promise(() => undefined);
      return registry.healthCheck('production', 'billing', { healthCheck, timeout: 5 });
    },
    result: because('health_check_timeout'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'healthCheck',
    case: 'one that dies meanwhile',
    input: ({ registry }) => {
      let lives = 3;
      registry.register('production', 'billing', { isAlive: () => (lives -= 1) > 1 });
      return registry.healthCheck('production', 'billing');
    },
    result: because('process_dead'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'waitForService',
    case: 'one that is there, one that comes, one that does not',
    input: async ({ registry }) => {
      registry.register('production', 'a', ONE);
      const coming = registry.waitForService('production', 'b');
      await sleep(1);
      registry.register('production', 'b', OTHER);
      const waits = [registry.waitForService('production', 'a'), coming, registry.waitForService('production', 'c', 5)];
      return Promise.all(waits);
    },
    result: [ok(ONE), ok(OTHER), because('timeout')],
    was: 'looked every 10 ms',
    now: 'hears of it at once',
  },
  {
    fn: 'viaTuple',
    case: 'any name',
    input: ({ registry }) => registry.viaTuple('production', 'billing'),
    result: fails(4001, 'operation_not_supported'),
    was: '`{:via, Registry, {ProcessRegistry, {namespace, service}}}`, a name for OTP',
    now: 'has no meaning in Node.js: the error says what to take instead',
  },
  {
    fn: 'getServiceInfo',
    case: 'a namespace',
    input: ({ registry }) => {
      registry.register('production', 'billing', ONE);
      registry.register('production', 'gone', DEAD);
      return registry.getServiceInfo('production');
    },
    result: {
      namespace: 'production',
      services: { billing: { service: ONE, alive: true, uptimeMs: ANY_NUMBER } },
      totalServices: 1,
      healthyServices: 1,
    },
    was: '`uptime_ms` was the time of the machine',
    now: 'milliseconds since it was registered',
  },
  {
    fn: 'cleanupTestNamespace',
    case: 'one that stops, one that does not, one without stop',
    input: async ({ registry }) => {
      const stopped: string[] = [];
      registry.register(TEST, 'a', { stop: () => stopped.push('a') });
      registry.register(TEST, 'b', { stop: () => new Promise(() => undefined) });
      registry.register(TEST, 'c', ONE);
      registry.register('production', 'a', OTHER);
      return [
        await registry.cleanupTestNamespace('run-1'),
        stopped,
        registry.listServices(TEST),
        registry.listServices('production'),
      ];
    },
    result: [ok(), ['a'], [], ['a']],
    was: 'ended the processes, and killed what had not ended after 100 ms; always took 200 ms',
    now: 'calls `stop()` of each, waits for 200 ms at most, and removes all of them',
  },
  {
    fn: 'registered',
    case: 'of ProcessRegistry',
    input: ({ registry }) => {
      registry.register('production', 'a', ONE);
      return [registry.registered('production', 'a'), registry.registered('production', 'b')];
    },
    result: [true, false],
    was: 'named `registered?`',
    now: SAME,
  },
  {
    fn: 'countServices',
    case: 'of ProcessRegistry',
    input: ({ registry }) => [registry.register(TEST, 'a', ONE), registry.countServices(TEST)][1],
    result: 1,
    was: SAME,
    now: SAME,
  },
  {
    fn: 'getAllServices',
    case: 'of ProcessRegistry',
    input: ({ registry }) => [registry.register(TEST, 'a', ONE), registry.getAllServices(TEST)][1],
    result: { a: ONE },
    was: SAME,
    now: SAME,
  },
  {
    fn: 'stats',
    case: 'of ProcessRegistry',
    input: ({ registry }) => {
      registry.register('production', 'a', ONE);
      registry.register(TEST, 'a', ONE);
      registry.register(TEST, 'b', ONE);
      return registry.stats();
    },
    result: { totalServices: 3, productionServices: 1, testNamespaces: 1 },
    was: 'also had the partitions and the memory of an ETS table',
    now: 'there is no such table',
  },
  {
    fn: 'registerClusterWide',
    case: 'a name, and once more',
    input: async ({ registry }) => {
      const object = new Billing();
      const ends = [1, 2].map(() => registry.registerClusterWide('production', 'billing', object));
      return [...(await Promise.all(ends)), registry.listServices('production')];
    },
    result: [ok(), ok(), ['billing']],
    was: 'there was no such function',
    now: 'registers on this node, and in the mesh of services',
  },
  {
    fn: 'registerClusterWide',
    case: 'the name of another one of this node',
    input: async ({ registry }) => {
      registry.register('production', 'billing', ONE);
      return registry.registerClusterWide('production', 'billing', new Billing());
    },
    result: because('already_registered', ONE),
    was: 'there was no such function',
    now: 'one of a name on each node',
  },
  {
    fn: 'registerClusterWide',
    case: 'what the mesh refuses',
    input: async ({ registry }) => {
      const ends = await Promise.allSettled([registry.registerClusterWide('production', 'x'.repeat(190), ONE)]);
      return [ends, registry.registered('production', 'x'.repeat(190))];
    },
    result: [[{ status: 'rejected', reason: has({ name: 'ArgumentError' }) }], false],
    was: 'there was no such function',
    now: 'is not registered on this node either',
  },
  {
    fn: 'unregisterClusterWide',
    case: 'there, and not there',
    input: async ({ registry }) => {
      await registry.registerClusterWide('production', 'billing', new Billing());
      return [
        await registry.unregisterClusterWide('production', 'billing'),
        await registry.unregisterClusterWide('production', 'billing'),
        await registry.lookupClusterWide('production', 'billing'),
        registry.listServices('production'),
      ];
    },
    result: [ok(), ok(), fails(5001, 'service_not_found'), []],
    was: 'there was no such function',
    now: 'withdraws it from the mesh',
  },
  {
    fn: 'unregisterClusterWide',
    case: 'by unregister, and by its death',
    input: async ({ registry }) => {
      const billing = new Billing();
      let lives = true;
      await registry.registerClusterWide('production', 'a', billing);
      await registry.registerClusterWide('production', 'b', Object.assign(new Billing(), { isAlive: () => lives }));
      registry.unregister('production', 'a');
      lives = false;
      registry.lookup('production', 'b');
      await sleep(1);
      return registry.listServicesClusterWide('production');
    },
    result: [],
    was: 'there was no such function',
    now: 'withdraws it, too',
  },
  {
    fn: 'lookupClusterWide',
    case: 'there, and not there; a service of this node only',
    input: async ({ registry }) => {
      await registry.registerClusterWide('production', 'billing', new Billing());
      registry.register('production', 'local', ONE);
      return Promise.all(['billing', 'local', 'none'].map((name) => registry.lookupClusterWide('production', name)));
    },
    result: [
      ok([has({ node: ANY_TEXT, status: 'healthy', metadata: { namespace: 'production', service: 'billing' } })]),
      fails(5001, 'service_not_found'),
      fails(5001, 'service_not_found'),
    ],
    was: 'there was no such function',
    now: 'a list: each node may have one of the name',
  },
  {
    fn: 'listServicesClusterWide',
    case: 'of a namespace',
    input: async ({ registry }) => {
      await registry.registerClusterWide('production', 'billing', new Billing());
      await registry.registerClusterWide(TEST, 'other', new Billing());
      return [await registry.listServicesClusterWide('production'), await registry.listServicesClusterWide(TEST)];
    },
    result: [['billing'], ['other']],
    was: 'there was no such function',
    now: 'a plain list',
  },
  {
    fn: 'callClusterWide',
    case: 'a method, and a name that is not registered',
    input: async ({ registry }) => {
      await registry.registerClusterWide('production', 'billing', new Billing());
      return Promise.allSettled([
        registry.callClusterWide('production', 'billing', 'price', [2]),
        registry.callClusterWide('production', 'none', 'price'),
      ]);
    },
    result: [
      { status: 'fulfilled', value: 10 },
      { status: 'rejected', reason: has({ name: 'ServiceNotFoundError' }) },
    ],
    was: 'there was no such function',
    now: 'calls one of them, on whatever node; rejects as `ServiceMesh.call` does',
  },
  {
    fn: 'callClusterWide',
    case: 'a method without `@Callable()`',
    input: async ({ registry }) => {
      await registry.registerClusterWide('production', 'billing', { price: () => 5 } as object);
      return Promise.allSettled([registry.callClusterWide('production', 'billing', 'price')]);
    },
    result: [{ status: 'rejected', reason: has({ name: 'CallRefusedError' }) }],
    was: 'there was no such function',
    now: 'refused: what any node may call is marked',
  },
];
