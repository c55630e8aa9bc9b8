// Two network namespaces that are joined by a cable, and joined to nothing else: what is sent there reaches no other
// machine.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from 'nestjs-foundation/testing';

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
let count = 0;

export interface Machine {
  namespace: string;
  address: string;
}

export class Network {
  readonly here: Machine = machine('a', '10.231.7.1');
  readonly there: Machine = machine('b', '10.231.7.2');
  readonly #children: ChildProcess[] = [];

  /** Why it cannot be made here; `undefined` when it can. */
  static obstacle(): string | undefined {
    try {
      new Network().#make().#remove();
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  static open(): Network {
    return new Network().#make();
  }

  /** A Redis of one of the machines, without a password, on every address of it. */
  async redis({ namespace }: Machine, port: number): Promise<void> {
    const binary = process.env['FOUNDATION_TEST_REDIS_SERVER'] || 'redis-server';
    const options = ['--port', String(port), '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];
    const child = spawn('ip', ['netns', 'exec', namespace, binary, ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    let output = '';
    child.stdout.on('data', (data) => (output += String(data)));
    await eventually(() => output.includes('Ready to accept'), { what: 'Redis', lastSeen: () => output });
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill()) await ended;
    }
    this.#remove();
  }

  #make(): this {
    try {
      const [a, b] = [this.here, this.there];
      for (const { namespace } of [a, b]) ip('netns', 'add', namespace);
      ip(
        ...[
          'link',
          'add',
          'cable',
          'netns',
          a.namespace,
          'type',
          'veth',
          'peer',
          'name',
          'cable',
          'netns',
          b.namespace,
        ],
      );
      for (const { namespace, address } of [a, b]) {
        ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'cable');
        for (const link of ['lo', 'cable']) ip('-n', namespace, 'link', 'set', link, 'up');
        // As a default route would: without any, the system does not know where multicast goes.
        ip('-n', namespace, 'route', 'add', '224.0.0.0/4', 'dev', 'cable');
      }
      return this;
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  #remove(): void {
    for (const { namespace } of [this.here, this.there]) {
      try {
        ip('netns', 'delete', namespace);
      } catch {
        // It was never made.
      }
    }
  }
}

function machine(letter: string, address: string): Machine {
  return { namespace: `foundation-${process.pid}-${++count}-${letter}`, address };
}
