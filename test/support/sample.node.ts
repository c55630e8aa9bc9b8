// A node of the sample application: the built one, in a process of its own. Only its own pid is ever signalled.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from 'nestjs-foundation/testing';

const MAIN = join(import.meta.dirname, '../../dist/sample-app/src/main.js');
const ENOUGH = { timeout: 30_000 };

/** What came back, whatever the status. */
export interface Answer<T> {
  status: number;
  body: T;
}

/** See the file header. */
export class SampleNode {
  /** What it wrote. */
  output = '';
  readonly #child: ChildProcess;
  #port: number | undefined;

  constructor(
    readonly name: string,
    env: Readonly<Record<string, string>>,
  ) {
    this.#child = fork(MAIN, [], {
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // With DEMO it says where it listens, and ends when this process does.
      env: {
        ...process.env,
        NO_COLOR: '1',
        DEMO: '1',
        HOST: '127.0.0.1',
        PORT: '0',
        ...env,
        FOUNDATION_NODE_NAME: name,
      },
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk) => (this.output += String(chunk)));
    this.#child.on('message', (report: { event: string; port?: number }) => {
      if (report.event === 'listening') this.#port = report.port;
    });
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  listening(): Promise<number> {
    const lastSeen = (): string => this.output.slice(-2000);
    return eventually(() => this.#port, { ...ENOUGH, what: `The start of ${this.name}`, lastSeen });
  }

  async ask<T>(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ): Promise<Answer<T>> {
    const response = await fetch(`http://127.0.0.1:${await this.listening()}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }

  /** Resolves when it has ended. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#child.kill('SIGCONT');
    this.#child.kill(signal);
    await eventually(() => !this.isAlive, { ...ENOUGH, what: `The end of ${this.name}` });
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }
}
