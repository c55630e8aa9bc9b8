/**
 * The proxies of a test cluster: one on the way of each node to Redis, one before the links of each node.
 * Underneath `child_process.fork` of `proxy.program.js`, or proxies in this process for nodes that run in it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { programPath } from './programs.js';
import type { ProxyAnswer, ProxyQuestion } from './proxy.program.js';
import { reap } from './reaper.js';
import type { ProxyMode, RoleFault } from './tcp.proxy.js';

const ANSWER_MS = 10_000;

/** One of them. */
export class Proxy {
  constructor(
    private readonly proxies: Proxies,
    private readonly place: { index: number; port: number },
  ) {}

  get port(): number {
    return this.place.port;
  }

  /** Of all connections. */
  async mode(mode: ProxyMode): Promise<void> {
    await this.proxies.ask('mode', this.place.index, mode);
  }

  /** Of the connections of one role. */
  async break(role: string, fault: RoleFault): Promise<void> {
    await this.proxies.ask('break', this.place.index, role, fault);
  }

  async mend(role: string): Promise<void> {
    await this.proxies.ask('mend', this.place.index, role);
  }
}

/** See the file header. */
export class Proxies {
  #child: ChildProcess | undefined;
  #lastId = 0;
  readonly #pending = new Map<number, (answer: ProxyAnswer) => void>();

  /** `folder` is removed when the test dies without doing so. */
  constructor(private readonly place: { readonly cwd: string; readonly folder: string }) {}

  /** Listens on any free port; `role` names connections by the first group of what it finds in their first bytes. */
  async open(to: { port: number; host?: string }, role?: RegExp): Promise<Proxy> {
    return new Proxy(this, (await this.ask('open', to, role?.source)) as { index: number; port: number });
  }

  /** @internal */
  async ask(verb: ProxyQuestion['verb'], ...args: unknown[]): Promise<unknown> {
    const child = (this.#child ??= this.#start());
    const id = ++this.#lastId;
    const { value, error } = await new Promise<ProxyAnswer>((resolve) => {
      const end = (answer: ProxyAnswer): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => end({ id, error: `no answer in ${ANSWER_MS} ms` }), ANSWER_MS);
      this.#pending.set(id, end);
      child.send(
        { id, verb, args } satisfies ProxyQuestion,
        (failure) => failure && end({ id, error: String(failure) }),
      );
    });
    if (error !== undefined) throw new Error(`The proxies of the test cluster failed: ${error}`);
    return value;
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.ref();
    child.kill('SIGKILL');
    await ended;
  }

  #start(): ChildProcess {
    const child = fork(programPath('proxy.program.js', this.place.cwd), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      env: {},
    });
    if (child.pid !== undefined) reap(child, child.pid, this.place.folder);
    const fail = (error: string): void => {
      for (const [id, end] of this.#pending) end({ id, error });
    };
    child.on('message', (answer: ProxyAnswer) => this.#pending.get(answer.id)?.(answer));
    child.once('error', (error) => fail(String(error)));
    child.once('exit', (code, signal) => fail(`they ended with ${signal ?? code}`));
    child.unref();
    child.channel?.unref();
    return child;
  }
}
