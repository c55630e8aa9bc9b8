/**
 * Where the command line writes, and what it may assume of it: how wide it is, and whether it has colours.
 * Made by `main.ts`; the commands get it handed in, so that a test can be one.
 */
import type { Environment } from '../config/environment.js';

/** See the file header. */
export interface Terminal {
  /** A line of the answer. */
  out(line: string): void;
  /** A line about what went wrong. */
  err(line: string): void;
  /** In characters; `undefined` where there is no limit. */
  readonly width?: number | undefined;
  readonly hasColor: boolean;
  /** True where lines can be written over. */
  readonly isInteractive: boolean;
  /** In lines; `undefined` where there is no limit. */
  readonly height?: number | undefined;
  /** Writes these lines over everything that was there before. */
  redraw(lines: readonly string[]): void;
  /** Aborted when the user has had enough. Asking for it keeps Ctrl-C from ending the process at once. */
  stopped(): AbortSignal;
}

/** What a stream such as `process.stdout` says of itself. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/**
 * A terminal over two streams: colours only on a TTY and without `NO_COLOR` (https://no-color.org), a width only on a
 * TTY.
 */
export function terminalOver(output: Output, errors: Output, env: Environment): Terminal {
  // A terminal that does not know its size says 0: that of `script`, or of `docker exec -t`.
  const isInteractive = output.isTTY === true;
  return {
    out: (line) => void output.write(`${line}\n`),
    err: (line) => void errors.write(`${line}\n`),
    get width() {
      return isInteractive ? output.columns || 80 : undefined;
    },
    hasColor: isInteractive && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    isInteractive,
    get height() {
      return isInteractive ? output.rows || 24 : undefined;
    },
    // To the upper left corner, each line up to its end, and nothing below: without the flicker of an empty screen.
    redraw: (lines) => void output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`),
    stopped() {
      const controller = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
      return controller.signal;
    },
  };
}

/** Says how a command ended: as JSON, or as a line, in which names may come from other nodes. */
export function tell(terminal: Terminal, json: boolean, outcome: object, line: string): void {
  terminal.out(json ? JSON.stringify(outcome) : printable(line));
}

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A colour of the sixteen that every terminal has. */
export type Color = keyof typeof CODES;

/** Colours a text where the terminal has colours. */
export function paint({ hasColor }: Pick<Terminal, 'hasColor'>, color: Color | undefined, text: string): string {
  return hasColor && color !== undefined ? `\u001b[${CODES[color]}m${text}\u001b[0m` : text;
}

/**
 * A text of the cluster, fit to be printed: names and errors come from other nodes, and must neither move the cursor
 * nor begin a line.
 */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what must not get through
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ');
}
