// The command line against clusters of applications: what it shows, what it changes, and that nobody sees it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Callable,
  Channel,
  Channels,
  type FoundationOptions,
  HealthMonitor,
  Membership,
  Partitioned,
  type ProcessContext,
  ProcessManager,
  Replicated,
  Service,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import type { Snapshot } from '../../libs/foundation/src/cli/snapshot.js';
import { LocalRecord } from '../../libs/foundation/src/cluster/local.record.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { command, type Ran } from './command.js';
import { backendFor, boot, type Booted, closeLater, formed, LEASE, onOwnRedis } from './fixture.js';

@Singleton({ name: 'feed' })
class Feed {}

@Replicated()
class Thumbnails {
  @Callable()
  draw(width: number): number {
    if (width < 0) throw new Error('a negative width');
    return width;
  }

  @Channel('events')
  onEvent(): void {
    // Its figures are what counts.
  }
}

@Partitioned({ partitions: 8 })
class Accounts {}

@Singleton({ name: 'fragile', maxRestarts: 0 })
class Fragile {
  static broken = true;
  onProcessStart(ctx: ProcessContext): void {
    if (Fragile.broken) ctx.run(() => Promise.reject(new Error('it broke \u001b[31mred')));
  }
}

@Service({ name: 'payments', capabilities: ['card'] })
class Payments {}

@Singleton({ name: 'stubborn' })
class Stubborn {
  onProcessStop(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

const COOKIE = secret('the cookie of the cli spec');
const ALL = [Feed, Thumbnails, Accounts, Payments];

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));
beforeEach(() => void (Fragile.broken = true));

const start = (nodeName: string, providers = ALL, more: FoundationOptions = {}): Promise<Booted> =>
  boot(server.url, appName, providers, { nodeName, ...more });
const foundation = (...argv: string[]): Promise<Ran> =>
  command([...argv, '--app', appName], { FOUNDATION_REDIS_URL: server.url });
const running = async (node: Booted, count: number): Promise<void> => {
  const list = () => node.app.get(ProcessManager).list();
  await eventually(async () => (await list()).filter(({ state }) => state === 'running').length === count, {
    what: `${count} running processes`,
    lastSeen: () => node.of('process.crashed'),
  });
};
async function pair(): Promise<[Booted, Booted]> {
  const nodes = [await start('a'), await start('b')] as [Booted, Booted];
  await formed(...nodes);
  await running(nodes[0], 1 + 2 + 8);
  return nodes;
}

