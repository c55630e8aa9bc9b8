import { describe, expect, it } from '@jest/globals';
import type { Member } from '../cluster/member.js';
import type { StrategyStatus } from '../cluster/topologies/strategy.runner.js';
import type { ServiceInfo, ServiceStatus } from '../services/service.js';
import type { HealthFacts } from './health.reasons.js';
import { clusterReport, withoutDetails } from './health.report.js';

const member = (name: string, more: Partial<Member> = {}): Member => ({
  ...{
    name,
    bootId: name,
    host: 'h',
    pid: 1,
    version: '0',
    state: 'up',
    load: 2,
    lag: 0,
    labels: {},
    replicas: {},
    classes: [],
  },
  ...{ listens: {}, joinedAt: 1000, self: name === 'a', ...more },
});
const service = (name: string, status: ServiceStatus): ServiceInfo => ({
  ...{ name, instanceId: `${name}.${status}`, node: 'a', bootId: 'a', capabilities: [], metadata: {}, registeredAt: 1 },
  status,
});
const facts = (more: Partial<HealthFacts> = {}): HealthFacts => ({
  now: 5000,
  clusterNow: 4000,
  self: 'a',
  state: 'up',
  expected: 3,
  latencyMs: 1,
  members: [member('a'), member('b'), member('c')],
  strategies: [],
  escalated: [],
  stranded: [],
  services: [],
  backend: {},
  ...more,
});
const reasonsOf = (more: Partial<HealthFacts>) =>
  clusterReport(facts(more)).reasons.map(({ code, severity }) => `${code} ${severity}`);

const difference = (setting: string, rule: 'refused' | 'settled') => ({
  ...{ setting, rule, outcome: 'what follows' },
  values: [
    { value: '1', nodes: ['a'] },
    { value: '2', nodes: ['b'] },
  ],
});

