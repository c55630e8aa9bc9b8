/**
 * One run of the command line: words in, exit code out. Called by `main.ts`, and by tests.
 * 0 = all is well, 1 = something is wrong, 2 = the words were not understood.
 */
import { Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import { VERSION } from '../cluster/version.js';
import type { Environment } from '../config/presets.js';
import type { Machine } from '../config/machine.js';
import { FoundationConfigError, describe } from '../errors.js';
import { readCommand, usage, UsageError, type Invocation } from './command.js';
import { doctor } from './doctor.js';
import { settingsOf } from './settings.js';
import type { Terminal } from './terminal.js';

/** Runs a command; never rejects. */
export async function run(argv: readonly string[], env: Environment, terminal: Terminal): Promise<number> {
  // What a command has to say it says itself; the warnings of the connections would come in between.
  Logger.overrideLogger(false);
  const machine: Machine = { host: hostname(), pid: process.pid };
  try {
    return await carryOut(readCommand(argv), env, machine, terminal);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    terminal.err(describe(error));
    if (isUsage) terminal.err('foundation --help says what there is.');
    return isUsage || error instanceof FoundationConfigError ? 2 : 1;
  }
}

async function carryOut(
  invocation: Invocation,
  env: Environment,
  machine: Machine,
  terminal: Terminal,
): Promise<number> {
  const { command, json } = invocation;
  if (command === 'help') {
    for (const line of usage()) terminal.out(line);
    return 0;
  }
  if (command === 'version') {
    terminal.out(VERSION);
    return 0;
  }
  if (command === 'doctor') return doctor(() => settingsOf(invocation, env, machine), json, terminal);
  throw new UsageError(`${command} is not here yet.`);
}
