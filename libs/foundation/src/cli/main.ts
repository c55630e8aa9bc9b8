#!/usr/bin/env node
/**
 * The program `foundation`: the `bin` of the package.
 */
import 'reflect-metadata';
import { run } from './run.js';
import { terminalOver } from './terminal.js';

// BullMQ and ioredis say to the console what the doctor says in its place.
// eslint-disable-next-line no-console
console.warn = () => undefined;

// The reader has had enough: `foundation status | head -3`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await run(
  process.argv.slice(2),
  process.env,
  terminalOver(process.stdout, process.stderr, process.env),
);
