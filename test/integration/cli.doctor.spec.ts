// `foundation doctor` against clusters that are well, and against each thing that it should find.
import { describe, expect, it } from '@jest/globals';
import { loadAllYaml } from '@kubernetes/client-node';
import { Redis } from 'ioredis';
import { type FoundationOptions, ProcessManager, Singleton } from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import { FakeConsul } from '../support/consul-agent.js';
import { TestKubernetes } from '../support/kubernetes.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { command } from './command.js';
import { boot, closeLater, formed, onOwnRedis, settle } from './fixture.js';

@Singleton({ name: 'feed' })
class Feed {}

@Singleton({ name: 'nightly job' })
class Nightly {}

const COOKIE = secret('the cookie of the doctor spec');
const direct = (cookie = COOKIE): FoundationOptions => ({
  transport: { kind: 'direct', host: '127.0.0.1' },
  security: { cookie },
});

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

interface Finding {
  step: string;
  verdict: string;
  text: string;
  advice?: string;
}

interface Diagnosis {
  code: number;
  text: string;
  ok: boolean;
  findings: Finding[];
  of(step: string): Finding[];
}

async function doctor(url = server.url, env: Record<string, string> = {}): Promise<Diagnosis> {
  const { code, out: text } = await command(['doctor', '--json', '--app', appName], {
    FOUNDATION_REDIS_URL: url,
    ...env,
  });
  const { ok, findings } = JSON.parse(text) as { ok: boolean; findings: Finding[] };
  return { code, text, ok, findings, of: (step) => findings.filter((each) => each.step === step) };
}

/** A Redis with settings of its own. */
async function special(...args: string[]): Promise<RedisServer> {
  const redis = await startServer({ args });
  closeLater(() => redis.stop());
  await settle(redis, appName);
  return redis;
}

const wrong = ({ findings }: Diagnosis): Finding[] =>
  findings.filter(({ verdict }) => verdict !== 'ok' && verdict !== 'skipped');

