// One process of a peer, forked by team.mjs and asked over IPC. It loads nothing but its own peer.
import { isDeepStrictEqual } from 'node:util';
import { payloads } from './payloads.mjs';
import { Receiver } from './receiving.mjs';
import { calls, Sender } from './sending.mjs';

const { module, peer: name, part, env } = JSON.parse(process.argv[2]);
const peer = Object.values(await import(module)).find((each) => each.name === name);
const receiver = new Receiver((count) => process.send({ ack: count }));
const opened = await open();
const sender = new Sender(opened, env.receivers.length);

const commands = {
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  rss: () => {
    globalThis.gc();
    return process.memoryUsage().rss / 2 ** 20;
  },
  beginReceiving: (options) => receiver.begin(options),
  finish: (options) => receiver.finish(options),
  beginSending: (options) => sender.begin(options),
  probe: () => opened.publish('events', payloads(100)[0]),
  burst: (options) => sender.burst(options),
  paced: (options) => sender.paced(options),
  mixed: (options) => sender.mixed(options),
  calls: (options) => calls(opened, options),
  checkEcho: async () => {
    const [value] = payloads(1000);
    if (!isDeepStrictEqual(await opened.call(value), value)) throw new Error('The echo is not what was sent');
  },
  close: async () => {
    await opened.close();
    setTimeout(() => process.exit(), 100);
  },
};

process.on('disconnect', () => process.exit());
process.on('message', ({ id, command, options, ack, from }) => {
  if (ack !== undefined) return sender.acknowledged(from, ack);
  Promise.resolve()
    .then(() => commands[command](options))
    .then(
      (result) => process.send({ id, result }),
      (error) => process.send({ id, error: error.stack }),
    );
});
process.send({ ready: true });

function open() {
  return part === 'receive'
    ? peer.receive(env, (channel, message) => receiver.take(channel, message))
    : peer[part](env);
}
