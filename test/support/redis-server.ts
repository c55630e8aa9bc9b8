// A real Redis of the test's own: the binary that test/run.mjs found, on a free port, with an empty folder.
// It is stopped by its pid only, and a reaper stops it when the test process dies without doing so.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { aclRule } from 'nestjs-foundation/testing';
import { freePort } from './free-port.js';
import { reap } from './reaper.js';
import { REDIS_PASSWORD, USER_PASSWORD } from './secrets.js';

const HOST = '127.0.0.1';
const START_MS = 10_000;
const STOP_MS = 2_000;
const POLL_MS = 10;
const PORT_TRIES = 5;

export interface RedisServerOptions {
  /** Added to the command line and therefore stronger than the defaults, e.g. `['--appendonly', 'yes']`. */
  args?: readonly string[];
  /**
   * Becomes `--requirepass`, and part of `url`. Inside Jest there is one by default, so that each run can show that it
   * leaks.
   */
  password?: string;
  /**
   * Applications under test, which take `url`, get a user that may do what docs/guides/security.md says a node needs,
   * and no more.
   */
  minimal?: boolean;
  /** A fixed port, for a server that others were told about before it starts. */
  port?: number;
  /** The directives of a sentinel, which is what it becomes; it has no other settings. */
  sentinel?: readonly string[];
}

export interface RedisServer {
  /** What applications under test connect to. */
  readonly url: string;
  /** For the clients of the tests themselves, which may do everything. */
  readonly adminUrl: string;
  /** The URL of what passes everything on to this server. */
  urlAt(port: number): string;
  readonly port: number;
  /** Of the server that runs now: it changes with `restart()`. */
  readonly pid: number;
  /** True for js-redis-server, which is not real Redis and takes no `args`. */
  readonly embedded: boolean;
  /** Its working folder, with its log and what it persists; removed by `stop()`. */
  readonly folder: string;
  stop(): Promise<void>;
  /** Sends the signal, SIGKILL by default, and waits for the end where the signal asks for one. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** On the same port and folder, whether it runs or was killed. The data survives only with `--appendonly yes`. */
  restart(options?: { delayMs?: number }): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, which is what a stalled or cut-off server looks like. */
  pause(): void;
  resume(): void;
  /** One command over a connection of its own; the reply as `redis-cli --raw` prints it, an error reply as a throw. */
  cli(command: string, ...args: string[]): Promise<string>;
}

/**
 * A Redis for a test that wants nothing special of it: one server, or the topology that `FOUNDATION_TEST_TOPOLOGY`
 * names (`cluster`, `sentinel`), so that the same specs run on each.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const topology = process.env['FOUNDATION_TEST_TOPOLOGY'];
  if (!topology || Object.keys(options).length > 0) return startServer({ ...defaults(), ...options });
  const { startTopology } = await import('./redis-topology.js');
  return startTopology(topology);
}

/** The user of applications under test. */
const NODE_USER = 'node';
/** The benchmarks have no password, and the embedded Redis knows none. */
function defaults(): RedisServerOptions {
  const hasPassword =
    process.env['JEST_WORKER_ID'] !== undefined && process.env['FOUNDATION_TEST_REDIS_SERVER'] !== 'embedded';
  return hasPassword ? { password: REDIS_PASSWORD, minimal: true } : {};
}

