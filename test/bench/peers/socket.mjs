// The limit: node:net alone. Frames of length, number and msgpack; noDelay; one write for each turn and socket.
// It has no reconnection, no bounds, no checks: what a library does on top costs something, and this shows how much.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const HOST = '127.0.0.1';
const HEAD = 8;

export const socket = {
  name: 'socket',
  title: 'bare sockets, msgpack (the limit)',
  module: import.meta.url,

  async receive({ port, channels }, onMessage) {
    const { unpack } = await import('msgpackr');
    return listen(port, (number, body) => onMessage(channels[number], unpack(body)));
  },

  async send({ receivers, channels }) {
    const { pack } = await import('msgpackr');
    const links = await Promise.all(receivers.map(({ port }) => dial(port, () => undefined)));
    const numbers = new Map(channels.map((channel, index) => [channel, index]));
    return {
      publish(channel, message) {
        const framed = frame(numbers.get(channel), pack(message));
        for (const link of links) link.write(framed);
      },
      close: () => links.forEach((link) => link.close()),
    };
  },

  async serve({ port }) {
    const { pack, unpack } = await import('msgpackr');
    return listen(port, (number, body, link) => link.write(frame(number, pack(unpack(body)))));
  },

  async connect({ receivers }) {
    const { pack, unpack } = await import('msgpackr');
    const pending = new Map();
    let lastId = 0;
    const link = await dial(receivers[0].port, (id, body) => {
      pending.get(id)(unpack(body));
      pending.delete(id);
    });
    return {
      call: (value) =>
        new Promise((resolve) => {
          lastId = (lastId + 1) >>> 0;
          pending.set(lastId, resolve);
          link.write(frame(lastId, pack(value)));
        }),
      close: () => link.close(),
    };
  },
};

function frame(number, body) {
  const framed = Buffer.allocUnsafe(HEAD + body.length);
  framed.writeUInt32LE(body.length, 0);
  framed.writeUInt32LE(number, 4);
  body.copy(framed, HEAD);
  return framed;
}

async function listen(port, onFrame) {
  const links = new Set();
  const server = createServer((one) => links.add(linkOf(one, onFrame))).listen(port, HOST);
  await once(server, 'listening');
  return {
    close() {
      for (const link of links) link.close();
      server.close();
    },
  };
}

async function dial(port, onFrame) {
  const one = connect(port, HOST);
  await once(one, 'connect');
  return linkOf(one, onFrame);
}

function linkOf(one, onFrame) {
  one.setNoDelay(true);
  let waiting = [];
  let rest;
  const flush = () => {
    one.write(waiting.length === 1 ? waiting[0] : Buffer.concat(waiting));
    waiting = [];
  };
  const link = {
    write(framed) {
      // After all promises of this turn, so that the answers to many calls leave together.
      if (waiting.push(framed) === 1) process.nextTick(flush);
    },
    close: () => one.destroy(),
  };
  one.on('data', (chunk) => {
    const all = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (all.length - at >= HEAD) {
      const end = at + HEAD + all.readUInt32LE(at);
      if (end > all.length) break;
      onFrame(all.readUInt32LE(at + 4), all.subarray(at + HEAD, end), link);
      at = end;
    }
    rest = at === all.length ? undefined : all.subarray(at);
  });
  return link;
}
