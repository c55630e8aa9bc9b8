// The server of `redis.mjs`, in a box of its own.
import { createRedisCommandExecutor, createRedisLuaRuntime, RedisServerState, Resp2Server } from 'js-redis-server/core';

let lua;
let state;
let redis;

export async function prepare() {
  lua = await createRedisLuaRuntime();
}

/** With the data of {@link save}, whose keys have the time to live that they had. */
export function open(saved = []) {
  state = new RedisServerState({ databaseCount: 16 });
  state.luaRuntimePromise = Promise.resolve(lua);
  for (const [index, entries] of saved.entries()) {
    for (const { key, value, expiresAt } of entries) state.getDatabase(index).set(key, value, { expiresAt });
  }
  redis = new Resp2Server({ server: state, executor: createRedisCommandExecutor() });
}

export const accept = (socket) => redis.server.emit('connection', socket);
export const close = () => state.close();
export const flush = () => state.flushAllDatabases();
export const save = () => state.databases.map((database) => database.entriesSnapshot());
