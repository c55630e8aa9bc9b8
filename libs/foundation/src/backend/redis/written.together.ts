/**
 * One write for what a node asks Redis at the same moment. Used by `redis.connections.ts`, where beats, renewals and
 * polls share a connection.
 */
import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';

/**
 * Sends the commands of one turn, and of the promises that are settled by then, in one write: Redis answers them in one
 * as well, and this node wakes once for what it asks together. Underneath `stream.cork`.
 */
export function writtenTogether(client: Redis): Redis {
  if (client.isCluster) return client.on('+node', writtenTogether);
  const internals = client as unknown as { stream?: Socket };
  const send = client.sendCommand.bind(client);
  let corked: Socket | undefined;
  client.sendCommand = (...args) => {
    const { stream } = internals;
    if (stream !== undefined && stream !== corked) {
      corked = stream;
      stream.cork();
      // Once all promises of this turn have gone on.
      queueMicrotask(() =>
        process.nextTick(() => {
          if (corked === stream) corked = undefined;
          stream.uncork();
        }),
      );
    }
    return send(...args);
  };
  return client;
}
