// The callbacks and the values of `nestjs-foundation/v1`, for the application that gives what is least expected.
import type { INestApplicationContext } from '@nestjs/common';
import {
  Config,
  errorToString,
  type EventQuery,
  Events,
  newError,
  type Service,
  ServiceRegistry,
  Telemetry,
  type V1Event,
} from 'nestjs-foundation/v1';

type Wrong = (...values: unknown[]) => unknown;
const RATE = ['ai', 'planning', 'sampling_rate'];
const ignore = (): void => undefined;

/** `failures` counts the functions of the user's that have failed. */
export function v1Places(app: INestApplicationContext, failures: () => number) {
  const [config, events] = [app.get(Config), app.get(Events)];
  const [telemetry, registry] = [app.get(Telemetry), app.get(ServiceRegistry)];
  let rate = 0;
  const requireFailure = async (place: string, work: () => unknown): Promise<void> => {
    const before = failures();
    await work();
    for (let turns = 0; turns < 100 && failures() === before; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (failures() === before) throw new Error(`the failure of ${place} is not counted`);
  };

  const callbacks: Record<string, (wrong: Wrong) => Promise<void>> = {
    'Config.subscribe': async (wrong) => {
      config.subscribe(wrong);
      const done = config.update(RATE, (rate = (rate + 0.1) % 1));
      config.unsubscribe(wrong);
      if (!done.ok) throw new Error('a listener has kept a value from being set');
    },
    'V1 Telemetry.attachHandlers': async (wrong) => {
      telemetry.attachHandlers([['hostile']], wrong);
      await requireFailure('a handler', () => telemetry.emitCounter(['hostile'], {}));
      telemetry.detachHandlers([['hostile']]);
    },
    'V1 Telemetry.measure': async (wrong) => {
      await Promise.resolve()
        .then(() => telemetry.measure(['hostile'], {}, wrong))
        .catch(ignore);
    },
    'ServiceRegistry, isAlive': async (wrong) => {
      registry.register('hostile', 'dead', { isAlive: wrong as () => boolean });
      if (registry.lookup('hostile', 'dead').ok) throw new Error('a broken isAlive said yes');
    },
    'ServiceRegistry, stop': async (wrong) => {
      registry.register({ test: 'hostile' }, 'a', { stop: wrong });
      await registry.cleanupTestNamespace('hostile');
      if (registry.countServices({ test: 'hostile' }) > 0) throw new Error('it is still there');
    },
    'ServiceRegistry.healthCheck': async (wrong) => {
      registry.register('hostile', 'checked', {});
      const healthy = await registry.healthCheck('hostile', 'checked', { healthCheck: wrong, timeout: 50 });
      if (healthy.ok) throw new Error('a broken check said yes');
    },
  };

  const values: Record<string, (value: unknown) => unknown> = {
    'a path of Config': (value) => [config.get(value as []), config.safeUpdate(value as [], 1)],
    'a name in a path of Config': (value) => [config.get([value as string]), config.update([value as string], 1)],
    'a value of Config': (value) => [config.update(RATE, value), config.setClusterWide(RATE, value)],
    'a configuration to validate': (value) => config.validate(value),
    'options of setClusterWide': (value) => config.setClusterWide(RATE, 0.5, value as object),
    'a listener of Config': (value) => config.subscribe(value as () => void),
    'the data of an event': (value) => events.store(events.newEvent('hostile', value)),
    'the type of an event': (value) => events.newEvent(value as string, 1),
    'the options of an event': (value) => events.newEvent('hostile', 1, value as object),
    'an event': (value) => [
      events.store(value as V1Event),
      events.serialize(value as V1Event),
      events.storeBatch([value as V1Event]),
    ],
    'a list of events': (value) => events.storeBatch(value as V1Event[]),
    'bytes of an event': (value) => events.deserialize(value as Uint8Array),
    'arguments and states in events': (value) => [
      events.functionEntry('a', 'b', 1, [value]),
      events.stateChange(value, 'b', value, value, { triggerMessage: value }),
      events.functionExit('a', 'b', 1, 1, value, 1, 'normal'),
    ],
    'a query of events': (value) => events.query(value as EventQuery),
    'a correlation id': (value) => events.getByCorrelationClusterWide(value as string),
    'options of a query of the cluster': (value) => events.getByCorrelationClusterWide('a', value as object),
    'the name of an event of telemetry': (value) => telemetry.emitCounter(value as string[], {}),
    'a part of the name of an event of telemetry': (value) => telemetry.emitCounter([value as string], {}),
    measurements: (value) => telemetry.execute(['hostile'], value as Record<string, number>, {}),
    'a measurement': (value) => telemetry.execute(['hostile'], { value }, {}),
    'metadata of an event': (value) => telemetry.execute(['hostile'], {}, { value }),
    'a prefix of metrics': (value) => telemetry.getMetricsClusterWide(value as string[]),
    'a handler of telemetry': (value) => telemetry.attachHandlers([['hostile']], value as () => void),
    'a namespace': (value) => registry.lookup(value as string, 'a'),
    'the namespace of a test': (value) => registry.lookup({ test: value as string }, 'a'),
    'the name of a service of 1.x': (value) => registry.lookup('hostile', value as string),
    'a service of 1.x': (value) => [
      registry.register('hostile', 'value', value as Service),
      registry.lookup('hostile', 'value'),
      registry.unregister('hostile', 'value'),
    ],
    'the context of an error': (value) => errorToString(newError('timeout', 'late', { context: { value } })),
  };
  return { callbacks, values };
}
