// The journal of clusters of applications: what happened, who asked for it, and that nothing of it is there twice.
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  type FoundationOptions,
  Journal,
  type JournalEntry,
  type JournalQuery,
  Membership,
  ProcessManager,
  RedisUnavailableError,
  Replicated,
  Singleton,
} from 'nestjs-foundation';
import { eventually, TcpProxy } from 'nestjs-foundation/testing';
import { RedisJournal } from '../../libs/foundation/src/backend/streams/redis.journal.js';
import { Secret } from '../../libs/foundation/src/security/secret.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { command } from './command.js';
import { backendOn, boot, type Booted, closeLater, formed, onOwnRedis, type Provider, Teller } from './fixture.js';

@Singleton({ name: 'billing' })
class Billing extends Teller {}

@Replicated({ replicas: 2, name: 'workers' })
class Workers {}

let server: RedisServer;
let appName: string;
let keys: Keys;
onOwnRedis((ground) => ({ server, appName, keys } = ground));

const start = (nodeName: string, more: FoundationOptions = {}, providers: Provider[] = [Billing]): Promise<Booted> =>
  boot(more.redis ?? server.url, appName, providers, { nodeName, ...more });
const read = (node: Booted, query: JournalQuery = {}): Promise<JournalEntry[]> => node.app.get(Journal).read(query);
/** The oldest first, as kind, process and node. */
const story = (entries: JournalEntry[]): string[] =>
  entries
    .map(({ kind, process, node, reason }) =>
      [kind, process, node, reason].filter((each) => each !== undefined).join(' '),
    )
    .reverse();
const ownerOf = async (node: Booted): Promise<string> =>
  eventually(async () => (await node.app.get(ProcessManager).lookupSingleton('billing'))?.node, { what: 'An owner' });
const admin = (): Redis => {
  const client = new Redis(server.adminUrl);
  closeLater(async () => void client.disconnect());
  return client;
};
const history = async (...argv: string[]) => {
  const ran = await command(['history', ...argv, '--app', appName], { FOUNDATION_REDIS_URL: server.url });
  return { ...ran, entries: () => (JSON.parse(ran.out) as { entries: JournalEntry[] }).entries };
};

