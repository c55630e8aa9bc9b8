import { describe, expect, it } from '@jest/globals';
import type { NodeRecord } from '../../backend/directory/directory.js';
import { knockFinding, memberFindings, nobodyFinding, orphanFindings, sweepFinding } from './cluster.findings.js';
import { findingLines } from './doctor.js';
import type { Finding } from './doctor.step.js';
import {
  clockFinding,
  durabilityFinding,
  latencyFinding,
  notReached,
  permissionFindings,
  policyFinding,
  versionFinding,
} from './redis.findings.js';
import { peerFindings, strategyFinding } from './topology.findings.js';

const record = (name: string, more: Partial<NodeRecord> = {}): NodeRecord => ({
  ...{ name, bootId: `b-${name}`, host: 'h', pid: 1, version: '0.1.0', state: 'up' as const, classes: [], load: 0 },
  ...{ lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 1, ...more },
});
const verdicts = (findings: Finding[]): string[] => findings.map(({ verdict, text }) => `${verdict} ${text}`);

describe('of Redis', () => {
  it('a version', () => {
    expect(versionFinding({ version: '7.2.4', isSupported: true, hasLimit: false }).verdict).toBe('ok');
    expect(versionFinding({ version: '6.0.1', isSupported: false, hasLimit: false })).toMatchObject({
      verdict: 'failed',
      advice: expect.stringContaining('6.2'),
    });
    expect(versionFinding({ isSupported: true, hasLimit: false }).verdict).toBe('warning');
    const imitation = versionFinding({ version: '8.0.0', isSupported: true, hasLimit: false, isImitation: true });
    expect(imitation).toMatchObject({ verdict: 'warning', text: expect.stringContaining('development only') });
  });

  it.each([
    ['noeviction', true, 'ok'],
    ['noeviction', false, 'ok'],
    ['allkeys-lru', true, 'failed'],
    ['volatile-ttl', true, 'failed'],
    ['allkeys-lru', false, 'warning'],
    [undefined, true, 'warning'],
  ])('the policy %p, with a limit %p, is %p', (policy, hasLimit, verdict) => {
    expect(policyFinding({ isSupported: true, hasLimit, ...(policy === undefined ? {} : { policy }) }).verdict).toBe(
      verdict,
    );
  });

  it.each([
    [
      { version: '7.0.15', appendsToFile: true },
      `'memory', not 'fsync' (Redis 7.0.15 is older than 7.2), no { replicas } (none is connected)`,
    ],
    [
      { version: '7.2.4', appendsToFile: false, replicas: 1 },
      `'memory', not 'fsync' (appendonly is not yes), { replicas: 1 } at most`,
    ],
    [{ version: '8.0.0', appendsToFile: true, replicas: 2 }, `'memory', 'fsync', { replicas: 2 } at most`],
  ])('says of %p what durable channels can acknowledge by', (facts, text) => {
    const finding = durabilityFinding({ isSupported: true, hasLimit: false, ...facts });
    expect(finding).toMatchObject({ verdict: 'ok', text: `durable channels can acknowledge: ${text}` });
  });

  it.each([
    [[1, 2, 3], 'ok'],
    [[1, 1, 120], 'warning'],
    [[250, 260, 300], 'failed'],
  ])('answers after %p ms are %p with a command timeout of 200 ms', (samples, verdict) => {
    expect(latencyFinding(samples, { commandTimeout: 200 }).verdict).toBe(verdict);
  });

  it.each([
    [0, 1, 'ok', '0 ms ahead of'],
    [-900, 1, 'ok', '900 ms behind'],
    [1400, 500, 'ok', '1.4 s ahead of'],
    [-5000, 1, 'warning', '5.0 s behind'],
  ])('a clock that is off by %p ± %p ms is %p', (offset, error, verdict, text) => {
    expect(clockFinding(offset, error)).toMatchObject({ verdict, text: expect.stringContaining(text) });
  });

  it('a connection that did not come about', () => {
    expect(notReached('h:1', 'connect ECONNREFUSED h:1').text).toBe('h:1 cannot be reached: connect ECONNREFUSED h:1');
    expect(notReached('h:1', 'WRONGPASS invalid').advice).toContain('password');
  });

  it('permissions', () => {
    const probe = { user: 'app', isCluster: false };
    expect(permissionFindings([], probe, 'x')).toMatchObject([{ verdict: 'ok' }]);
    const refused = [
      { command: 'ZADD', reply: 'NOPERM no' },
      { command: 'ZADD', reply: 'NOPERM no' },
      { command: 'SET', reply: 'OOM command not allowed' },
      { command: 'DEL', reply: 'MISCONF' },
    ];
    expect(verdicts(permissionFindings(refused, probe, 'x'))).toEqual([
      'failed user "app" may not use ZADD on {foundation:x}:*',
      'failed SET failed: OOM command not allowed (and 1 more)',
    ]);
  });
});