describe('foundation status', () => {
  it('shows nodes, processes and services, in text and as JSON', async () => {
    await pair();
    let text: Ran = { code: -1, out: '', err: '' };
    // A machine that is busy is late, and says so.
    await eventually(
      async () => (text = await foundation('status')).out.startsWith(`${appName}: healthy, 2 nodes, 11 processes`),
      { timeout: 30_000, lastSeen: () => text },
    );
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toMatch(/^a +up +\d+ /m);
    expect(text.out).toMatch(/^feed +singleton +running +[ab] /m);
    expect(text.out).toMatch(/^Accounts +partitioned +8 of 8 run +[ab] \d/m);
    expect(text.out).toMatch(/^Thumbnails@a +replicated +running +a /m);
    expect(text.out).toMatch(/^payments +2\/2 +a, b +card$/m);
    expect(text.out).not.toContain('\u001b');

    const json = await foundation('status', '--json');
    const snapshot = JSON.parse(json.out) as Snapshot;
    expect(snapshot.app).toBe(appName);
    expect(snapshot.nodes.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'up'],
      ['b', 'up'],
    ]);
    expect(snapshot.processes).toHaveLength(11);
    expect(snapshot.services).toHaveLength(2);
    // A busy machine is late, which degrades it.
    expect(snapshot.health.status).toMatch(/^(healthy|degraded)$/);
  });

  it('says what health says, in the same words, also while a dead node is not noticed', async () => {
    // Slow beats: for up to a second no member knows what Redis knows.
    const membership = { beatEvery: 1000, ttl: 3000 };
    const only = { membership, expectedNodes: 4, lease: LEASE };
    const [a, b] = [await start('a', [Feed], only), await start('b', [Feed], only)];
    await formed(a, b);
    const { backend, node } = await backendFor(server, appName);
    await eventually(() => backend.open().then(() => true), { timeout: 20_000, what: 'A connection' });
    const dead = { ...new LocalRecord(node, resolve(only, {}, { host: 'h', pid: 1 })).current, ...membership };
    await backend.directory.join({ ...dead, name: 'dead' });

    const busy = /^(node-lagging|redis-slow|redis-silent|redis-connection|sweep-overdue)/;
    const saying = ({ nodes, reasons }: Snapshot['health']) =>
      [...nodes.map((each) => each.node), ...reasons.map(({ code, message }) => `${code} ${message}`)]
        .filter((each) => !busy.test(each))
        .join('\n');
    const ofNode = async () => saying(await a.app.get(HealthMonitor).clusterHealth());
    const seen = new Set<string>();
    const [differing, names]: [object[], string[]] = [[], []];
    await eventually(
      async () => {
        const before = await ofNode();
        const { health, nodes } = JSON.parse((await foundation('status', '--json')).out) as Snapshot;
        const [status, after] = [saying(health), await ofNode()];
        if (status !== before && status !== after) differing.push({ before, status, after });
        names.push([nodes.map(({ name }) => name), health.nodes.map((each) => each.node)].join(' | '));
        for (const { code, message } of health.reasons) seen.add(`${code} ${message}`);
        return !health.nodes.some((each) => each.node === 'dead');
      },
      { timeout: 20_000, lastSeen: () => [...seen] },
    );
    expect(differing).toEqual([]);
    expect([...new Set(names)]).toEqual(['a,b,dead | a,b,dead', 'a,b | a,b']);
    expect([...seen].filter((each) => !busy.test(each)).sort()).toEqual([
      'node-suspect Node "dead" missed heartbeats.',
      'nodes-missing Only 3 of 4 expected nodes are there.',
      'too-few-nodes Only 2 of 4 expected nodes are there, less than half plus one.',
    ]);
  });

  it('says which clusters there are, where there are no nodes of the name', async () => {
    await start('a', []);
    const none = await command(['status', '--app', 'shopp'], { FOUNDATION_REDIS_URL: server.adminUrl });
    expect(none.out).toMatch(
      new RegExp(
        `^No node of this name is in 127\\.0\\.0\\.1:\\d+ database 0\\. .* There are: .*\\b${appName}\\b.*\\.$`,
        'm',
      ),
    );
    expect(none.code).toBe(1);
    const refused = await command(['status', '--app', appName.replace('app', 'appp')], {
      FOUNDATION_REDIS_URL: server.url,
    });
    expect(refused.out).not.toContain('There are:');
  });

  it.each(['nodes', 'beats', 'processes', 'services', 'seal', 'incarnation'] as const)(
    'says that something else uses the key "%s"',
    async (key) => {
      await running(await start('a', [Feed, Payments]), 1);
      await server.cli('DEL', keys[key]);
      await server.cli('XADD', keys[key], '*', 'some', 'thing');
      const status = await foundation('status');
      expect(status).toMatchObject({ code: 1, out: '' });
      expect(status.err).toMatch(/^Redis at .* refused .*WRONGTYPE.*Something else may use the keys of Foundation/);
    },
  );

  it('reads variables that are not set from a file', async () => {
    await start('a', []);
    const file = join(mkdtempSync(join(tmpdir(), 'foundation-env-')), '.env');
    writeFileSync(file, `FOUNDATION_REDIS_URL=${server.url}\nFOUNDATION_APP_NAME=another\n`);
    const status = await command(['status', '--env-file', file], { FOUNDATION_APP_NAME: appName });
    expect(status.out).toMatch(new RegExp(`^${appName}: .*, 1 node,`));
    rmSync(dirname(file), { recursive: true });
    const gone = await command(['status', '--env-file', file]);
    expect(gone).toMatchObject({ code: 2, out: '', err: expect.stringContaining('cannot be read (ENOENT') });
  });

  it('keeps to the width of a terminal, and colours only there', async () => {
    await pair();
    const env = { FOUNDATION_REDIS_URL: server.url, FOUNDATION_APP_NAME: appName };
    const narrow = await command(['status'], { ...env, NO_COLOR: '1' }, { tty: 50 });
    for (const line of narrow.out.split('\n')) expect([...line].length).toBeLessThanOrEqual(50);
    expect(narrow.out).not.toContain('\u001b');
    // A busy machine makes it yellow.
    const { out } = await command(['status'], env, { tty: 120 });
    expect(out.replaceAll('\u001b', 'ESC')).toMatch(/ESC\[(32mhealthy|33mdegraded)ESC\[0m/);
  });

  it('exits with 1 for a critical cluster and says why, and prints nothing that a process wrote as it is', async () => {
    const node = await start('a', [Fragile]);
    await eventually(async () => (await node.app.get(ProcessManager).list())[0]?.state === 'escalated');
    const { code, out } = await foundation('status');
    expect(code).toBe(1);
    expect(out).toMatch(/^fragile +singleton +escalated/m);
    expect(out).toContain('it broke  [31mred');
    expect(out).not.toContain('\u001b');
  });

  it('does not take the records of nodes that were all killed for a cluster', async () => {
    const node = await start('a', []);
    const record = await server.cli('HGET', keys.nodes, 'a');
    await node.app.close();
    await server.cli('HSET', keys.nodes, 'a', record);
    await server.cli('ZADD', keys.beats, String(Date.now() - 60_000), 'a');
    const { code, out } = await foundation('status', '--json');
    expect((JSON.parse(out) as Snapshot).nodes).toEqual([]);
    expect(code).toBe(1);
    // And it ended nobody: that is for a node, which knows the times.
    expect(await server.cli('HGET', keys.nodes, 'a')).toBe(record);
  });

  it('never is a member: no node hears of it, and it leaves no key and no connection', async () => {
    const [a] = await pair();
    const known = async () =>
      (await server.cli('KEYS', `${keys.tag}*`))
        .split('\n')
        .filter((key) => !/supervision/.test(key))
        .sort();
    const keysBefore = await known();
    await foundation('status');
    expect(await known()).toEqual(keysBefore);
    expect(
      a
        .of('cluster.node_joined')
        .map(({ node }) => node)
        .sort(),
    ).toEqual(['a', 'b']);
    await eventually(async () => !(await server.cli('CLIENT', 'LIST')).includes('foundation:cli-'));
  });

  it('says that Redis is away, with the password of nobody', async () => {
    const redis = await startServer();
    await redis.stop();
    const url = redis.url.replace('//', '//user:hidden-word@');
    const text = await command(['status', '--redis', url]);
    expect(text).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/cannot be reached.*ECONNREFUSED.*doctor/),
    });
    const json = await command(['status', '--json', '--redis', url]);
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, error: { code: 'FOUNDATION_REDIS_UNAVAILABLE' } });
    expect(text.err + json.out).not.toContain('hidden-word');
  });

  it.each([[['stats']], [['move', 'feed']], [['status', '--no-such']], [['status', '--redis', 'nonsense']], [[]]])(
    'exits with 2 for %p',
    async (argv) => {
      const { code, out, err } = await command(argv);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).not.toBe('');
    },
  );
});