describe('The journal', () => {
  it('says what happened to a process, on which node, with which epoch, and who asked for it', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await formed(a, b);
    const first = await ownerOf(a);
    const [owner, other] = first === 'a' ? [a, b] : [b, a];
    const manager = other.app.get(ProcessManager);
    await other.app.get(Journal).actAs({ name: 'ada', reason: 'new disk' }, () => manager.move('billing', other.name));
    await owner.app.get(ProcessManager).stop('billing');
    const entries = await eventually(
      async () => {
        const found = await read(a, { process: 'billing' });
        return found.length >= 6 ? found : undefined;
      },
      { what: 'Six entries', lastSeen: async () => story(await read(a)) },
    );
    // A command is written once it is accepted, and by then the node that it is about may have done it.
    const written = story(entries);
    expect(written.filter((line) => !line.startsWith('command.'))).toEqual([
      `process.started billing ${owner.name}`,
      `process.stopped billing ${owner.name} move`,
      `process.started billing ${other.name}`,
      `process.stopped billing ${other.name} stop`,
    ]);
    expect(written.filter((line) => line.startsWith('command.'))).toEqual([
      `command.move billing ${other.name} new disk`,
      `command.stop billing ${owner.name}`,
    ]);
    const [ordered, moved] = entries.filter(({ kind }) => kind.startsWith('command.'));
    const [stopped, started, , began] = entries.filter(({ kind }) => kind.startsWith('process.'));
    expect(moved).toMatchObject({ via: 'code', actor: 'ada', target: other.name });
    expect(ordered).toMatchObject({ via: 'code' });
    expect(started!.from).toBe(owner.name);
    expect(started!.epoch!).toBeGreaterThan(began!.epoch!);
    expect(stopped!.at).toBeGreaterThanOrEqual(started!.at);
    // By time, node and kind; and the same from each node.
    expect(await read(b, { process: 'billing', since: began!.at + 1 })).toEqual(entries.slice(0, 5));
    expect(story(await read(b, { kind: 'command.*' }))).toHaveLength(2);
    expect(await read(b, { until: began!.at - 60_000 })).toEqual([]);
    expect((await read(b, { limit: 1 })).length).toBe(1);
    const joins = await read(a, { kind: 'cluster.node_joined' });
    expect(joins.map(({ node }) => node).sort()).toEqual(['a', 'b']);
    expect(joins[0]!.version).toMatch(/^\d/);
  });

  it('says that a process crashed, and why; and of replicas which', async () => {
    const a = await start('a', {}, [Billing, Workers]);
    await ownerOf(a);
    const ref = await a.app.get(ProcessManager).lookupSingleton('billing');
    await ref!.call('crash');
    const crash = await eventually(async () => (await read(a, { kind: 'process.crashed' }))[0], { what: 'The crash' });
    expect(crash).toMatchObject({ process: 'billing', node: 'a', epoch: ref!.epoch, error: 'asked to' });
    const parts = await eventually(async () => {
      const found = await read(a, { process: 'workers' });
      return found.length === 2 ? found : undefined;
    });
    expect(parts.map(({ process }) => process).sort()).toEqual(['workers#0', 'workers#1']);
    expect(await read(a, { process: 'workers#1' })).toHaveLength(1);
  });

  it('says that a node drains and has left, once, whoever sees it', async () => {
    const nodes = [await start('a'), await start('b'), await start('c')] as const;
    await formed(...nodes);
    await ownerOf(nodes[0]);
    await nodes[0].app.close();
    await eventually(
      async () => nodes[1].of('cluster.node_left').length + nodes[2].of('cluster.node_left').length === 2,
    );
    const left = await eventually(async () => {
      const found = await read(nodes[1], { node: 'a', kind: 'cluster.node_left' });
      return found.length > 0 ? found : undefined;
    });
    expect(left).toMatchObject([{ node: 'a', reason: 'shutdown' }]);
    const drains = await read(nodes[1], { node: 'a', kind: 'drain.progress' });
    expect(drains.map(({ reason }) => reason)).toContain('drained');
    // What the two that are left have to say has been said by now.
    await read(nodes[2]);
    expect(await read(nodes[1], { node: 'a', kind: 'cluster.node_left' })).toHaveLength(1);
    // Of its own attempts nothing is left; of those who live it is.
    const kept = (node: Booted) => server.cli('EXISTS', keys.journalWritten(node.app.get(Membership).self.bootId));
    expect(await Promise.all(nodes.map(kept))).toEqual(['0', '1', '1']);
  });

  it('says when the first node of a version comes and the last one of another has left, once', async () => {
    const releases = async (node: Booted) =>
      (await read(node, { kind: 'release.*' }))
        .map(({ kind, release, others, via }) => [kind, release, others, via].join(' '))
        .reverse();
    const old = [await start('a', { release: '1.0.0' }), await start('b', { release: '1.0.0' })] as const;
    await formed(...old);
    const next = [await start('c', { release: '1.1.0+7' }), await start('d', { release: '1.1.0+7' })] as const;
    await formed(...old, ...next);
    expect(
      old[0].app
        .get(Membership)
        .members()
        .map(({ release }) => release),
    ).toEqual([...['1.0.0', '1.0.0', '1.1.0+7', '1.1.0+7']]);
    for (const node of old) await node.app.close();
    await formed(...next);
    const wanted = [
      'release.deployed 1.0.0  code',
      'release.deployed 1.1.0+7 1.0.0 code',
      'release.retired 1.0.0 1.1.0+7 code',
    ];
    await eventually(async () => (await releases(next[1])).length === wanted.length, { what: 'What was deployed' });
    // What each node has to say has been said by then.
    for (const node of next) await read(node);
    expect(await releases(next[0])).toEqual(wanted);
    const text = await history('--kind', 'release.*');
    expect(text.out).toMatch(/release\.deployed +c +release 1\.1\.0\+7, before 1\.0\.0, Foundation \S+, by code/);
    // A full stop and the same version again is no deployment; with another version it is.
    for (const node of next) await node.app.close();
    const again = await start('e', { release: '1.1.0+7' });
    await eventually(async () => (await read(again, { kind: 'cluster.node_joined' })).some(({ node }) => node === 'e'));
    expect(await releases(again)).toEqual(wanted);
    await again.app.close();
    const last = await start('f', { release: '1.2.0' });
    await eventually(async () => (await releases(last)).length > wanted.length);
    expect((await releases(last)).slice(wanted.length)).toEqual(['release.deployed 1.2.0 1.1.0+7 code']);
  });

  it('says of an empty node once that it is drained', async () => {
    const [a, b] = [await start('a', { capacity: 0 }), await start('b')];
    await formed(a, b);
    await b.app.get(ProcessManager).drain({ node: 'a' });
    await a.app.close();
    const drains = await eventually(async () => {
      const found = await read(b, { node: 'a' });
      return found.some(({ kind }) => kind === 'cluster.node_left') ? found : undefined;
    });
    expect(story(drains.filter(({ kind }) => kind === 'drain.progress'))).toEqual(['drain.progress a drained']);
  });

  it('is read and written by the command line, which is no member', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await formed(a, b);
    const first = await ownerOf(a);
    const to = first === 'a' ? 'b' : 'a';
    const env = { FOUNDATION_REDIS_URL: server.url };
    const moved = await command(['move', 'billing', to, '--reason', 'new disk', '--app', appName], env);
    expect(moved).toMatchObject({ code: 0 });
    const { entries } = await history('billing', '--kind', 'command.*', '--json', '--since', '1h');
    expect(entries()).toMatchObject([
      {
        ...{ kind: 'command.move', process: 'billing', target: to, via: 'command-line', reason: 'new disk' },
        ...{ node: expect.stringMatching(/^cli-/), actor: expect.stringContaining('@') },
      },
    ]);
    // Its new owner writes the start some 50 ms later.
    const text = await eventually(async () => {
      const ran = await history('billing');
      return ran.out.trimEnd().split('\n').at(-1)!.includes('process.started') ? ran : undefined;
    });
    expect(text).toMatchObject({ code: 0, err: '' });
    const lines = text.out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^TIME +KIND +PROCESS +NODE +WHAT$/);
    expect(lines.find((line) => line.includes('command.move'))).toMatch(/to \w, new disk, by \S+@\S+, command-line/);
    expect(lines.at(-1)).toMatch(new RegExp(`process.started +billing +${to} +epoch \\d+, before on ${first}`));
    expect((await history('billing', '--limit', '2')).out.trimEnd().split('\n')).toHaveLength(3);
    expect(await history('nobody')).toMatchObject({ code: 0, out: 'Nothing of that is in the journal.\n' });
    for (const option of ['--since', '--until']) {
      const err = `${option} takes a date, such as 2026-01-31T08:00, or how long ago, such as 15m or 1d.\n`;
      expect(await history(option, 'yesterday')).toMatchObject({ code: 2, err });
    }
    const kind = '--kind takes a kind such as process.crashed, or process.* for all of them.\n';
    expect(await history('--kind', 'crashed')).toMatchObject({ code: 2, err: kind });
    expect(a.app.get(Membership).members()).toHaveLength(2);
    expect((await read(a)).filter(({ node, kind }) => node.startsWith('cli-') && !kind.startsWith('command.'))).toEqual(
      [],
    );
  });

  it('keeps what a node has to say while Redis is away for it, and writes it once', async () => {
    const proxy = await TcpProxy.open(Number(new URL(server.url).port));
    closeLater(() => proxy.close());
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const [a, b] = [await start('a', { redis: url.href }), await start('b')];
    await formed(a, b);
    const owner = await ownerOf(b);
    if (owner !== 'a') await b.app.get(ProcessManager).move('billing', 'a');
    await eventually(async () => (await read(b, { process: 'billing', node: 'a' })).length > 0);
    proxy.mode = 'cut';
    await eventually(() => a.of('cluster.isolated').length > 0, { what: 'Isolation' });
    await expect(read(a)).rejects.toThrow(RedisUnavailableError);
    await eventually(() => b.of('cluster.node_left').length > 0, { what: 'The word that a is gone' });
    await eventually(async () => (await ownerOf(b)) === 'b', { what: 'The take-over' });
    proxy.mode = 'ok';
    await formed(a, b);
    const entries = await eventually(
      async () => {
        const found = await read(b, { node: 'a' });
        return found.some(({ kind }) => kind === 'cluster.rejoined') ? found : undefined;
      },
      { what: 'What a says of it', lastSeen: async () => story(await read(b)) },
    );
    const told = story(entries);
    for (const each of [
      'lease.lost billing a deadline',
      'cluster.isolated a',
      'cluster.rejoined a',
      'cluster.node_left a timeout',
    ])
      expect([each, told.filter((line) => line === each).length]).toEqual([each, 1]);
    // In the order in which it happened, though the first of these was written last.
    expect(told.indexOf('lease.lost billing a deadline')).toBeLessThan(told.indexOf('process.started billing b'));
    expect(told).toContain('process.started billing b');
  });

  it('is not written where it is off, and is read there', async () => {
    const [a, b] = [await start('a', { journal: false }), await start('b')];
    await formed(a, b);
    const joined = await eventually(async () => (await read(a, { kind: 'cluster.node_joined' }))[0]);
    expect(joined.node).toBe('b');
    await a.app.get(ProcessManager).restart('billing');
    expect((await read(a)).filter(({ node }) => node === 'a').map(({ kind }) => kind)).toEqual([]);
    const alone = await boot(server.url, appName, [Billing], { cluster: false, journal: false });
    expect(await read(alone)).toEqual([]);
  });

  it('is in memory where there is no cluster', async () => {
    const alone = await boot(server.url, appName, [Billing], { cluster: false });
    await ownerOf(alone);
    await alone.app.get(ProcessManager).restart('billing');
    expect(story(await read(alone, { process: 'billing' }))).toEqual([
      `process.started billing ${alone.name}`,
      `command.restart billing ${alone.name}`,
      `process.stopped billing ${alone.name} restart`,
      `process.started billing ${alone.name}`,
    ]);
  });

  it('is followed', async () => {
    const a = await start('a');
    await ownerOf(a);
    await read(a);
    const ending = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { kind } of a.app.get(Journal).follow({ process: 'billing' }, { signal: ending.signal }))
        seen.push(kind);
    })();
    await a.app.get(ProcessManager).restart('billing');
    await eventually(() => seen.length >= 3, { what: 'Three entries', lastSeen: () => seen });
    ending.abort();
    await following;
    expect(seen.slice(-3)).toEqual(['command.restart', 'process.stopped', 'process.started']);
    await expect(a.app.get(Journal).follow({ kind: 'what' }).next()).rejects.toThrow('kind');
  });

  it('is read beside whatever anybody has written there', async () => {
    const a = await start('a');
    await ownerOf(a);
    const before = await read(a);
    expect(before.length).toBeGreaterThan(0);
    const redis = admin();
    const good = { at: Date.now(), kind: 'process.started', node: 'evil' };
    for (const text of [
      '',
      'what',
      '{}',
      '[]',
      '{"at":',
      JSON.stringify({ ...good, kind: 'Rubbish' }),
      'x'.repeat(100_000),
    ])
      await redis.xadd(keys.journal, '*', 'm', text);
    await redis.xadd(keys.journal, '*', 'other', 'field', 'm', 'x');
    await redis.xadd(keys.journal, '*', 'm', `~${'a'.repeat(43)}${JSON.stringify(good)}`);
    expect(await read(a)).toEqual(before);
    await redis.xadd(keys.journal, '*', 'm', JSON.stringify({ ...good, error: 'a\u001b[31m\nb', epoch: 'x' }));
    const { out } = await history('--node', 'evil');
    expect(out).toContain('a [31m b');
    // Nor does what stands in the place of the journal end anything.
    await redis.set(keys.journal, 'no stream');
    await expect(read(a)).rejects.toThrow(/WRONGTYPE/);
    await a.app.get(ProcessManager).restart('billing');
    await redis.del(keys.journal);
    const again = await eventually(
      async () => {
        const found = await read(a);
        return found.length >= 3 ? found : undefined;
      },
      { what: 'What happened meanwhile' },
    );
    expect(story(again)).toEqual([
      ...['command.restart billing a', 'process.stopped billing a restart', 'process.started billing a'],
    ]);
  });

  it('believes nothing that is not signed with the cookie', async () => {
    const cookie = secret('the cookie of the journal spec');
    const a = await start('a', { security: { cookie } });
    await ownerOf(a);
    const before = await eventually(async () => {
      const found = await read(a);
      return found.length > 0 ? found : undefined;
    });
    const forged = { at: Date.now(), kind: 'process.started', node: 'evil' };
    await admin().xadd(keys.journal, '*', 'm', JSON.stringify(forged));
    const other = createSigner(appName, new Secret('another cookie, of somebody'));
    await admin().xadd(keys.journal, '*', 'm', other.sign(keys.journal, JSON.stringify(forged)));
    expect(await read(a)).toEqual(before);
    const raw = await admin().xrange(keys.journal, '-', '+');
    expect(raw[0]![1][1]).toMatch(/^~/);
  });
});

