// NATS core: publish and request of JSON, with the official client. Measured where `nats-server` is on the PATH.
import { importFrom } from '../packages.mjs';

export const nats = {
  name: 'nats',
  title: 'NATS, JSON',
  module: import.meta.url,
  broker: 'nats',
  packages: 'nats',

  async receive({ nats: servers, channels }, onMessage) {
    const connection = await open(servers);
    for (const channel of channels) {
      connection.subscribe(channel, { callback: (_error, message) => onMessage(channel, message.json()) });
    }
    await connection.flush();
    return { close: () => connection.close() };
  },

  async send({ nats: servers }) {
    const connection = await open(servers);
    return {
      publish: (channel, message) => connection.publish(channel, JSON.stringify(message)),
      close: () => connection.close(),
    };
  },

  async serve({ nats: servers }) {
    const connection = await open(servers);
    const callback = (_error, message) => message.respond(JSON.stringify(message.json()));
    connection.subscribe('echo', { callback });
    await connection.flush();
    return { close: () => connection.close() };
  },

  async connect({ nats: servers }) {
    const connection = await open(servers);
    return {
      call: async (value) => (await connection.request('echo', JSON.stringify(value), { timeout: 10_000 })).json(),
      close: () => connection.close(),
    };
  },
};

async function open(servers) {
  const { connect } = await importFrom('nats', '@nats-io/transport-node');
  return connect({ servers });
}
