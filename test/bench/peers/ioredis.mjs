// Raw ioredis: PUBLISH and SUBSCRIBE of JSON strings, as an application without any library would do it.
import { Redis } from 'ioredis';

export const ioredis = {
  name: 'ioredis',
  title: 'raw ioredis, JSON',
  module: import.meta.url,
  broker: 'redis',

  async receive({ redis, prefix, channels }, onMessage) {
    const subscriber = new Redis(redis);
    subscriber.on('message', (topic, text) => onMessage(topic.slice(prefix.length), JSON.parse(text)));
    await subscriber.subscribe(...channels.map((channel) => prefix + channel));
    return { close: () => subscriber.quit() };
  },

  async send({ redis, prefix }) {
    const publisher = new Redis(redis);
    return {
      publish: (channel, message) => publisher.publish(prefix + channel, JSON.stringify(message)),
      close: () => publisher.quit(),
    };
  },

  async serve({ redis, prefix }) {
    const [subscriber, publisher] = [new Redis(redis), new Redis(redis)];
    subscriber.on('message', (_topic, text) => {
      const { id, from, value } = JSON.parse(text);
      publisher.publish(from, JSON.stringify({ id, value }));
    });
    await subscriber.subscribe(`${prefix}calls`);
    return { close: () => Promise.all([subscriber.quit(), publisher.quit()]) };
  },

  async connect({ redis, prefix }) {
    const [subscriber, publisher] = [new Redis(redis), new Redis(redis)];
    const from = `${prefix}answers`;
    const pending = new Map();
    let lastId = 0;
    subscriber.on('message', (_topic, text) => {
      const { id, value } = JSON.parse(text);
      pending.get(id)(value);
      pending.delete(id);
    });
    await subscriber.subscribe(from);
    return {
      call: (value) =>
        new Promise((resolve) => {
          const id = ++lastId;
          pending.set(id, resolve);
          publisher.publish(`${prefix}calls`, JSON.stringify({ id, from, value }));
        }),
      close: () => Promise.all([subscriber.quit(), publisher.quit()]),
    };
  },
};
