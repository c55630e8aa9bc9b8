/**
 * A Redis for a test: a server of its own on a free port of 127.0.0.1, a real one or the embedded one, that ends with
 * the test; or one that runs already.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { givenOptions } from '../../foreign/given.options.js';
import { INSTALL_EMBEDDED } from '../../locator/embedded.redis.js';
import { freePort } from './free.port.js';
import { programPath } from './programs.js';
import { reap } from './reaper.js';
import { type RedisPlace, render, type Reply, sendCommand } from './redis.command.js';

const HOST = '127.0.0.1';
const START_MS = 15_000;
const STOP_MS = 2000;
const POLL_MS = 10;
const PORT_TRIES = 5;
const KNOWN = ['server', 'args', 'password', 'port', 'config', 'cwd'] as const;

/** Options of {@link TestRedis.start}. */
export interface TestRedisOptions {
  /**
   * The program, or `embedded` for the package `js-redis-server`, which is an imitation. Default: what
   * `FOUNDATION_TEST_REDIS_SERVER` names, `redis-server` or `valkey-server` on the `PATH`, else the embedded one.
   */
  server?: string;
  /** Added to its command line, and stronger than the defaults: `['--appendonly', 'yes']`. Not for the embedded one. */
  args?: readonly string[];
  /** Becomes `--requirepass`, and part of `url`. Not for the embedded one. */
  password?: string;
  /** Default: any free one. */
  port?: number;
  /** The text of a configuration file, in place of all defaults but `bind`, `port` and `dir`. */
  config?: string;
  /** Where `js-redis-server` is looked for. Default: the working directory. */
  cwd?: string;
}

/**
 * A Redis server of a test. It keeps nothing on disk, and is ended with its folder when the test process ends, however
 * that ends.
 *
 * ```ts
 * await using redis = await TestRedis.start();
 * const app = await NestFactory.create(AppModule.with(redis.url));
 * ```
 */
export class TestRedis implements AsyncDisposable {
  /** Its working directory, with its log. */
  readonly folder = mkdtempSync(join(tmpdir(), 'foundation-redis-'));
  /** True for `js-redis-server`, which is not real Redis. */
  readonly isEmbedded: boolean;
  #port: number;
  #child: ChildProcess | undefined;

  private constructor(
    private readonly server: string,
    private readonly options: TestRedisOptions,
  ) {
    this.#port = options.port ?? 0;
    this.isEmbedded = server === 'embedded';
  }

