// All peers. Each has receive/send for one-way messages and serve/connect for calls; all four return { close() },
// `send` also publish(channel, message) and `connect` also call(value). `env` says where everybody is; see team.mjs.
// `module` is the file that a child process loads, so that it holds nothing but its own peer.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { foundationDirect, foundationRedis } from './foundation.mjs';
import { ioredis } from './ioredis.mjs';
import { moleculerRedis, moleculerTcp } from './moleculer.mjs';
import { nats } from './nats.mjs';
import { nestRedis, nestTcp, nestTcpNoDelay } from './nest.mjs';
import { socket } from './socket.mjs';

export const PEERS = [
  socket,
  nats,
  ioredis,
  nestRedis,
  nestTcp,
  nestTcpNoDelay,
  moleculerRedis,
  moleculerTcp,
  foundationRedis,
  foundationDirect,
];

/** The library of another clone, as peers beside the one of this clone. */
export async function peersOf(folder) {
  const other = pathToFileURL(join(import.meta.dirname, 'foundation.mjs'));
  other.searchParams.set('against', resolve(folder));
  const { foundationRedis: redis, foundationDirect: direct } = await import(other.href);
  return [redis, direct];
}
