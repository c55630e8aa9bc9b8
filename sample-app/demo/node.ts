/**
 * One node of the demo: the built sample application in a process of its own, which reports over IPC.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Status } from '../src/status.controller.js';
import type { Report } from './report.js';
import { monotonicMs } from './until.js';

const APPLICATION = fileURLToPath(new URL('../src/main.js', import.meta.url));
const STOP_MS = 15_000;
const STATUS_MS = 1000;
const LOG_LINES = 30;

/** What the demo wants to hear of a node. */
export interface NodeListener {
  reported(node: DemoNode, report: Report): void;
  /** It ended, and nobody had asked it to; `log` is what it wrote last. */
  died(node: DemoNode, how: string, log: string): void;
}

/** One process of a node, and whether it has been asked to end. */
interface Life {
  child: ChildProcess;
  ending: boolean;
}

/** See the file header. Started, it can be started again under the same name once it has ended. */
export class DemoNode {
  /** Where its HTTP listens, once it does. */
  port: number | undefined;
  /** Its last answer to `GET /status`. */
  status: Status | undefined;
  #life: Life | undefined;

  constructor(
    readonly name: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly listener: NodeListener,
  ) {}

  get pid(): number | undefined {
    return this.#life?.child.pid;
  }

  start(): void {
    const child = fork(APPLICATION, [], {
      env: { ...process.env, ...this.env, DEMO: '1', HOST: '127.0.0.1', PORT: '0', FOUNDATION_NODE_NAME: this.name },
      execArgv: [],
      // A group of its own: Ctrl-C in the terminal must reach the demo only, which then stops the nodes before Redis.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const life: Life = { child, ending: false };
    this.#life = life;
    const log: string[] = [];
    for (const input of [child.stdout, child.stderr]) {
      if (input === null) continue;
      createInterface({ input }).on('line', (line) => log.push(line) > LOG_LINES && log.shift());
    }
    child.on('message', (message) => this.#heard(message as Report));
    child.once('exit', () => {
      this.#life = this.port = this.status = undefined;
      this.listener.reported(this, { at: monotonicMs(), event: 'exit' });
    });
    // Later than `exit`: by then its output has been read to the end.
    child.once('close', (code, signal) => {
      if (!life.ending) this.listener.died(this, String(signal ?? code), log.join('\n'));
    });
  }

  /** SIGKILL, as if the machine had died; resolves, once it is dead, to when the signal was sent. */
  async kill(): Promise<number> {
    const at = monotonicMs();
    await this.#end('SIGKILL');
    return at;
  }

  /** SIGTERM, as every orchestrator sends it; resolves to false when only SIGKILL ended it. */
  async stop(): Promise<boolean> {
    let inTime = true;
    const life = this.#life;
    const impatience = setTimeout(() => {
      inTime = false;
      life?.child.kill('SIGKILL');
    }, STOP_MS);
    await this.#end('SIGTERM');
    clearTimeout(impatience);
    return inTime;
  }

  /** For the last moment of the demo's own process; waits for nothing. */
  killNow(): void {
    this.#life?.child.kill('SIGKILL');
  }

  /** Asks it for its view. */
  async look(): Promise<void> {
    const { port } = this;
    if (port === undefined) return;
    try {
      const response = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(STATUS_MS) });
      const status = response.ok ? ((await response.json()) as Status) : undefined;
      if (this.port === port) this.status = status;
    } catch {
      if (this.port === port) this.status = undefined;
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    life.ending = true;
    const ended = once(life.child, 'exit');
    life.child.kill(signal);
    await ended;
  }

  #heard(report: Report): void {
    if (report.event === 'listening') this.port = Number(report['port']);
    this.listener.reported(this, report);
  }
}