  /**
   * Starts one and resolves when it answers.
   *
   * Underneath: `child_process.spawn` of `redis-server --port … --save '' --appendonly no`, then PING until PONG.
   *
   * @throws Error when there is none, with what to install; or with its log when it does not answer in 15 seconds.
   */
  static async start(options: TestRedisOptions = {}): Promise<TestRedis> {
    const server = findServer(givenOptions<TestRedisOptions>('TestRedis.start', options, KNOWN));
    if (server === undefined) throw new Error(NO_SERVER);
    if (
      server === 'embedded' &&
      (options.args?.length || options.password !== undefined || options.config !== undefined)
    ) {
      throw new Error('The embedded Redis takes no args, password or config: this test needs a real redis-server');
    }
    const redis = new TestRedis(server, options);
    try {
      await redis.#start();
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  /** What applications connect to. */
  get url(): string {
    const { password } = this.options;
    return `redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}${HOST}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Of the server that runs now: it changes with {@link restart}. @throws Error while none runs. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('This Redis is not running');
    return this.#child.pid;
  }

  /** Sends one command over a connection of its own. @throws Error with what Redis says. */
  command(...words: string[]): Promise<Reply> {
    return sendCommand(this.#place, words);
  }

  /** The same, with the reply as `redis-cli --raw` prints it. */
  async cli(...words: string[]): Promise<string> {
    return render(await this.command(...words));
  }

  /** SIGSTOP: connections stay open and nothing answers, as when a machine hangs. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** SIGCONT: what was sent meanwhile is carried out. */
  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Sends the signal, SIGKILL by default, and waits for the end where the signal asks for one. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT'].includes(signal) ? once(child, 'exit') : undefined;
    if (ended !== undefined) child.ref();
    child.kill(signal);
    await ended;
  }

  /** On the same port and in the same folder, whether it runs or was killed; empty without `--appendonly yes`. */
  async restart(options: { delayMs?: number } = {}): Promise<void> {
    const { delayMs = 0 } = givenOptions<typeof options>('TestRedis.restart', options, ['delayMs']);
    await this.#end();
    await delay(delayMs);
    await this.#start();
  }

  /** Ends it and removes its folder; done twice, nothing more happens. */
  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #place(): RedisPlace {
    const { password } = this.options;
    return { port: this.#port, ...(password === undefined ? {} : { password }) };
  }

  async #start(): Promise<void> {
    const fixed = this.#port !== 0;
    const deadline = performance.now() + START_MS;
    let conflict: unknown;
    for (let tries = 1; ; tries++) {
      if (!fixed) this.#port = await freePort();
      try {
        return await this.#launch(deadline);
      } catch (error) {
        // Between finding a port and binding it another process may take it; a fixed one may still be closing.
        const taken = /address already in use|EADDRINUSE|port-taken/i.test(String(error));
        if (!taken || performance.now() > deadline) throw conflict ?? error;
        if (!fixed && tries >= PORT_TRIES) throw error;
        conflict = error;
        await delay(POLL_MS);
      }
    }
  }

  async #launch(deadline: number): Promise<void> {
    const log = join(this.folder, 'server.log');
    const output = openSync(log, 'w');
    const [command, args] = this.#commandLine();
    // A group of its own: Ctrl-C in the terminal must not end Redis before the nodes have left.
    const detached = process.platform !== 'win32'; // where it would have a window of its own
    const child = spawn(command, args, { cwd: this.folder, detached, stdio: ['ignore', output, output] });
    closeSync(output);
    this.#child = child;
    let ended: string | undefined;
    child.once('error', (error) => (ended = error.message));
    child.once('exit', (code, signal) => (ended ??= `it ended with ${signal ?? code}`));
    child.once('exit', () => this.#child === child && (this.#child = undefined));
    // The test does not wait for it; the reaper ends what a test forgets.
    child.unref();
    if (child.pid !== undefined) reap(child, child.pid, this.folder);
    else this.#child = undefined;
    let last = 'no answer';
    while (ended === undefined && performance.now() < deadline) {
      last = await this.#probe(child).catch(String);
      if (last === 'PONG') return;
      await delay(POLL_MS);
    }
    const why = ended ?? `no PONG in ${START_MS} ms: ${last}`;
    if (ended === undefined) await this.kill();
    throw new Error(`${[command, ...args].join(' ')}: ${why}\n${readFileSync(log, 'utf8').slice(-2000)}`);
  }

  /** A PONG may come from another server on the same port, so the answer must also name our pid. */
  async #probe(child: ChildProcess): Promise<string> {
    const pong = String(await sendCommand(this.#place, ['PING'], 500));
    if (this.isEmbedded || pong !== 'PONG') return pong;
    const info = String(await sendCommand(this.#place, ['INFO', 'server'], 500));
    const pid = /process_id:(\d+)/.exec(info)?.[1];
    return pid === String(child.pid) ? pong : `port ${this.#port} is answered by process ${pid}`;
  }

  #commandLine(): [string, string[]] {
    const { password, args = [], config, cwd = process.cwd() } = this.options;
    const port = String(this.#port);
    if (this.isEmbedded)
      return [process.execPath, [programPath('../../locator/embedded.server.js', cwd), HOST, port, 'stay']];
    if (config !== undefined) {
      // A sentinel rewrites its own file.
      const file = join(this.folder, 'redis.conf');
      writeFileSync(file, [`bind ${HOST}`, `port ${port}`, `dir ${this.folder}`, config, ''].join('\n'));
      return [this.server, [file, ...args]];
    }
    const own = ['--bind', HOST, '--port', port, '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    return [this.server, [...own, ...(password === undefined ? [] : ['--requirepass', password]), ...args]];
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.ref();
    child.kill('SIGCONT'); // a frozen process would not hear the next one
    child.kill('SIGTERM');
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(impatience);
  }
}

const NO_SERVER =
  'A test cluster needs a Redis, and there is none: no redis-server or valkey-server on the PATH, no ' +
  'FOUNDATION_REDIS_URL, and the package js-redis-server is not installed. Nothing was started. Run: apt-get install ' +
  `redis-server, brew install redis, or ${INSTALL_EMBEDDED}; or name one: FOUNDATION_REDIS_URL=redis://127.0.0.1:6379`;

/** The program of a real Redis that is named or on the `PATH`. */
export function realServer(): string | undefined {
  return process.env['FOUNDATION_TEST_REDIS_SERVER'] || (onPath('redis-server') ?? onPath('valkey-server'));
}

function findServer({ server, cwd = process.cwd() }: TestRedisOptions): string | undefined {
  return server ?? realServer() ?? (hasEmbedded(cwd) ? 'embedded' : undefined);
}

function hasEmbedded(cwd: string): boolean {
  try {
    return createRequire(join(cwd, 'package.json')).resolve('js-redis-server') !== '';
  } catch {
    return false;
  }
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => resolve(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
