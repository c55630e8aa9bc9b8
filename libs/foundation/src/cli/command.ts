/** What a command of `foundation` is. Implemented in `commands/`, called by `run.ts`. */
import type { FoundationConfig } from '../config/config.js';
import type { Invocation } from './arguments.js';
import type { Terminal } from './terminal.js';

/** Prints what it has done or found, and resolves with the exit code. */
export type Command = (config: FoundationConfig, invocation: Invocation, terminal: Terminal) => Promise<number>;
