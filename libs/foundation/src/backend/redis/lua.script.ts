/**
 * One Lua script: sent by its hash, with the text only when Redis does not know it yet.
 * Underneath: ioredis `defineCommand` (EVALSHA, then EVAL on NOSCRIPT).
 */
import type { Redis } from 'ioredis';
import { describe } from '../../errors/describe.js';

type Command = (keyCount: number, ...rest: string[]) => Promise<unknown>;

/** A named script over any number of keys. */
export class Script {
  constructor(
    /** Becomes a method of the client, so it carries the `foundation` prefix. */
    readonly name: `foundation${string}`,
    readonly lua: string,
  ) {}

  /** Runs the script; the reply is whatever Redis sent and must be checked. */
  run(client: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const commands = client as unknown as Record<string, Command | undefined>;
    if (commands[this.name] === undefined) client.defineCommand(this.name, { lua: this.lua });
    const command = commands[this.name] as Command;
    return command.call(client, keys.length, ...keys, ...args.map(String)).catch((error: unknown) => {
      throw this.#named(error);
    });
  }

  /** Of a command in a script that the user may not use, Redis before 7.2 names the line only. */
  #named(error: unknown): unknown {
    const [, line] = /user executing the script.*@user_script:\s*(\d+)/s.exec(describe(error)) ?? [];
    if (line === undefined) return error;
    const [, command] = /redis\.p?call\('(\w+)'/.exec(this.lua.split('\n')[Number(line) - 1] ?? '') ?? [];
    return command === undefined ? error : new Error(`${describe(error)} (the '${command}' command)`, { cause: error });
  }
}

/** Names in one script call: with more, Redis would answer no other client for milliseconds. */
const NAMES_AT_ONCE = 500;

/** Cuts what is for a script into calls of a size that Redis takes beside others. */
export function callsOf<T>(all: readonly T[], size = NAMES_AT_ONCE): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, call) => all.slice(call * size, (call + 1) * size));
}

/** Reads a whole number out of a reply; 0 for anything else. */
export function toNumber(reply: unknown): number {
  const number = Number(reply);
  return Number.isFinite(number) ? number : 0;
}

/** A whole number from 0 to `most` out of what anybody may have written; `otherwise` for anything else. */
export function toCount(value: unknown, most = Number.MAX_SAFE_INTEGER, otherwise = 0): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most ? value : otherwise;
}

/** Reads an array of texts out of a reply; empty for anything else. */
export function toTexts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
