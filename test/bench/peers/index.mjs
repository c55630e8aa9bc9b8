// All peers. Each has receive/send for one-way messages and serve/connect for calls; all four return { close() },
// `send` also publish(channel, message) and `connect` also call(value). `env` says where everybody is; see team.mjs.
// `module` is the file that a child process loads, so that it holds nothing but its own peer.
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
