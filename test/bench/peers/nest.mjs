// @nestjs/microservices over Redis and TCP: a Nest microservice with handlers, and the ClientProxy that Nest documents.
// Nest never calls setNoDelay, so TCP is measured as it is and with noDelay on both sides.
import { importFrom } from '../packages.mjs';

export const nestRedis = nest('nest-redis', 'Nest Redis', { broker: 'redis' });
export const nestTcp = nest('nest-tcp', 'Nest TCP', {});
export const nestTcpNoDelay = nest('nest-tcp-nodelay', 'Nest TCP, noDelay', { noDelay: true });

function nest(name, title, { broker, noDelay = false }) {
  const transportFor = ({ Transport }, { redis }, port) => {
    if (broker === undefined) return { transport: Transport.TCP, options: { host: '127.0.0.1', port } };
    const { hostname, port: redisPort } = new URL(redis);
    return { transport: Transport.REDIS, options: { host: hostname, port: Number(redisPort) } };
  };

  async function start(env, handlers) {
    const { microservices, common, core } = await load();
    class Handlers {}
    for (const [decorator, pattern, handler] of handlers(microservices)) {
      Object.defineProperty(Handlers.prototype, pattern, { value: handler, configurable: true, writable: true });
      decorator(pattern)(Handlers.prototype, pattern, Object.getOwnPropertyDescriptor(Handlers.prototype, pattern));
    }
    common.Controller()(Handlers);
    class Root {}
    common.Module({ controllers: [Handlers] })(Root);
    const options = { logger: ['error'], ...transportFor(microservices, env, env.port) };
    const app = await core.NestFactory.createMicroservice(Root, options);
    await app.listen();
    if (noDelay) app.unwrap().on('connection', (socket) => socket.setNoDelay(true));
    return { close: () => app.close() };
  }

  async function clientsTo(env, receivers) {
    const { microservices } = await load();
    const clients = receivers.map(({ port }) =>
      microservices.ClientProxyFactory.create(transportFor(microservices, env, port)),
    );
    await Promise.all(clients.map((client) => client.connect()));
    if (noDelay) for (const client of clients) client.unwrap().setNoDelay(true);
    return { clients, close: () => clients.forEach((client) => client.close()) };
  }

  return {
    name,
    title,
    module: import.meta.url,
    broker,
    packages: 'nest',

    receive: (env, onMessage) =>
      start(env, ({ EventPattern }) =>
        env.channels.map((channel) => [EventPattern, channel, (message) => onMessage(channel, message)]),
      ),

    async send(env) {
      // With a broker one client reaches everyone; with TCP there is one for each receiver.
      const { clients, close } = await clientsTo(env, broker === undefined ? env.receivers : env.receivers.slice(0, 1));
      return { publish: (channel, message) => clients.forEach((client) => client.emit(channel, message)), close };
    },

    serve: (env) => start(env, ({ MessagePattern }) => [[MessagePattern, 'echo', (value) => value]]),

    async connect(env) {
      const { firstValueFrom } = await importFrom('nest', 'rxjs');
      const { clients, close } = await clientsTo(env, env.receivers.slice(0, 1));
      return { call: (value) => firstValueFrom(clients[0].send('echo', value)), close };
    },
  };
}

async function load() {
  await importFrom('nest', 'reflect-metadata');
  const names = ['@nestjs/microservices', '@nestjs/common', '@nestjs/core'];
  const [microservices, common, core] = await Promise.all(names.map((name) => importFrom('nest', name)));
  return { microservices, common, core };
}
