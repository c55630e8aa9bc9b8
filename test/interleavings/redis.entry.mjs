// The server of `redis.mjs`, in a box of its own.
import { createRedisCommandExecutor, createRedisLuaRuntime, RedisServerState, Resp2Server } from 'js-redis-server/core';

let lua;
let state;
let redis;

export async function prepare() {
  lua = await createRedisLuaRuntime();
}

export function open() {
  state = new RedisServerState({ databaseCount: 16 });
  state.luaRuntimePromise = Promise.resolve(lua);
  redis = new Resp2Server({ server: state, executor: createRedisCommandExecutor() });
}

export const accept = (socket) => redis.server.emit('connection', socket);
export const close = () => state.close();
export const flush = () => state.flushAllDatabases();