describe('foundation top', () => {
  it('prints once how often the methods and handlers of all nodes ran and failed, and how long they took', async () => {
    const [a, b] = await pair();
    const draw = (width: number) => a.app.get(ProcessManager).all(Thumbnails).call('draw', width);
    for (let count = 0; count < 20; count++) expect((await draw(1)).answers).toHaveLength(2);
    for (let count = 0; count < 5; count++) expect((await draw(-1)).missing).toHaveLength(2);
    await b.app.get(Channels).broadcast('events', 'hello');
    let ran: Ran = { code: -1, out: '', err: '' };
    const find = (name: string, kind: string) =>
      new RegExp(`^${name} +${kind} +[\\d.]+/s( +[\\d.]+/s)?( +[\\d.]+ m?s){3} +2$`, 'm').exec(ran.out);
    await eventually(
      async () => {
        ran = await foundation('top', '--once');
        return find('Thumbnails\\.draw', 'call')?.[1] !== undefined && find('events Thumbnails\\.onEvent', 'handler');
      },
      { lastSeen: () => ran, timeout: 20_000 },
    );
    expect(ran).toMatchObject({ code: 0, err: '' });
    const json = await foundation('top', '--once', '--json');
    const { work = [], silent } = JSON.parse(json.out) as Snapshot;
    expect(silent).toEqual([]);
    const call = work.find(({ kind, work: method }) => kind === 'call' && method === 'draw')!;
    expect(call).toMatchObject({ of: 'Thumbnails', nodes: 2 });
    expect(call.perSecond / call.failedPerSecond).toBeCloseTo(5, 0);
    expect(call.p50).toBeLessThanOrEqual(call.p99!);
    // Calls of Foundation itself are none of the application's.
    expect(work.filter(({ of }) => of.includes(':'))).toEqual([]);
  });

  it('goes on until it is stopped, and follows the cluster', async () => {
    const a = await start('a', [Feed]);
    await running(a, 1);
    const stop = new AbortController();
    let out = '';
    const env = { FOUNDATION_REDIS_URL: server.url };
    const argv = ['top', '--json', '--interval', '0.1', '--app', appName];
    const ended = command(argv, env, { stop: stop.signal, wrote: (text) => (out = text) });
    closeLater(() => (stop.abort(), ended));
    const nodes = (): string[] =>
      (JSON.parse(out.trimEnd().split('\n').at(-1)!) as Snapshot).nodes.map(({ name }) => name);
    await eventually(() => nodes().join() === 'a');
    const b = await start('b', [Feed]);
    await eventually(() => nodes().join() === 'a,b', { lastSeen: nodes });
    await b.app.close();
    await eventually(() => nodes().join() === 'a', { lastSeen: nodes });
    stop.abort();
    expect(await ended).toMatchObject({ code: 0, err: '' });
  });

  it('writes over what was there on a terminal, and goes on while Redis is away', async () => {
    const redis = await startServer();
    closeLater(() => redis.stop());
    const stop = new AbortController();
    let out = '';
    const options = { tty: 80, stop: stop.signal, wrote: (text: string) => (out = text) };
    const ended = command(['top', '--interval', '0.1'], { FOUNDATION_REDIS_URL: redis.url }, options);
    closeLater(() => (stop.abort(), ended));
    await eventually(() => out.includes('\u001b[H'));
    await redis.kill();
    await eventually(() => /cannot be reached/.test(out), { lastSeen: () => out.slice(-500) });
    const seen = out.length;
    await redis.restart();
    await eventually(() => out.slice(seen).includes('critical'), { lastSeen: () => out.slice(-500) });
    stop.abort();
    expect((await ended).code).toBe(0);
  });
});

