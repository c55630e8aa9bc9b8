// Children that answer over IPC, `{ id, command, options }` → `{ id, result | error }`, and figures of a Redis.
import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * A child that has said `{ id: 0 }`; `ask(command, options)` rejects when it ends meanwhile. `onMessage` hears all
 * that it says, from the beginning.
 */
export async function startAsked(file, what, { execArgv = [], name = file, onMessage } = {}) {
  const child = fork(file, [JSON.stringify(what)], {
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv,
    env: { ...process.env, NO_COLOR: '1', NODE_ENV: 'production' },
  });
  const pending = new Map();
  let lastId = 0;
  const exited = once(child, 'exit').then(([code, signal]) => {
    const error = new Error(`${name} ended with ${signal ?? code}`);
    for (const { reject } of pending.values()) reject(error);
    return error;
  });
  if (onMessage !== undefined) child.on('message', onMessage);
  const ready = new Promise((resolve) => {
    child.on('message', ({ id, result, error }) => {
      if (id === 0) return resolve();
      const waits = pending.get(id);
      if (waits === undefined) return undefined;
      pending.delete(id);
      return error === undefined ? waits.resolve(result) : waits.reject(new Error(`${name}: ${error}`));
    });
  });
  const failed = await Promise.race([ready, exited]);
  if (failed) throw failed;
  const ask = (command, options) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      pending.set(id, { resolve, reject });
      child.send({ id, command, options }, (error) => error && reject(error));
    });
  return { child, exited, ask };
}

/** Bytes that Redis read and wrote, and commands that it ran, those of scripts included. */
export async function trafficOf(redis) {
  const info = await redis.cli('INFO', 'stats');
  const figure = (key) => Number(new RegExp(`${key}:(\\d+)`).exec(info)?.[1]);
  return {
    in: figure('total_net_input_bytes'),
    out: figure('total_net_output_bytes'),
    commands: figure('total_commands_processed'),
  };
}

export function difference(after, before) {
  return Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
}