/** Underneath: child_process.spawn of `redis-server --port … --save '' --appendonly no`, then PING until PONG. */
export async function startServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = new Server(options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server implements RedisServer {
  readonly embedded: boolean;
  readonly folder = mkdtempSync(join(tmpdir(), 'foundation-redis-'));
  port: number;
  private readonly binary = process.env['FOUNDATION_TEST_REDIS_SERVER'] || 'redis-server';
  private readonly log = join(this.folder, 'server.log');
  private child?: ChildProcess;

  constructor(private readonly options: RedisServerOptions) {
    this.port = options.port ?? 0;
    this.embedded = this.binary === 'embedded';
  }

  get url(): string {
    return this.urlAt(this.port);
  }

  urlAt(port: number): string {
    return this.options.minimal ? urlOf(port, NODE_USER, USER_PASSWORD) : urlOf(port, '', this.options.password);
  }

  get adminUrl(): string {
    return urlOf(this.port, '', this.options.password);
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error('This Redis is not running');
    return this.child.pid;
  }

  async start(): Promise<void> {
    if (this.embedded && (this.options.args?.length || this.options.password)) {
      throw new Error('The embedded Redis takes no options: this test needs a real redis-server');
    }
    const fixed = this.port !== 0;
    const deadline = performance.now() + START_MS;
    let conflict: unknown;
    for (let tries = 1; ; tries++) {
      if (!fixed) this.port = await freePort();
      try {
        return await this.launch(deadline);
      } catch (error) {
        // Between finding a port and binding it another process may take it; a fixed one may still be closing.
        const taken = /address already in use|EADDRINUSE/i.test(String(error));
        if (!taken) throw conflict ?? error;
        if (!fixed && tries >= PORT_TRIES) throw error;
        conflict = error;
        await delay(POLL_MS);
      }
    }
  }

  async stop(): Promise<void> {
    const refusals = this.options.minimal ? await this.refusals().catch(() => []) : [];
    await this.terminate();
    rmSync(this.folder, { recursive: true, force: true });
    if (refusals.length > 0)
      throw new Error(`An application needs what the rule does not give it: ${refusals.join(', ')}`);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (!child) return;
    const ended = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT'].includes(signal) ? once(child, 'exit') : undefined;
    child.kill(signal);
    await ended;
  }

  async restart({ delayMs = 0 }: { delayMs?: number } = {}): Promise<void> {
    await this.terminate();
    await delay(delayMs);
    await this.start();
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  cli(command: string, ...args: string[]): Promise<string> {
    return this.ask(5_000, command, ...args);
  }

  private async terminate(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT'); // a paused process would not hear the next one
    child.kill('SIGTERM');
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(impatience);
  }

  private async launch(deadline: number): Promise<void> {
    const output = openSync(this.log, 'w');
    const [command, args] = this.commandLine();
    const child = spawn(command, args, { cwd: this.folder, stdio: ['ignore', output, output] });
    closeSync(output);
    this.child = child;
    let ended: string | undefined;
    child.once('error', (error) => (ended = `${error.message}. Is it installed? npm test finds or installs one`));
    child.once('exit', (code, signal) => (ended ??= `it ended with ${signal ?? code}`));
    child.once('exit', () => this.child === child && (this.child = undefined));
    if (child.pid) reap(child, child.pid, this.folder);
    else this.child = undefined;

    let last = 'no answer';
    while (ended === undefined && performance.now() < deadline) {
      last = await this.probe(child).catch(String);
      if (last === 'PONG') return;
      await delay(POLL_MS);
    }
    const why = ended ?? `no PONG in ${START_MS} ms: ${last}`;
    if (ended === undefined) await this.kill();
    throw new Error(`${[command, ...args].join(' ')}: ${why}\n${readFileSync(this.log, 'utf8').slice(-2_000)}`);
  }

  private commandLine(): [string, string[]] {
    if (this.embedded) {
      const cli = join(dirname(createRequire(import.meta.url).resolve('js-redis-server')), 'cli.js');
      return [process.execPath, [cli, '--port', String(this.port)]];
    }
    const { password, minimal, args = [], sentinel } = this.options;
    if (sentinel) {
      // A sentinel rewrites its own file.
      const file = join(this.folder, 'sentinel.conf');
      writeFileSync(file, [`bind ${HOST}`, `port ${this.port}`, `dir ${this.folder}`, ...sentinel, ''].join('\n'));
      return [this.binary, [file, '--sentinel']];
    }
    const own = ['--bind', HOST, '--port', String(this.port), '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    // Of every application: the tests of a file share a server. docs/guides/security.md has the rule of one.
    const rule = aclRule('*', { isCluster: args.includes('--cluster-enabled') });
    const user = minimal ? ['--user', NODE_USER, 'on', `#${sha256(USER_PASSWORD)}`, ...rule] : [];
    return [this.binary, [...own, ...(password ? ['--requirepass', password] : []), ...user, ...args]];
  }

  /** What the user of the applications was not allowed, whether or not anybody noticed. */
  private async refusals(): Promise<string[]> {
    const entries = JSON.parse(await this.ask(500, 'EVAL', REFUSALS, '0', NODE_USER)) as string[];
    // ioredis tells its name and goes on without: 7.0 does not know the command, so no rule for all versions can allow
    // it.
    return [...new Set(entries)].filter((entry) => !/^command client\|setinfo/i.test(entry));
  }

  // A PONG may come from somebody else's server on the same port, so the answer must also name our pid.
  private async probe(child: ChildProcess): Promise<string> {
    const pong = await this.ask(500, 'PING');
    if (this.embedded || pong !== 'PONG') return pong;
    const pid = /process_id:(\d+)/.exec(await this.ask(500, 'INFO', 'server'))?.[1];
    return pid === String(child.pid) ? pong : `port ${this.port} is answered by process ${pid}`;
  }

  private async ask(timeout: number, command: string, ...args: string[]): Promise<string> {
    const client = new Redis({
      ...{ host: HOST, port: this.port, password: this.options.password, lazyConnect: true, enableReadyCheck: false },
      ...{ connectTimeout: timeout, commandTimeout: timeout, maxRetriesPerRequest: 0, retryStrategy: () => null },
    });
    client.on('error', () => undefined); // the rejection says it all
    try {
      await client.connect();
      return render(await client.call(command, ...args));
    } finally {
      if (client.status !== 'end') client.disconnect(); // else it would keep a timer for two seconds
    }
  }
}

/** ARGV user → what ACL LOG has of it, but for failed logins. */
const REFUSALS = `
local found = {}
for _, entry in ipairs(redis.call('ACL', 'LOG')) do
  local is = {}
  for at = 1, #entry, 2 do is[entry[at]] = entry[at + 1] end
  if is.username == ARGV[1] and is.reason ~= 'auth' then found[#found + 1] = is.reason .. ' ' .. is.object end
end
return cjson.encode(found)
`;

function urlOf(port: number, user: string, password: string | undefined): string {
  return `redis://${loginOf(user, password)}${HOST}:${port}`;
}

function loginOf(user: string, password: string | undefined): string {
  return password ? `${user}:${encodeURIComponent(password)}@` : '';
}

/** What a URL of applications under test has before the host. */
export const NODE_LOGIN = loginOf(NODE_USER, USER_PASSWORD);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A reply as `redis-cli --raw` prints it. */
export function render(reply: unknown): string {
  if (Array.isArray(reply)) return reply.map(render).join('\n');
  return typeof reply === 'string' || typeof reply === 'number' ? String(reply) : '';
}
