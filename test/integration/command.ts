// Runs the command line inside the test process, on a terminal that remembers what was written.
import { run } from '../../libs/foundation/src/cli/run.js';
import { terminalOver } from '../../libs/foundation/src/cli/terminal.js';
import { requireNoLeak } from '../support/secrets.js';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** `tty`: how wide a terminal to be; without it the output is a pipe. `stop`: when `top` has to end. */
export async function command(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { tty, stop, wrote }: { tty?: number; stop?: AbortSignal; wrote?: (out: string) => void } = {},
): Promise<Ran> {
  const ran = { code: -1, out: '', err: '' };
  const output = {
    write: (text: string) => {
      ran.out += text;
      wrote?.(ran.out);
    },
    ...(tty === undefined ? {} : { isTTY: true, columns: tty, rows: 50 }),
  };
  const terminal = terminalOver(output, { write: (text) => (ran.err += text) }, env);
  const stopped = stop === undefined ? terminal.stopped.bind(terminal) : () => stop;
  ran.code = await run(argv, env, Object.create(terminal, { stopped: { value: stopped } }) as typeof terminal);
  requireNoLeak([ran.out, ran.err], `foundation ${argv.join(' ')}`);
  return ran;
}