describe('foundation doctor', () => {
  it('finds a healthy cluster healthy, leaves nothing behind, and is never a member', async () => {
    const nodes = [await boot(server.url, appName, [Feed]), await boot(server.url, appName, [Feed])];
    await formed(...nodes);
    await eventually(() => nodes[0]!.app.get(ProcessManager).lookupSingleton('feed'));
    const keysBefore = await server.cli('KEYS', `${keys.tag}:doctor*`);
    const found = await doctor();
    expect(wrong(found)).toEqual([]);
    expect(found).toMatchObject({ code: 0, ok: true });
    expect(found.of('members')).toEqual([
      expect.objectContaining({ text: expect.stringMatching(/^2 nodes of Foundation \d+\.\d+\.\d+ in time/) }),
    ]);
    expect(found.of('version')[0]?.text).toMatch(/^\d+\.\d+/);
    expect(
      nodes[0]!
        .of('cluster.node_joined')
        .map(({ node }) => node)
        .sort(),
    ).toEqual(nodes.map(({ name }) => name).sort());
    expect(await server.cli('KEYS', `${keys.tag}:doctor*`)).toBe(keysBefore);
    expect(await server.cli('CLIENT', 'LIST')).not.toContain('foundation:cli');
  });

  it('says which application, Redis, database and keys it looked at', async () => {
    const url = server.url.replace(/\/?$/, '/3');
    const found = await doctor(url);
    const { port } = new URL(server.url);
    const place = `127.0.0.1:${port} database 3`;
    expect(found.of('configuration')[0]?.text).toContain(
      `app "${appName}", keys {foundation:${appName}}:*, Redis at ${place}`,
    );
    expect(found.of('redis')).toMatchObject([{ verdict: 'ok', text: `connected to ${place}` }]);
    expect(JSON.parse(found.text)).toMatchObject({
      ...{ app: appName, keys: `{foundation:${appName}}:*` },
      redis: [{ endpoint: `127.0.0.1:${port}`, database: 3 }],
    });
  });

  it('says where nodes are when none is in this database', async () => {
    const redis = await special();
    const node = await boot(redis.adminUrl.replace(/\/?$/, '/5'), appName, []);
    await formed(node);
    const { port } = new URL(redis.url);
    const elsewhere = await doctor(redis.adminUrl);
    expect(elsewhere.of('members')).toMatchObject([
      {
        verdict: 'warning',
        text: `no node of "${appName}" is in 127.0.0.1:${port} database 0`,
        advice: expect.stringMatching(/Start a node, or check --app and the Redis\.(?=.* database 5 )/),
      },
    ]);
    const command5 = ['doctor', '--json', '--app', 'shopp'];
    const { out } = await command(command5, { FOUNDATION_REDIS_URL: redis.adminUrl.replace(/\/?$/, '/5') });
    const { findings } = JSON.parse(out) as { findings: Finding[] };
    expect(findings.find(({ step }) => step === 'members')?.advice).toContain(`Here are nodes of: ${appName}.`);
  });

  it('lists what no node declares any longer, with the command that forgets it', async () => {
    const first = await boot(server.url, appName, [Feed, Nightly]);
    await formed(first);
    await eventually(() => first.app.get(ProcessManager).lookupSingleton('nightly job'));
    expect((await doctor()).of('orphans')).toEqual([
      { step: 'orphans', verdict: 'ok', text: 'a node declares each of the declared processes' },
    ]);
    await first.app.close();
    expect((await doctor()).of('orphans')).toMatchObject([{ verdict: 'skipped' }]);
    await formed(await boot(server.url, appName, [Feed]));
    const [orphan, ...others] = (await doctor()).of('orphans');
    expect(others).toEqual([]);
    expect(orphan).toMatchObject({ verdict: 'warning', text: 'no node declares "nightly job" any longer' });
    const forget = orphan!
      .advice!.split('\n')
      .find((line) => line.includes('forget '))!
      .trim();
    expect(forget).toBe(`npx foundation forget 'nightly job' --app ${appName}`);
    const words = ['forget', 'nightly job', '--app', appName];
    expect(await command(words, { FOUNDATION_REDIS_URL: server.url })).toMatchObject({ code: 0 });
    expect((await doctor()).of('orphans')).toMatchObject([{ verdict: 'ok' }]);
  });

  it('writes nothing into a Redis that no cluster uses', async () => {
    const redis = await special();
    await redis.cli('FLUSHALL');
    const found = await doctor(redis.url);
    expect(found.code).toBe(0);
    expect(found.of('members')).toMatchObject([{ verdict: 'warning', text: expect.stringMatching(/^no node of /) }]);
    expect(await redis.cli('KEYS', '*')).toBe('');
  });

  it('says that Redis is away, and tries nothing that needs it', async () => {
    const redis = await special();
    await redis.kill();
    const found = await doctor(redis.url.replace('//', '//user:hidden-word@'));
    expect(found.code).toBe(1);
    expect(found.of('redis')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining('ECONNREFUSED') }]);
    expect(found.of('members')).toMatchObject([{ verdict: 'skipped' }]);
    expect(found.text).not.toContain('hidden-word');
  });

  it('says that Redis hangs', async () => {
    const redis = await special();
    redis.pause();
    const found = await doctor(redis.url);
    redis.resume();
    expect(found.of('redis')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining('no connection in') }]);
  });

  it('tells an eviction policy that is dangerous now from one that may become so', async () => {
    const limited = await special('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru');
    const now = await doctor(limited.url);
    expect(now.code).toBe(1);
    expect(now.of('maxmemory-policy')).toMatchObject([
      {
        verdict: 'failed',
        text: expect.stringContaining('allkeys-lru'),
        advice: expect.stringContaining('CONFIG SET'),
      },
    ]);
    await limited.cli('CONFIG', 'SET', 'maxmemory', '0');
    const later = await doctor(limited.url);
    expect(later.code).toBe(0);
    expect(later.of('maxmemory-policy')).toMatchObject([{ verdict: 'warning' }]);
  });

  it.each([
    ['a wrong password', 'redis://:wrong-word@', 'WRONGPASS'],
    ['no password', 'redis://', 'NOAUTH'],
  ])('names %s, and shows no password', async (_what, head, reply) => {
    const redis = await startServer({ password: 'right-word' });
    closeLater(() => redis.stop());
    const found = await doctor(`${head}127.0.0.1:${redis.port}`);
    expect(found.code).toBe(1);
    expect(found.of('redis')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining(reply) }]);
    expect(found.text).not.toMatch(/(right|wrong)-word/);
  });

  it('names the commands that the user may not use, and the rule that it advises is enough for a node', async () => {
    const redis = await special();
    const user = `redis://app:word@127.0.0.1:${redis.port}`;
    await redis.cli('ACL', 'SETUSER', 'app', 'on', '>word', '~*', '&*', '+@all', '-zadd', '-publish');
    const found = await doctor(user);
    expect(found.code).toBe(1);
    const [{ text, advice }] = found.of('permissions') as [Finding];
    expect(text).toContain('ZADD, PUBLISH');
    const rule = /ACL SETUSER app (.+)$/.exec(advice!)![1]!.replaceAll(`'`, '').split(' ');
    await redis.cli('ACL', 'SETUSER', 'app', 'reset', 'on', '>word', ...rule);
    const node = await boot(user, appName, [Feed]);
    await eventually(() => node.app.get(ProcessManager).lookupSingleton('feed'));
    expect(wrong(await doctor(user))).toEqual([]);
  });

  it('names the keys that the user may not touch', async () => {
    const redis = await special();
    await redis.cli('ACL', 'SETUSER', 'app', 'on', '>word', '~other:*', '&*', '+@all');
    const found = await doctor(`redis://app:word@127.0.0.1:${redis.port}`);
    expect(found.of('permissions')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining(keys.tag) }]);
  });

  it('says that Redis takes no writes', async () => {
    const redis = await special();
    await redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
    const found = await doctor(redis.url);
    expect(found.of('permissions')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining('NOREPLICAS') }]);
  });

  it('names a node that has stopped beating', async () => {
    const node = await boot(server.url, appName, [], { membership: { beatEvery: 1000, ttl: 600_000 } });
    const client = new Redis(server.adminUrl);
    closeLater(async () => client.disconnect());
    // The node itself would beat again within a second, so its record is looked at under a name that nobody beats for.
    const record = (await client.hget(keys.nodes, node.name))!;
    await client.hset(keys.nodes, 'silent', record.replaceAll(node.name, 'silent'));
    await client.zadd(keys.beats, Date.now() - 60_000, 'silent');
    const found = await doctor();
    expect(found.code).toBe(1);
    expect(found.of('members')).toContainEqual(
      expect.objectContaining({ verdict: 'failed', text: expect.stringMatching(/"silent".*last beat 60 s ago/) }),
    );
  });

  describe('with direct links', () => {
    const env = (cookie: string) => ({ FOUNDATION_TRANSPORT: 'direct', FOUNDATION_COOKIE: cookie });

    it('knocks at each node, and no node takes it for one', async () => {
      const nodes = [await boot(server.url, appName, [], direct()), await boot(server.url, appName, [], direct())];
      await formed(...nodes);
      await eventually(() => nodes.every(({ of }) => of('transport.link_up').length === 1));
      const found = await doctor(server.url, env(COOKIE));
      expect(wrong(found)).toEqual([]);
      expect(found.of('direct links')).toHaveLength(2);
      for (const { text } of found.of('direct links')) expect(text).toContain('takes the cookie');
      for (const { of } of nodes) {
        expect(of('transport.link_up')).toHaveLength(1);
        expect(of('transport.refused')).toEqual([]);
      }
    });

    it.each([
      ['another cookie', { FOUNDATION_COOKIE: 'quite another cookie' }, 'a different cookie, or none'],
      ['no cookie', {}, 'here is none'],
    ])('says that it has %s than the nodes, and shows neither', async (_what, more, text) => {
      await boot(server.url, appName, [], direct());
      const found = await doctor(server.url, more);
      expect(found.code).toBe(1);
      expect(found.of('members')[0]).toMatchObject({ verdict: 'failed', text: expect.stringContaining(text) });
      expect(found.text).not.toMatch(/quite another cookie|the cookie of/);
    });

    it('says that a node cannot be reached', async () => {
      const transport = { kind: 'direct' as const, host: '127.0.0.1', advertise: '127.0.0.1:1' };
      await boot(server.url, appName, [], { ...direct(), transport });
      const found = await doctor(server.url, env(COOKIE));
      expect(found.of('direct links')).toMatchObject([
        { verdict: 'failed', text: expect.stringContaining('cannot be reached') },
      ]);
    });

    it('knocks with the cookie alone, and names what the configuration lacks', async () => {
      await boot(server.url, appName, [], direct());
      const enough = await doctor(server.url, { FOUNDATION_COOKIE: COOKIE });
      expect(enough.of('direct links')).toMatchObject([{ verdict: 'ok' }]);
      const half = await doctor(server.url, { FOUNDATION_TRANSPORT: 'direct' });
      expect(half).toMatchObject({ code: 1, findings: [{ step: 'configuration', verdict: 'failed' }] });
    });
  });

  it('tries every server of a quorum', async () => {
    const [second, third] = [await special(), await special()];
    await third.kill();
    const found = await doctor(`${server.url} ${second.url} ${third.url}`);
    expect(found.code).toBe(1);
    expect(found.of('redis').map(({ verdict }) => verdict)).toEqual(['ok', 'ok', 'failed']);
    expect(found.of('version')).toHaveLength(2);
    expect(found.of('version')[0]?.text).toContain(`127.0.0.1:${server.port}: `);
  });

  describe('with a topology strategy', () => {
    it('compares the peers of Consul with the members, and is registered nowhere', async () => {
      const consul = await FakeConsul.open();
      closeLater(() => consul.close());
      const env = { FOUNDATION_CLUSTER: 'consul', CONSUL_HTTP_ADDR: consul.address };
      const node = await boot(server.url, appName, [], { cluster: { strategy: 'consul', address: consul.address } });
      await eventually(() => consul.registrations.length === 1);
      const found = await doctor(server.url, env);
      expect(wrong(found)).toEqual([]);
      expect(found.of('strategies')).toMatchObject([{ text: 'consul finds 1 peer and no Redis' }]);
      expect(found.of('peers')).toMatchObject([{ verdict: 'ok' }]);
      // What registers would also be taken out at the end.
      expect(consul.requests.filter((request) => request.includes('deregister'))).toEqual([]);
      expect(consul.registrations.map(({ Meta }) => Meta?.['foundation-node'])).toEqual([node.name]);

      consul.register({ ID: 'lost', Name: appName, Meta: { 'foundation-node': 'lost' } });
      const absent = await doctor(server.url, env);
      expect(absent.code).toBe(1);
      expect(absent.of('peers')).toMatchObject([{ verdict: 'failed', text: 'peer lost is ready and no member' }]);

      consul.fault = 'broken';
      const broken = await doctor(server.url, env);
      expect(broken.of('strategies')).toMatchObject([{ verdict: 'failed', text: expect.stringContaining('consul') }]);
    });

    it('prints the role that Kubernetes asks for, so that it can be applied', async () => {
      const kubernetes = await TestKubernetes.fake();
      closeLater(() => kubernetes.close());
      await kubernetes.namespace('space');
      const before = process.env['KUBECONFIG'];
      process.env['KUBECONFIG'] = await kubernetes.kubeconfig('space');
      closeLater(
        async () =>
          void (before === undefined ? delete process.env['KUBECONFIG'] : (process.env['KUBECONFIG'] = before)),
      );
      const env = { FOUNDATION_CLUSTER: 'kubernetes', FOUNDATION_K8S_NAMESPACE: 'space' };
      const found = await doctor(server.url, env);
      expect(found.code).toBe(1);
      const [{ text, advice }] = found.of('strategies') as [Finding];
      expect(text).toContain('403');
      await kubernetes.apply(loadAllYaml(advice!) as never);
      expect((await doctor(server.url, env)).of('strategies')).toMatchObject([{ verdict: 'ok' }]);

      const lines = (await command(['doctor', '--app', appName], { FOUNDATION_REDIS_URL: server.url, ...env })).out;
      expect(lines).toContain('kubernetes finds 0 peers');
    });
  });
});
