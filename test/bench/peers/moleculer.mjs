// moleculer 0.14 over Redis and TCP, with its defaults: broadcast() to event handlers, call() of an action.
import { importFrom } from '../packages.mjs';

export const moleculerRedis = moleculer('moleculer-redis', 'moleculer 0.14 Redis', 'redis');
export const moleculerTcp = moleculer('moleculer-tcp', 'moleculer 0.14 TCP', undefined);

function moleculer(name, title, broker) {
  async function start(env, service) {
    const { default: library } = await importFrom('moleculer', 'moleculer');
    const urls = env.nodes.map(({ role, port }) => `tcp://127.0.0.1:${port}/${role}`);
    const tcp = { type: 'TCP', options: { udpDiscovery: false, port: env.port, urls } };
    const node = new library.ServiceBroker({
      nodeID: env.role,
      namespace: env.prefix.replace(/\W/g, '-'),
      transporter: broker === 'redis' ? env.redis : tcp,
      logger: false,
    });
    if (service !== undefined) node.createService({ name: 'bench', ...service });
    await node.start();
    return node;
  }

  return {
    name,
    title,
    module: import.meta.url,
    broker,
    packages: 'moleculer',

    async receive(env, onMessage) {
      // moleculer reads the name of the parameter: only with `ctx` does it hand over a context.
      const handlers = env.channels.map((channel) => [`bench.${channel}`, (ctx) => onMessage(channel, ctx.params)]);
      const node = await start(env, { events: Object.fromEntries(handlers) });
      return { close: () => node.stop() };
    },

    async send(env) {
      const node = await start(env);
      return {
        publish: (channel, message) => node.broadcast(`bench.${channel}`, message),
        close: () => node.stop(),
      };
    },

    async serve(env) {
      const node = await start(env, { actions: { echo: (ctx) => ctx.params } });
      return { close: () => node.stop() };
    },

    async connect(env) {
      const node = await start(env);
      await node.waitForServices('bench', 30_000);
      return { call: (value) => node.call('bench.echo', value), close: () => node.stop() };
    },
  };
}
