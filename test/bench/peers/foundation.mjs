// Foundation as an application uses it: broadcast() and subscribe(), ref.call() of a @Callable method of a @Singleton.
// Imported as `foundation.mjs?against=FOLDER` it is the library that was built in that clone, as one more peer, with
// the Nest and the clients of that clone: old and new take turns in one run.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const OWNER = 'receiver1';
const against = new URL(import.meta.url).searchParams.get('against') ?? undefined;

const { Module, NestFactory, library } = await load();
const { Callable, Channels, FoundationModule, ProcessManager, resolve, Singleton } = library;

class Echo {
  echo(value) {
    return value;
  }
}
Callable()(Echo.prototype, 'echo', Object.getOwnPropertyDescriptor(Echo.prototype, 'echo'));
// Only the other process may own it, so that every call is a remote one.
Singleton({ name: 'echo', placement: { strategy: 'spread', labels: { node: OWNER } } })(Echo);

export const foundationRedis = foundation('foundation-redis', 'Foundation over Redis', {});
export const foundationDirect = foundation('foundation-direct', 'Foundation, direct', {
  transport: 'direct',
  security: { cookie: 'a cookie that is long enough for a benchmark' },
});

async function load() {
  const from = join(against ?? join(import.meta.dirname, '../../..'), 'libs/foundation/package.json');
  const built = join(from, '../dist/index.js');
  if (!existsSync(built))
    throw new Error(`There is no built library at ${built}: run npm ci and npm run build:lib there`);
  const require = createRequire(from);
  const [, { Module }, { NestFactory }, library] = await Promise.all(
    ['reflect-metadata', '@nestjs/common', '@nestjs/core', built].map(
      (name) => import(pathToFileURL(require.resolve(name)).href),
    ),
  );
  return { Module, NestFactory, library };
}

function foundation(kind, kindTitle, options) {
  const name = against === undefined ? kind : `${kind}-other`;
  const title = against === undefined ? kindTitle : `${kindTitle} (other)`;
  const optionsFor = ({ redis, prefix, role }) => ({
    ...{ cluster: true, redis, appName: prefix.replace(/\W/g, '-'), nodeName: role, labels: { node: role } },
    ...options,
  });

  async function start(env, providers) {
    class Root {}
    Module({ imports: [FoundationModule.forRoot(optionsFor(env))], providers })(Root);
    const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
    return app.enableShutdownHooks();
  }

  return {
    name,
    title,
    module: import.meta.url,
    broker: 'redis',

    /** Why this version of Foundation cannot do it, if it cannot. */
    refusal() {
      try {
        resolve(
          optionsFor({ redis: 'redis://127.0.0.1:6379', prefix: 'bench', role: OWNER }),
          {},
          { host: 'h', pid: 1 },
        );
        return undefined;
      } catch (error) {
        return error.message.split('\n')[0];
      }
    },

    async receive(env, onMessage) {
      const app = await start(env, []);
      const channels = app.get(Channels);
      for (const channel of env.channels) await channels.subscribe(channel, (message) => onMessage(channel, message));
      return { close: () => app.close() };
    },

    async send(env) {
      const app = await start(env, []);
      const channels = app.get(Channels);
      return { publish: (channel, message) => channels.broadcast(channel, message), close: () => app.close() };
    },

    async serve(env) {
      const app = await start(env, [Echo]);
      return { close: () => app.close() };
    },

    async connect(env) {
      const app = await start(env, [Echo]);
      const manager = app.get(ProcessManager);
      const ref = await found(manager);
      if (ref.node !== OWNER) throw new Error(`The echo runs on ${ref.node}: the calls would not be remote`);
      return { call: (value) => ref.call('echo', value), close: () => app.close() };
    },
  };
}

async function found(manager) {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
    const ref = await manager.lookupSingleton(Echo);
    if (ref !== undefined) return ref;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Nobody owns the echo after 30 s');
}
