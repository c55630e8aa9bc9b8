// A node of moleculer or of Foundation with many services, or one that looks them up, for takeover.lookups.mjs.
import { setTimeout as delay } from 'node:timers/promises';
import { answer } from './answering.mjs';
import { median } from './figures.mjs';
import { sharedNow } from './machine.mjs';

const BATCHES = 25;
const WARM_UP = 8;
const BATCH_MICROS = 10_000;

const { kind, redis, role } = JSON.parse(process.argv[2]);

const kinds = {
  async foundation() {
    await import('reflect-metadata');
    const [{ Module }, { NestFactory }, { FoundationModule, ServiceMesh }] = await Promise.all([
      import('@nestjs/common'),
      import('@nestjs/core'),
      import('nestjs-foundation'),
    ]);
    class Root {}
    Module({ imports: [FoundationModule.forRoot({ cluster: true, redis, appName: 'lookups', nodeName: role })] })(Root);
    const app = await NestFactory.createApplicationContext(Root, { logger: ['error'], abortOnError: false });
    const mesh = app.get(ServiceMesh);
    return {
      offer: (name) => mesh.registerService(name, {}),
      lookUp: async (name) => (await mesh.discoverServices({ name })).length,
    };
  },
  async moleculer() {
    const { importFrom } = await import('./packages.mjs');
    const { default: library } = await importFrom('moleculer', 'moleculer');
    const broker = new library.ServiceBroker({ nodeID: role, namespace: 'lookups', transporter: redis, logger: false });
    await broker.start();
    return {
      offer: (name) => broker.createService({ name, actions: { get: () => 1 } }),
      lookUp: (name) => broker.registry.getActionEndpoints(`${name}.get`)?.endpoints.length ?? 0,
    };
  },
};

const { offer, lookUp } = await kinds[kind]();

const commands = {
  async offer({ names }) {
    const at = sharedNow();
    for (const name of names) await offer(name);
    return at;
  },
  async until({ name }) {
    while ((await lookUp(name)) === 0) await delay(1);
    return sharedNow();
  },
  /** Microseconds a lookup: the median of batches, of which the first ones warm up. */
  async measure({ count }) {
    const micros = [];
    for (let batch = 0, next = 0; batch < WARM_UP + BATCHES; batch++) {
      const began = sharedNow();
      let done = 0;
      for (; sharedNow() - began < BATCH_MICROS; done++) {
        const found = lookUp(`service-${next++ % count}`);
        // Only what is a promise is waited for.
        if ((typeof found === 'number' ? found : await found) !== 1) throw new Error('A service is missing');
      }
      micros.push((sharedNow() - began) / done);
    }
    return median(micros.slice(WARM_UP));
  },
};

answer(commands);