describe('foundation move and restart', () => {
  it('move a process to a node, and say what stands against it', async () => {
    const [a] = await pair();
    const owner = (await a.app.get(ProcessManager).lookupSingleton('feed'))!;
    const other = owner.node === 'a' ? 'b' : 'a';
    const moved = await foundation('move', 'feed', other);
    expect(moved).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`feed runs on ${other} (epoch `) });
    expect(await a.app.get(ProcessManager).lookupSingleton('feed')).toMatchObject({ node: other });

    const slot = await foundation('move', 'Accounts/3', 'a', '--json');
    expect(JSON.parse(slot.out)).toMatchObject({ ok: true, process: 'Accounts/3', node: 'a' });

    expect(await foundation('move', 'feed', 'nowhere')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no member'),
    });
    expect(await foundation('move', 'nothing', 'a')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not known'),
    });
    expect(await foundation('move', 'feed', `cli-${process.pid}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('no member'),
    });
  });

  it('restart starts anew, and brings an escalated process back', async () => {
    const node = await start('a', [Fragile, Feed]);
    const processes = node.app.get(ProcessManager);
    const before = await eventually(() => processes.lookupSingleton('feed'));
    expect(await foundation('restart', 'feed')).toMatchObject({ code: 0 });
    expect((await processes.lookupSingleton('feed'))!.epoch).toBeGreaterThan(before.epoch);

    await eventually(async () => (await processes.list()).some(({ state }) => state === 'escalated'));
    Fragile.broken = false;
    const back = await foundation('restart', 'fragile', '--json');
    expect(JSON.parse(back.out)).toMatchObject({ ok: true, process: 'fragile', node: 'a' });
    expect(await processes.lookupSingleton('fragile')).toBeDefined();
  });
});

describe('foundation drain', () => {
  it.each<[string, FoundationOptions, Record<string, string>]>([
    ['through Redis', {}, {}],
    ['signed', { security: { cookie: COOKIE } }, { FOUNDATION_COOKIE: COOKIE }],
    [
      'beside direct links',
      { transport: { kind: 'direct', host: '127.0.0.1' }, security: { cookie: COOKIE } },
      { FOUNDATION_COOKIE: COOKIE },
    ],
  ])('moves all that a node owns to the others, %s', async (_how, options, env) => {
    const nodes = [await start('a', [Feed, Accounts], options), await start('b', [Feed, Accounts], options)];
    await formed(...nodes);
    await running(nodes[0]!, 1 + 8);
    const all = { FOUNDATION_REDIS_URL: server.url, FOUNDATION_APP_NAME: appName, ...env };
    expect(await command(['drain', 'a'], all)).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('a owns nothing'),
    });
    await running(nodes[1]!, 1 + 8);
    const list = await nodes[1]!.app.get(ProcessManager).list();
    expect(new Set(list.map(({ node }) => node))).toEqual(new Set(['b']));
    const { out } = await command(['status', '--json'], all);
    expect((JSON.parse(out) as Snapshot).nodes.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'a draining',
      'b up',
    ]);
    // Twice does no harm.
    expect(JSON.parse((await command(['drain', 'a', '--json'], all)).out)).toEqual({ ok: true, node: 'a' });
  });

  it('is taken back by undrain: placement uses the node again, and health says so', async () => {
    @Singleton({ name: 'late' })
    class Late {}
    const a = await start('a', [Feed, Late]);
    const b = await start('b', [Feed]);
    await formed(a, b);
    await running(a, 1 + 1);
    expect(await foundation('drain', 'a')).toMatchObject({ code: 0 });
    // Only a node that drains has its class.
    await eventually(
      async () => (await b.app.get(ProcessManager).list()).find(({ name }) => name === 'late')?.state === 'waiting',
      { what: 'late to wait' },
    );
    const healthOf = async (): Promise<string[]> =>
      (await b.app.get(HealthMonitor).clusterHealth()).nodes.map(({ node, status }) => `${node} ${status}`);
    const drained = await healthOf();
    expect(await foundation('undrain', 'a')).toMatchObject({ code: 0, err: '', out: expect.stringContaining('again') });
    await eventually(async () => (await b.app.get(ProcessManager).lookupSingleton('late'))?.node === 'a', {
      what: 'late to run again',
      lastSeen: () => b.app.get(ProcessManager).list(),
    });
    expect(a.app.get(Membership).state).toBe('up');
    let states: string[] = [];
    await eventually(
      async () => {
        const { out } = await foundation('status', '--json');
        states = (JSON.parse(out) as Snapshot).nodes.map(({ name, state }) => `${name} ${state}`);
        return states.join() === 'a up,b up';
      },
      { what: 'Both to be up', lastSeen: () => states },
    );
    expect(drained).toContain('a degraded');
    // On a busy machine a node is degraded for its event loop, for a while.
    let health: string[] = [];
    await eventually(async () => (health = await healthOf()).includes('a healthy'), {
      timeout: 30_000,
      what: 'Health to say so',
      lastSeen: () => health,
    });
    // Twice does no harm, and it drains again.
    expect(JSON.parse((await foundation('undrain', 'a', '--json')).out)).toEqual({ ok: true, node: 'a' });
    expect(await foundation('drain', 'a')).toMatchObject({ code: 0 });
    expect(await foundation('undrain', 'z')).toMatchObject({ code: 1, err: expect.stringContaining('no member') });
  });

  it('says that there is no such node', async () => {
    await start('a', []);
    expect(await foundation('drain', 'z')).toMatchObject({ code: 1, err: expect.stringContaining('no member') });
  });

  it('says what did not stop in time', async () => {
    await start('a', [Stubborn], { shutdownTimeout: 300, processes: { stopTimeout: 2000 } });
    const b = await start('b', []);
    await running(b, 1);
    await expect(b.app.get(ProcessManager).drain({ node: 'a', timeout: 300 })).rejects.toMatchObject({
      code: 'FOUNDATION_PROCESS_TIMEOUT',
      message: expect.stringContaining('stubborn'),
    });
  });
});

describe('foundation forget', () => {
  it('forgets a process that the next release does not have, and until then it is orphaned', async () => {
    @Singleton({ name: 'nightly' })
    class Nightly {}
    @Partitioned({ name: 'carts', partitions: 8 })
    class Carts {}
    @Replicated({ name: 'logs' })
    class Logs {}
    const old = await start('old', [Feed, Nightly, Carts, Logs]);
    await running(old, 1 + 1 + 8 + 1);
    expect(await foundation('forget', 'nightly')).toMatchObject({
      code: 1,
      err: expect.stringContaining('it runs on old'),
    });
    const next = await start('next', [Feed]);
    await formed(old, next);
    await old.app.close();
    const states = async () => {
      const list = await next.app.get(ProcessManager).list();
      return Object.fromEntries(list.map(({ name, state }) => [name, state]));
    };
    // Not only until one runs: what ran on the other node runs there until this one has seen it end.
    await eventually(async () => (await next.app.get(ProcessManager).lookupSingleton('feed'))?.node === next.name, {
      lastSeen: states,
    });
    await eventually(async () => (await states())['feed'] === 'running', { lastSeen: states });
    const eight = Object.fromEntries([...Array(8).keys()].map((part) => [`carts/${part}`, 'orphaned']));
    expect(await states()).toEqual({ feed: 'running', nightly: 'orphaned', ...eight, logs: 'orphaned' });
    const { out } = await foundation('status', '--json');
    const { reasons, status } = (JSON.parse(out) as Snapshot).health;
    expect({ status, codes: reasons.map(({ code }) => code) }).toEqual({
      status: 'degraded',
      codes: ['process-orphaned'],
    });
    expect((await foundation('status')).out).toMatch(/^nightly +singleton +orphaned/m);
    const rows = async () => (await server.cli('HKEYS', keys.processes)).split('\n').filter((row) => row !== '');

    for (const name of ['nightly', 'carts', 'logs'])
      expect(await foundation('forget', name)).toMatchObject({ code: 0, out: expect.stringContaining('is forgotten') });
    await eventually(async () => JSON.stringify(await states()) === '{"feed":"running"}', { lastSeen: states });
    expect(await rows()).not.toContain('nightly');
    expect(await foundation('forget', 'nightly')).toMatchObject({ code: 1, err: expect.stringContaining('nightly') });
    expect(await foundation('forget', 'feed')).toMatchObject({
      code: 1,
      err: expect.stringContaining('it runs on next'),
    });
    await next.app.get(ProcessManager).stop('feed');
    expect(await foundation('forget', 'feed')).toMatchObject({
      code: 1,
      err: expect.stringContaining('next declares it'),
    });
  });
});

describe('with another cookie', () => {
  it('sees nobody, and says so instead of an empty cluster', async () => {
    await start('a', [], { security: { cookie: COOKIE } });
    const env = { FOUNDATION_REDIS_URL: server.url, FOUNDATION_APP_NAME: appName };
    const others: Record<string, string>[] = [{}, { FOUNDATION_COOKIE: 'quite another cookie' }];
    for (const more of others) {
      const { code, out, err } = await command(['status'], { ...env, ...more });
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toContain('does not share the cookie');
    }
  });
});