describe('of the cluster', () => {
  const at = (beats: Record<string, number>) => ({ now: 100_000, beats: new Map(Object.entries(beats)) });

  it('nobody, and where somebody is', () => {
    expect(memberFindings([], at({}), undefined)).toEqual([]);
    const nobody = { app: 'shop', place: 'h:1 database 1', clusters: [], databases: [1] };
    expect(nobodyFinding(nobody)).toEqual({
      ...{ verdict: 'warning', text: 'no node of "shop" is in h:1 database 1' },
      advice: 'Start a node, or check --app and the Redis.',
    });
    expect(nobodyFinding({ ...nobody, clusters: ['shops'], databases: [0, 1, 11] }).advice).toBe(
      'Start a node, or check --app and the Redis. Here are nodes of: shops. Its databases 0, 11 hold keys, too.',
    );
  });

  it('what no node declares, each with the command that forgets it', () => {
    expect(orphanFindings([], 'shop').map(({ verdict }) => verdict)).toEqual(['ok']);
    const [found] = orphanFindings(['nightly', "it's late", '$(reboot)'], 'shop');
    expect(found).toMatchObject({
      verdict: 'warning',
      text: `no node declares "nightly", "it's late", "$(reboot)" any longer`,
    });
    expect(found!.advice!.split('\n').slice(1)).toEqual([
      'npx foundation forget nightly --app shop',
      `npx foundation forget 'it'\\''s late' --app shop`,
      `npx foundation forget '$(reboot)' --app shop`,
    ]);
    const [many] = orphanFindings(
      Array.from({ length: 25 }, (_, index) => `p${index}`),
      'shop',
    );
    expect(many!.text).toMatch(/"p19" and 5 more any longer$/);
  });

  it('who is in time, late, and expected', () => {
    const members = [
      record('a'),
      record('b', { state: 'draining' }),
      record('c'),
      record('d'),
      record('e', { ttl: 90_000, beatEvery: 30_000 }),
    ];
    const beats = at({ a: 99_900, b: 99_000, c: 97_500, e: 80_000 });
    expect(verdicts(memberFindings(members, beats, 6))).toEqual([
      'ok 3 nodes of Foundation 0.1.0 in time, 1 of them draining; the oldest beat is 20 s old',
      'failed node "c" (h, pid 1) last beat 2.5 s ago',
      'failed node "d" (h, pid 1) has no beat',
      'failed only 5 of 6 expected nodes (FOUNDATION_EXPECTED_NODES) are there',
    ]);
  });

  it('what the nodes disagree about', () => {
    const members = [
      record('a', { declares: { carts: 'partitioned 4 11' } }),
      record('b', { version: '0.2.0', leaseServers: 3, declares: { carts: 'partitioned 8 22' } }),
    ];
    expect(verdicts(memberFindings(members, at({ a: 100_000, b: 100_000 }), undefined)).slice(1)).toEqual([
      'warning the nodes do not agree about version: 0.1.0 (a) and 0.2.0 (b); they understand one another',
      'warning the nodes do not agree about process carts: partitioned 4 11 (a) and partitioned 8 22 (b); what runs stays as ' +
        'it is until all that declare it declare the same',
      'failed the nodes have leases on different numbers of Redis servers: 1, 3',
    ]);
  });

  it.each([
    [0, 2, 'ok'],
    [14_000, 2, 'ok'],
    [60_000, 2, 'failed'],
    [60_000, 0, 'warning'],
    [undefined, 2, 'warning'],
    [undefined, 0, 'skipped'],
  ])('a sweep that is %p ms late with %p members is %p', (late, members, verdict) => {
    expect(sweepFinding(late, members).verdict).toBe(verdict);
  });

  it('a knock', () => {
    const node = record('a', { address: '10.0.0.1:7000' });
    expect(knockFinding(node, { outcome: 'ok', ms: 3 }, false).verdict).toBe('ok');
    expect(knockFinding(node, { outcome: 'unreachable', reason: 'ETIMEDOUT' }, false).text).toContain(
      'cannot be reached',
    );
    expect(knockFinding(node, { outcome: 'refused', reason: 'closed' }, false).advice).toContain('FOUNDATION_COOKIE');
  });
});

