// A real Redis of the test's own, as our specs want it: with a password that nobody may show, and a user for the
// applications under test that may do what docs/guides/security.md says and no more. Underneath the `TestRedis` of the
// test kit.
import { createHash } from 'node:crypto';
import { type AclNeeds, aclRule, TestRedis } from 'nestjs-foundation/testing';
import { REDIS_PASSWORD, USER_PASSWORD } from './secrets.js';

const HOST = '127.0.0.1';

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
  /** What else that user needs. */
  needs?: AclNeeds;
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

export async function startServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { password, minimal, needs, port, args = [], sentinel } = options;
  // Of every application: the tests of a file share a server. docs/guides/security.md has the rule of one.
  const rule = aclRule('*', { isCluster: args.includes('--cluster-enabled'), ...needs });
  const user = minimal ? ['--user', NODE_USER, 'on', `#${sha256(USER_PASSWORD)}`, ...rule] : [];
  const redis = await TestRedis.start({
    args: sentinel === undefined ? [...user, ...args] : ['--sentinel'],
    ...(port === undefined ? {} : { port }),
    ...(password === undefined ? {} : { password }),
    ...(sentinel === undefined ? {} : { config: sentinel.join('\n') }),
  });
  return new Server(redis, options);
}

class Server implements RedisServer {
  constructor(
    private readonly redis: TestRedis,
    private readonly options: RedisServerOptions,
  ) {}

  get url(): string {
    return this.urlAt(this.port);
  }

  urlAt(port: number): string {
    return this.options.minimal ? urlOf(port, NODE_USER, USER_PASSWORD) : urlOf(port, '', this.options.password);
  }

  get adminUrl(): string {
    return urlOf(this.port, '', this.options.password);
  }

  get port(): number {
    return this.redis.port;
  }

  get pid(): number {
    return this.redis.pid;
  }

  get embedded(): boolean {
    return this.redis.isEmbedded;
  }

  get folder(): string {
    return this.redis.folder;
  }

  async stop(): Promise<void> {
    const refusals = this.options.minimal ? await this.refusals().catch(() => []) : [];
    await this.redis.stop();
    if (refusals.length > 0)
      throw new Error(`An application needs what the rule does not give it: ${refusals.join(', ')}`);
  }

  kill(signal?: NodeJS.Signals): Promise<void> {
    return this.redis.kill(signal);
  }

  restart(options?: { delayMs?: number }): Promise<void> {
    return this.redis.restart(options);
  }

  pause(): void {
    this.redis.freeze();
  }

  resume(): void {
    this.redis.thaw();
  }

  cli(command: string, ...args: string[]): Promise<string> {
    return this.redis.cli(command, ...args);
  }

  /** What the user of the applications was not allowed, whether or not anybody noticed. */
  private async refusals(): Promise<string[]> {
    const entries = JSON.parse(await this.redis.cli('EVAL', REFUSALS, '0', NODE_USER)) as string[];
    // ioredis tells its name and goes on without: 7.0 does not know the command, so no rule for all versions can allow
    // it.
    return [...new Set(entries)].filter((entry) => !/^command client\|setinfo/i.test(entry));
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
