/**
 * One Lua script: sent by its hash, with the text only when Redis does not know it yet.
 * Underneath: ioredis `defineCommand` (EVALSHA, then EVAL on NOSCRIPT).
 */
import type { Redis } from 'ioredis';

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
    return command.call(client, keys.length, ...keys, ...args.map(String));
  }
}

/** Reads a whole number out of a reply; 0 for anything else. */
export function toNumber(reply: unknown): number {
  const number = Number(reply);
  return Number.isFinite(number) ? number : 0;
}

/** Reads an array of texts out of a reply; empty for anything else. */
export function toTexts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
