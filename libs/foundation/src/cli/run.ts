/**
 * One run of the command line: words in, exit code out. Called by `main.ts`, and by tests.
 * 0 = all is well, 1 = something is wrong, 2 = the words were not understood.
 */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { parseEnv } from 'node:util';
import { Logger } from '@nestjs/common';
import { missingPackage } from '../backend/create.backend.js';
import { VERSION } from '../cluster/version.js';
import type { FoundationConfig } from '../config/config.js';
import type { Environment } from '../config/environment.js';
import { type Machine, readMachine } from '../config/machine.js';
import { actingAs } from '../context/actor.js';
import { FoundationConfigError } from '../errors/config.errors.js';
import { describe } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { type CommandName, type Invocation, readCommand, usage, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { complaint } from './format.js';
import { observerSettings, settingsOf } from './settings.js';
import { printable, type Terminal } from './terminal.js';

/** Runs a command; never rejects. */
export async function run(argv: readonly string[], env: Environment, terminal: Terminal): Promise<number> {
  // What a command has to say it says itself; the warnings of the connections would come in between.
  Logger.overrideLogger(false);
  let invocation: Invocation;
  try {
    invocation = readCommand(argv);
    env = withFile(env, invocation.envFile);
  } catch (error) {
    terminal.err(describe(error));
    terminal.err('Run foundation --help for usage.');
    return 2;
  }
  try {
    return await carryOut(invocation, env, readMachine(), terminal);
  } catch (thrown) {
    const error = missingPackage(thrown) ?? thrown;
    const code = error instanceof FoundationError ? error.code : undefined;
    if (invocation.json) terminal.out(JSON.stringify({ ok: false, error: { code, message: complaint(error) } }));
    else terminal.err(printable(complaint(error)));
    return error instanceof FoundationConfigError ? 2 : 1;
  }
}

/** What is set wins over the file, as in an application that reads it. */
function withFile(env: Environment, file: string | undefined): Environment {
  if (file === undefined) return env;
  try {
    return { ...parseEnv(readFileSync(file, 'utf8')), ...env };
  } catch (error) {
    throw new UsageError(`--env-file: ${file} cannot be read (${describe(error)}).`);
  }
}

/** Each command is loaded with what it needs only when it is called. */
const COMMAND: Record<Exclude<CommandName, 'doctor'>, () => Promise<Command>> = {
  status: async () => (await import('./commands/status.js')).status,
  top: async () => (await import('./commands/top.js')).top,
  drain: async () => (await import('./commands/drain.js')).drain,
  undrain: async () => (await import('./commands/undrain.js')).undrain,
  wait: async () => (await import('./commands/wait.js')).wait,
  rollout: async () => (await import('./commands/rollout.js')).rollout,
  move: async () => (await import('./commands/move.js')).move,
  restart: async () => (await import('./commands/restart.js')).restart,
  history: async () => (await import('./commands/journal.history.js')).history,
  cron: async () => (await import('./commands/cron.js')).cron,
  forget: async () => (await import('./commands/forget.js')).forget,
};

async function carryOut(
  invocation: Invocation,
  env: Environment,
  machine: Machine,
  terminal: Terminal,
): Promise<number> {
  const { command, json } = invocation;
  switch (command) {
    case 'help':
      for (const line of usage()) terminal.out(line);
      return 0;
    case 'version':
      terminal.out(VERSION);
      return 0;
    case 'doctor':
      // Settings that cannot be are its first finding.
      return (await import('./doctor/doctor.js')).doctor(() => settingsOf(invocation, env, machine), json, terminal);
    default:
      return carriedOut(await COMMAND[command](), observerSettings(invocation, env, machine), invocation, terminal);
  }
}

/** In the name of the user of this machine, for the journal. */
function carriedOut(
  command: Command,
  config: FoundationConfig,
  invocation: Invocation,
  terminal: Terminal,
): Promise<number> {
  const { reason } = invocation;
  return actingAs({ via: 'command-line', name: userName(), reason }, () => command(config, invocation, terminal));
}

function userName(): string | undefined {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return undefined; // The user of a container may have no name.
  }
}