describe('The store of the journal', () => {
  const open = async (bootId: string, lives = { journal: 60_000, journalMarks: 60_000 }): Promise<RedisJournal> => {
    const { backend } = await backendOn(server, appName);
    return new RedisJournal(backend.raw.control as Redis, keys, bootId, createSigner(appName, undefined), lives);
  };
  const entry = (number: number, text = `t${number}`, mark = '') => ({ number, mark, text });
  const texts = async (store: RedisJournal) => (await store.read({ count: 1000 })).map(({ text }) => text);

  it('keeps the newest, for a time', async () => {
    const store = await open('b1');
    for (let first = 1; first <= 300; first += 100) {
      await store.append(
        Array.from({ length: 100 }, (_, index) => entry(first + index)),
        150,
      );
    }
    const kept = await texts(store);
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([150, 't300', 't151']);
    for (const key of [keys.journal, keys.journalWritten('b1')]) {
      const ttl = await admin().pttl(key);
      expect(ttl).toBeGreaterThan(30_000);
      expect(ttl).toBeLessThanOrEqual(60_000);
    }
  });

  it('writes nothing twice: what was sent again, and what another node has said', async () => {
    const [one, other] = [await open('b1'), await open('b2')];
    await one.append([entry(1), entry(2)], 100);
    await one.append([entry(1), entry(2), entry(3)], 100);
    await other.append([entry(1, 'other'), entry(2, 'left', 'left x')], 100);
    await one.append([entry(4, 'left, too', 'left x'), entry(5, 'left again', 'left y')], 100);
    expect(await texts(one)).toEqual(['left again', 'left', 'other', 't3', 't2', 't1']);
  });

  it('reads in pages, from both ends', async () => {
    const store = await open('b1');
    await store.append(
      [1, 2, 3, 4].map((number) => entry(number)),
      100,
    );
    const all = await store.read({ count: 10 });
    expect(await store.read({ count: 2 })).toEqual(all.slice(0, 2));
    expect(await store.read({ count: 2, before: all[1]!.id })).toEqual(all.slice(2));
    expect(await store.read({ count: 9, after: all[2]!.id })).toEqual(all.slice(0, 2));
    expect(await store.read({ count: 9, from: Date.now() + 3_600_000 })).toEqual([]);
  });

  it('has room for as many marks as it says', async () => {
    const store = await open('b1');
    for (let first = 1; first <= 1200; first += 100) {
      await store.append(
        Array.from({ length: 100 }, (_, index) => entry(first + index, 'x', `mark ${first + index}`)),
        100,
      );
    }
    expect(await admin().zcard(keys.journalMarks)).toBe(1000);
  });
});