describe('of the strategies', () => {
  const status = {
    strategy: 'kubernetes',
    state: 'looking' as const,
    peers: 2,
    redisFound: true,
    reports: 1,
    failures: 0,
    dropped: 0,
  };

  it('what each finds, or what it lacks with the manifest as it is', () => {
    expect(strategyFinding(status)).toEqual({ verdict: 'ok', text: 'kubernetes finds 2 peers and where Redis is' });
    expect(strategyFinding({ ...status, dropped: 1 }).verdict).toBe('warning');
    const counters = { sent: 3, heard: 2, 'dropped.replayed': 0, 'dropped.undecipherable': 5 };
    expect(strategyFinding({ ...status, counters })).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('packets: sent 3, heard 2, dropped.undecipherable 5'),
    });
    expect(strategyFinding({ ...status, counters: { sent: 3, 'dropped.replayed': 0 } }).verdict).toBe('ok');
    expect(strategyFinding({ ...status, state: 'starting' }).verdict).toBe('failed');
    const error = '403: it may not. Apply this:\n\nkind: Role\nrules:\n  - verbs: [list]';
    expect(strategyFinding({ ...status, state: 'failing', error })).toEqual({
      verdict: 'failed',
      text: 'kubernetes: 403: it may not. Apply this:',
      advice: '\nkind: Role\nrules:\n  - verbs: [list]',
    });
  });

  it('who is ready and absent, and who is there and unknown', () => {
    const peers = [
      { id: '1', node: 'a', state: 'ready' as const },
      { id: '2', node: 'lost', state: 'ready' as const },
      { id: '3', node: 'new', state: 'not-ready' as const },
    ];
    expect(verdicts(peerFindings(peers, [record('a'), record('b')]))).toEqual([
      'failed peer lost is ready and no member',
      'warning node "b" is a member and no strategy finds it',
    ]);
    expect(verdicts(peerFindings(peers.slice(0, 1), [record('a')]))).toEqual([
      'ok all 1 peer that are ready are members',
    ]);
    expect(peerFindings([{ id: 'x:1', address: 'x:1', state: 'ready' }], [record('a')])).toMatchObject([
      { verdict: 'ok' },
    ]);
  });
});

describe('findingLines', () => {
  it('wraps what is said, and leaves a manifest as it is', () => {
    const one = {
      step: 'strategies',
      verdict: 'failed' as const,
      text: 'one two three four five six seven',
      advice: 'apply:\nkind: Role\n  - a b',
    };
    expect(findingLines(one, { width: 50, hasColor: false })).toEqual([
      'failed   strategies        one two three four five',
      '                           six seven',
      '                           → apply:',
      'kind: Role',
      '  - a b',
    ]);
  });
});
