// Machines of a test: network namespaces on one switch, which is in a namespace, too, and joined to nothing else. What
// is sent there reaches no other machine, and all of it goes with `close()`. Needs root and `ip` of iproute2.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from 'nestjs-foundation/testing';

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
const ip = (...args: string[]): string => run('ip', ...args);
const NETWORK = '10.231.9';
const REDIS_PORT = 6379;
/** The machine that Redis runs on. */
const STORE = 'store';
let count = 0;

export class Lab {
  readonly #tag = `chaos-${process.pid}-${++count}`;
  readonly #addresses = new Map<string, string>();
  #redis: ChildProcess | undefined;

  private constructor(names: readonly string[]) {
    [STORE, ...names].forEach((name, index) => this.#addresses.set(name, `${NETWORK}.${index + 1}`));
  }

  /** Why it cannot be made here; `undefined` when it can. */
  static obstacle(): string | undefined {
    try {
      new Lab(['a']).#make().#remove();
      return undefined;
    } catch (error) {
      return `no network namespaces here: ${reasonOf(error)}`;
    }
  }

  /** Why packets cannot be lost and delayed by `tc netem` here; `undefined` when they can. */
  static netemObstacle(): string | undefined {
    const lab = new Lab(['a']);
    try {
      lab.#make().shape('a', 'delay', '1ms');
      return undefined;
    } catch (error) {
      return `no tc netem here: ${reasonOf(error)}`;
    } finally {
      lab.#remove();
    }
  }

  static async open(names: readonly string[]): Promise<Lab> {
    const lab = new Lab(names).#make();
    try {
      await lab.#startRedis();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** What the nodes connect to. */
  get url(): string {
    return `redis://${this.address(STORE)}:${REDIS_PORT}`;
  }

  address(name: string): string {
    const address = this.#addresses.get(name);
    if (address === undefined) throw new Error(`No machine ${name} in this lab`);
    return address;
  }

  namespace(name: string): string {
    return `${this.#tag}-${name}`;
  }

  /** Pulls the cable of a machine out of the switch: what it sends and is sent is lost, and nobody is told. */
  unplug(name: string): void {
    this.#port(name, 'disabled');
  }

  plug(name: string): void {
    this.#port(name, 'forwarding');
  }

  /** Two machines reach each other no longer; all others still do. */
  part(one: string, other: string): void {
    this.#route('add', one, other);
    this.#route('add', other, one);
  }

  join(one: string, other: string): void {
    this.#route('delete', one, other);
    this.#route('delete', other, one);
  }

  /** What a machine sends goes through `tc netem` with these arguments, such as `loss 1%`. */
  shape(name: string, ...args: string[]): void {
    ip('netns', 'exec', this.namespace(name), 'tc', 'qdisc', 'replace', 'dev', 'eth0', 'root', 'netem', ...args);
  }

  unshape(name: string): void {
    ip('netns', 'exec', this.namespace(name), 'tc', 'qdisc', 'delete', 'dev', 'eth0', 'root');
  }

  async close(): Promise<void> {
    const redis = this.#redis;
    this.#redis = undefined;
    if (redis?.exitCode === null && redis.signalCode === null) {
      const ended = once(redis, 'exit');
      redis.kill('SIGKILL');
      await ended;
    }
    this.#remove();
  }

  #make(): this {
    try {
      const hub = this.namespace('switch');
      ip('netns', 'add', hub);
      ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge', 'forward_delay', '0');
      ip('-n', hub, 'link', 'set', 'bridge', 'up');
      for (const [name, address] of this.#addresses) {
        const own = this.namespace(name);
        ip('netns', 'add', own);
        ip('-n', hub, 'link', 'add', 'name', portOf(name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', own);
        ip('-n', hub, 'link', 'set', 'dev', portOf(name), 'master', 'bridge', 'up');
        ip('-n', own, 'address', 'add', `${address}/24`, 'dev', 'eth0');
        for (const link of ['lo', 'eth0']) ip('-n', own, 'link', 'set', link, 'up');
      }
      return this;
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  async #startRedis(): Promise<void> {
    const binary = process.env['FOUNDATION_TEST_REDIS_SERVER'] || 'redis-server';
    const options = ['--port', String(REDIS_PORT), '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];
    const child = spawn('ip', ['netns', 'exec', this.namespace(STORE), binary, ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#redis = child;
    let output = '';
    child.stdout.on('data', (data) => (output += String(data)));
    await eventually(() => output.includes('Ready to accept'), { what: 'Redis', lastSeen: () => output });
  }

  #port(name: string, state: 'disabled' | 'forwarding'): void {
    const number = state === 'disabled' ? '0' : '3';
    ip('netns', 'exec', this.namespace('switch'), 'bridge', 'link', 'set', 'dev', portOf(name), 'state', number);
  }

  #route(verb: 'add' | 'delete', from: string, to: string): void {
    ip('-n', this.namespace(from), 'route', verb, 'blackhole', `${this.address(to)}/32`);
  }

  #remove(): void {
    for (const name of [...this.#addresses.keys(), 'switch']) {
      try {
        ip('netns', 'delete', this.namespace(name));
      } catch {
        // It was never made.
      }
    }
  }
}

/** The socket of a machine at the switch. */
function portOf(name: string): string {
  return `port-${name}`;
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string };
  return (stderr?.trim() || message).split('\n')[0] ?? '';
}