describe('clusterReport', () => {
  it('tells of a strategy that fails, and of no other', () => {
    const counters = { peers: 2, redisFound: false, reports: 1, failures: 3, dropped: 0 };
    const strategies = [
      { strategy: 'static', state: 'looking', ...counters } as const,
      { strategy: 'kubernetes', state: 'failing', error: 'ECONNREFUSED', ...counters } as const,
    ];
    const { status, reasons } = clusterReport(facts({ strategies }));
    expect(status).toBe('degraded');
    expect(reasons).toEqual([
      {
        code: 'topology-failing',
        severity: 'degraded',
        message: 'The topology strategy "kubernetes" fails; its last result is kept.',
        detail: 'ECONNREFUSED',
      },
    ]);
  });

  it('tells of what no node declares any more, in one reason', () => {
    expect(clusterReport(facts({ orphans: ['nightly', 'carts', 'a', 'b', 'c'] })).reasons).toEqual([
      expect.objectContaining({
        code: 'process-orphaned',
        severity: 'degraded',
        message: expect.stringMatching(/^No node declares "nightly", "carts", "a" and 2 more any longer\./),
      }),
    ]);
  });

  it('has the shape of the specification', () => {
    expect(clusterReport(facts({ services: [service('till', 'healthy')] }))).toEqual({
      status: 'healthy',
      nodes: ['a', 'b', 'c'].map((node) => ({
        node,
        status: 'healthy',
        metrics: { processes: 2, lagMs: 0, memberMs: 3000 },
      })),
      services: [{ service: 'till', status: 'healthy', instances: 1 }],
      reasons: [],
      lastCheck: 5000,
    });
  });

  it.each<[string, Partial<HealthFacts>, string[]]>([
    ['is cut off', { state: 'isolated', backend: undefined }, ['isolated critical']],
    ['has not joined', { state: 'joining', members: [member('a')], expected: 1, backend: undefined }, ['not-joined critical']], // prettier-ignore
    ['has half of its nodes', { expected: 6 }, ['too-few-nodes critical']],
    ['has half plus one', { expected: 4 }, ['nodes-missing degraded']],
    ['has more than expected', { expected: 1 }, []],
    ['has a suspect', { members: [member('a'), member('b', { state: 'suspect' })], expected: 2 }, ['node-suspect degraded']], // prettier-ignore
    ['has a busy node', { members: [member('a', { lag: 500 })], expected: 1 }, ['node-lagging degraded']],
    ['has a clock that is ahead', { now: 64_001 }, ['clock-off degraded']],
    ['has a clock that is behind', { clusterNow: 65_001 }, ['clock-off degraded']],
    ['has a clock that differs as clocks do', { now: 64_000 }, []],
    ['looks on with a clock that is ahead', { now: 1e6, state: 'observing' }, []],
    ['has an escalated process', { escalated: [{ name: 'p', error: 'x' }] }, ['process-escalated critical']], // prettier-ignore
    ['has one sick instance of two', { services: [service('s', 'healthy'), service('s', 'unhealthy')] }, ['service-unhealthy degraded']], // prettier-ignore
    ['has a sick service', { services: [service('s', 'unhealthy')] }, ['service-unhealthy critical']],
    ['has a slow Redis', { latencyMs: 150 }, ['redis-slow degraded']],
    ['has a Redis that may evict', { backend: { evictionPolicy: 'allkeys-lru' } }, ['redis-evicts critical']],
    ['has a Redis that may not', { backend: { evictionPolicy: 'noeviction' } }, []],
    ['has a Redis that says nothing', { backend: undefined }, ['redis-silent degraded']],
    [
      'has nodes that do not agree',
      { differences: [difference('lease.ttl', 'settled'), difference('redis.quorum', 'refused')] },
      ['settings-differ critical', 'settings-differ degraded'],
    ],
    ['has other versions and transports', { differences: [difference('version', 'settled'), difference('transport', 'settled')] }, []], // prettier-ignore
    ['has a late sweep', { backend: { sweepLateMs: 16_000 } }, ['sweep-overdue degraded']],
    ['has a sweep that is a little late', { backend: { sweepLateMs: 6000 } }, []],
  ])('of a cluster that %s', (_what, more, expected) => {
    expect(reasonsOf(more)).toEqual(expected);
    const { status } = clusterReport(facts(more));
    const worst = expected.some((reason) => reason.endsWith('critical')) ? 'critical' : 'degraded';
    expect(status).toBe(expected.length === 0 ? 'healthy' : worst);
  });

  it('names the worst first, and each in a sentence', () => {
    const { reasons } = clusterReport(
      facts({ expected: 4, escalated: [{ name: 'p', error: 'no feed' }, { name: 'q' }] }),
    );
    expect(reasons.map(({ message }) => message)).toEqual([
      'Process "p" crashed too often and stays down. Bring it back with restart("p") after correcting the cause.',
      'Process "q" completed too often and stays down, though it is to run for ever (restart: "permanent"). Bring it back ' +
        'with restart("q") when it is "transient" or "temporary", or no longer completes.',
      'Only 3 of 4 expected nodes are there.',
    ]);
  });

  it('keeps the texts of errors apart from what anybody may see', () => {
    const report = clusterReport(
      facts({
        escalated: [{ name: 'p', error: 'postgres://app:DbPassw0rd@db/prod' }],
        strategies: [{ strategy: 'consul', state: 'failing', error: 'token 1234' } as StrategyStatus],
      }),
    );
    expect(report.reasons.map(({ detail }) => detail)).toEqual(['postgres://app:DbPassw0rd@db/prod', 'token 1234']);
    expect(JSON.stringify(report.reasons.map(({ message }) => message))).not.toMatch(/Passw0rd|1234/);
    expect(JSON.stringify(withoutDetails(report))).not.toMatch(/Passw0rd|1234/);
    expect(withoutDetails(report).reasons.map(({ code }) => code)).toEqual(['process-escalated', 'topology-failing']);
  });

  it('sums the instances of a service up, in the order of the names', () => {
    const services = [service('b', 'unhealthy'), service('a', 'healthy'), service('b', 'healthy')];
    expect(clusterReport(facts({ services })).services).toEqual([
      { service: 'a', status: 'healthy', instances: 1 },
      { service: 'b', status: 'degraded', instances: 2 },
    ]);
  });

  it('says how each node is', () => {
    const members = [member('a'), member('b', { state: 'draining' }), member('c', { lag: 300 })];
    const statuses = clusterReport(facts({ members, state: 'isolated' })).nodes.map(({ status }) => status);
    expect(statuses).toEqual(['critical', 'degraded', 'degraded']);
  });
});

describe('what Redis and its connections are like', () => {
  it('names a connection that does not work for a while, with what Redis said', () => {
    const troubles = [
      { role: 'subscriber', endpoint: 'h:1', forMs: 1500, error: 'ERR max number of clients reached' },
      { role: 'publisher', endpoint: 'h:1', forMs: 100 },
    ];
    const { status, reasons } = clusterReport(facts({ troubles }));
    expect(status).toBe('degraded');
    expect(reasons.map(({ code }) => code)).toEqual(['redis-connection']);
    expect(reasons[0]!.message).toMatch(/"subscriber".*2 s \(ERR max number of clients reached\).*hears no message/);
  });

  it('says of an isolated node what runs, and of one that has not joined why', () => {
    const messageOf = (some: Partial<HealthFacts>) => clusterReport(facts(some)).reasons[0]!.message;
    expect(messageOf({ state: 'isolated', held: 0 })).toContain('its singletons have stopped');
    const full = messageOf({ state: 'isolated', held: 2, trouble: 'OOM command not allowed' });
    expect(full).toMatch(/OOM command not allowed.*2 of its processes hold their lease and run on/);
    expect(full).not.toContain('have stopped');
    expect(messageOf({ state: 'joining', trouble: 'MISCONF' })).toMatch(/has not joined the cluster \(MISCONF\)/);
  });
});
