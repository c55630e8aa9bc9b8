// One of two processes of a system for takeover.mjs: says when the work that only one of them may do runs in it.
// Each system as its documentation shows it; what is tuned comes from takeover.systems.mjs.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { sharedNow } from './machine.mjs';

const { kind, redis, group, role, isFirst, settings } = JSON.parse(process.argv[2]);
const running = () => process.send({ id: 'running', at: sharedNow() });

const kinds = {
  /** A singleton, with the defaults. */
  async foundation() {
    await import('reflect-metadata');
    const [{ Module }, { NestFactory }, { FoundationModule, Singleton }] = await Promise.all([
      import('@nestjs/common'),
      import('@nestjs/core'),
      import('nestjs-foundation'),
    ]);
    class Work {
      onProcessStart() {
        running();
      }
    }
    Singleton({ name: 'work' })(Work);
    class Root {}
    const options = { cluster: true, redis, appName: group, nodeName: role, ...settings };
    Module({ imports: [FoundationModule.forRoot(options)], providers: [Work] })(Root);
    await NestFactory.createApplicationContext(Root, { logger: ['error'], abortOnError: false });
    return {};
  },

  /** A job that never ends; a stalled one is processed again. */
  async bullmq() {
    const { Queue, Worker } = await import('bullmq');
    const connection = { url: redis, maxRetriesPerRequest: null };
    let finish;
    const work = () =>
      new Promise((resolve) => {
        finish = resolve;
        running();
      });
    new Worker(group, work, { connection, ...settings }).on('error', () => undefined);
    const queue = new Queue(group, { connection });
    if (isFirst) await queue.add('work', {});
    return {
      // It may stall once (maxStalledCount), so each kill has a job of its own.
      async again() {
        finish?.();
        await queue.add('work', {});
      },
    };
  },

  /** An election in a loop, as people write it: acquire or wait, extend at half the ttl. */
  async redlock() {
    const [{ default: Redlock }, { Redis }] = await Promise.all([import('redlock'), import('ioredis')]);
    const redlock = new Redlock([new Redis(redis)], { retryCount: 0 });
    redlock.on('error', () => undefined);
    void (async () => {
      for (;;) {
        try {
          let lock = await redlock.acquire([`leader:${group}`], settings.ttl);
          running();
          for (;;) {
            await delay(settings.ttl / 2);
            lock = await lock.extend(settings.ttl);
          }
        } catch {
          // Another one leads, or the lock was lost.
        }
        await delay(settings.wait);
      }
    })();
    return {};
  },

  /**
   * A leader election of @nestjs/locks with the store on Redis of its documentation: a lease of `ttl`, renewed and
   * tried for every third of it. Written from that documentation, because the package is not on npm.
   */
  async locks() {
    const { Redis } = await import('ioredis');
    const client = new Redis(redis);
    const [key, owner, { ttl }] = [`locks:${group}`, randomUUID(), settings];
    const renew = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
    void (async () => {
      let leads = false;
      for (;;) {
        if (leads) leads = (await client.eval(renew, 1, key, owner, ttl)) === 1;
        else if ((await client.set(key, owner, 'PX', ttl, 'NX')) === 'OK') {
          leads = true;
          running();
        }
        await delay(ttl / 3);
      }
    })();
    return {};
  },

  /** It has no singleton: how long until the other node is told that this one is gone. */
  async moleculer() {
    const { importFrom } = await import('./packages.mjs');
    const { default: library } = await importFrom('moleculer', 'moleculer');
    const broker = new library.ServiceBroker({
      ...{ nodeID: `${role}-${randomUUID()}`, namespace: group, transporter: redis, logger: false },
      ...settings,
    });
    broker.createService({
      name: 'watch',
      events: { '$node.disconnected': { context: false, handler: running }, '$node.connected': () => undefined },
    });
    await broker.start();
    if (isFirst) running();
    return {};
  },
};

const commands = await kinds[kind]();
process.on('disconnect', () => process.exit());
process.on('message', ({ id, command }) => {
  Promise.resolve(commands[command]?.()).then(
    (result) => process.send({ id, result }),
    (error) => process.send({ id, error: error.stack }),
  );
});
process.send({ id: 0 });
