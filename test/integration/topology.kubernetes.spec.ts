// The strategy `kubernetes` against a small API server, and against a real one where KUBEBUILDER_ASSETS names its
// binaries.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as client from '@kubernetes/client-node';
import {
  HealthMonitor,
  Membership,
  type Peer,
  ProcessManager,
  Singleton,
  Topologies,
  translateKubernetes,
} from 'nestjs-foundation';
import { createKubernetes } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { RUNNING, TestKubernetes } from '../support/kubernetes.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { boot, CapturedLog, closeAll, credentials, formed, freshName, settle } from './fixture.js';
import { looking, shown, until, untilState } from './topology.fixture.js';

const assets = process.env['KUBEBUILDER_ASSETS'];
const servers: [string, boolean, () => Promise<TestKubernetes>][] = [
  ['a small API server', true, () => TestKubernetes.fake()],
];
if (assets) servers.push(['a real kube-apiserver', false, () => TestKubernetes.real(assets)]);

const APP = { app: 'shop' };
const ROLE = (namespace: string) => [
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'foundation', namespace } },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }],
  },
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'foundation', namespace } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'foundation' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  },
];

@Singleton({ name: 'till' })
class Till {}

describe.each(servers)('the strategy kubernetes with %s', (_what, isFake, open) => {
  let kubernetes: TestKubernetes;
  let namespace: string;
  let log: CapturedLog;

  beforeAll(async () => void (kubernetes = await open()), 90_000);
  afterAll(() => kubernetes.close(), 30_000);
  beforeEach(async () => {
    log = CapturedLog.install();
    namespace = freshName('space');
    await kubernetes.namespace(namespace);
  });
  afterEach(async () => {
    if (kubernetes.fake !== undefined) kubernetes.fake.fault = 'none';
    await closeAll();
  });

  /** A strategy that runs, with short times. */
  async function look(world: Parameters<typeof createKubernetes>[1] = {}): Promise<TopologyRunner> {
    const { config } = translateKubernetes({ appName: 'shop', kubeconfig: await kubernetes.kubeconfig(namespace) });
    const never = () => Promise.reject(new Error('ENOTFOUND'));
    const strategy = await createKubernetes(config, { env: {}, lookup: never, answerMs: 2000, paceMs: 20, ...world });
    return looking(strategy, 'shop', 'n1');
  }

  const sees = (topologies: TopologyRunner, expected: string): Promise<void> =>
    until(topologies, shown(topologies, 'host'), expected);

  it('says which rights are missing, so that what it prints can be applied, and goes on by itself', async () => {
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    const topologies = await look();
    const error = await eventually(() => topologies.status()[0]?.error, {
      ...{ what: 'An error', lastSeen: () => topologies.status() },
    });
    expect(error).toContain('403');
    expect(log.lines.filter((line) => line.includes('kind: RoleBinding'))).toHaveLength(1);
    const manifest = error.slice(error.indexOf('apiVersion:'));
    await kubernetes.apply(client.loadAllYaml(manifest) as never);
    await sees(topologies, 'shop-1 ready');
    const state = () => topologies.status()[0]?.state;
    await eventually(() => state() === 'looking', { what: 'A watch', lastSeen: state });
  });

  it('follows pods from beginning to end, and tells an end from a disappearance', async () => {
    await kubernetes.apply(ROLE(namespace));
    const uid = await kubernetes.pod(namespace, 'shop-1', APP);
    await kubernetes.pod(namespace, 'other', { app: 'other' }, RUNNING);
    const topologies = await look();
    await sees(topologies, 'shop-1 not-ready');
    await kubernetes.status(namespace, 'shop-1', RUNNING);
    await sees(topologies, 'shop-1 ready');
    expect(topologies.peers()).toEqual([
      { id: uid, host: 'shop-1', address: '10.1.0.1', state: 'ready' },
    ] satisfies Peer[]);

    await kubernetes.pod(namespace, 'shop-2', APP, RUNNING);
    await kubernetes.pod(namespace, 'shop-3', APP, RUNNING);
    await sees(topologies, 'shop-1 ready, shop-2 ready, shop-3 ready');
    expect(topologies.expectedNodes()).toBe(3);

    await kubernetes.delete(namespace, 'shop-1');
    await sees(topologies, 'shop-1 leaving, shop-2 ready, shop-3 ready');
    expect(topologies.expectedNodes()).toBe(2);
    await kubernetes.status(namespace, 'shop-1', { ...RUNNING, phase: 'Succeeded' });
    await sees(topologies, 'shop-1 terminated, shop-2 ready, shop-3 ready');
    await kubernetes.delete(namespace, 'shop-1', 0);
    // Deleted by force while it ran: perhaps it still does.
    await kubernetes.delete(namespace, 'shop-2', 0);
    await sees(topologies, 'shop-1 terminated, shop-3 ready');
    await kubernetes.status(namespace, 'shop-3', { phase: 'Failed' });
    await sees(topologies, 'shop-1 terminated, shop-3 terminated');
    expect(topologies.expectedNodes()).toBeUndefined();
  });

  it('ends its watch when it is stopped', async () => {
    await kubernetes.apply(ROLE(namespace));
    const topologies = await look();
    await eventually(() => topologies.status()[0]?.state === 'looking', {
      what: 'A watch',
      lastSeen: () => topologies.status(),
    });
    await topologies.stop();
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    if (kubernetes.fake !== undefined) {
      await eventually(() => kubernetes.fake?.watchers === 0, {
        what: 'No watch',
        lastSeen: () => kubernetes.fake?.watchers,
      });
    }
    expect(shown(topologies, 'host')()).toBe('');
  });

  it('goes on after each end of a watch', async () => {
    await kubernetes.apply(ROLE(namespace));
    let begun = 0;
    class Watch extends client.Watch {
      override watch(...args: Parameters<client.Watch['watch']>) {
        begun++;
        return super.watch(...args);
      }
    }
    const topologies = await look({ watchSeconds: 1, load: () => Promise.resolve({ ...client, Watch }) });
    for (const name of ['shop-1', 'shop-2', 'shop-3']) {
      const before = shown(topologies, 'host')();
      await kubernetes.pod(namespace, name, APP, RUNNING);
      await sees(topologies, `${before === '' ? '' : `${before}, `}${name} ready`);
      const watches = begun;
      // A real one ends them after `watchSeconds`.
      kubernetes.fake?.endWatches();
      await eventually(() => begun > watches, { what: 'The next watch', lastSeen: () => begun });
    }
    expect(topologies.status()[0]).toMatchObject({ failures: 0 });
  });

  describe('in an application', () => {
    let redis: RedisServer;
    beforeAll(async () => void (redis = await startRedis()));
    afterAll(() => redis.stop());
    afterEach(() => {
      delete process.env['REDIS_SERVICE_HOST'];
      delete process.env['REDIS_SERVICE_PORT'];
    });

    async function start(names: readonly string[]) {
      await kubernetes.apply(ROLE(namespace));
      const appName = freshName('shop');
      for (const name of names) await kubernetes.pod(namespace, name, { app: appName }, RUNNING);
      await settle(redis, appName);
      const { hostname, port } = new URL(redis.url);
      Object.assign(process.env, { REDIS_SERVICE_HOST: hostname, REDIS_SERVICE_PORT: port });
      const cluster = { strategy: 'kubernetes', kubeconfig: await kubernetes.kubeconfig(namespace) } as const;
      return Promise.all(names.map((nodeName) => boot(credentials(redis), appName, [Till], { cluster, nodeName })));
    }

    it('finds Redis and says how many nodes to expect', async () => {
      const names = ['shop-1', 'shop-2', 'shop-3'].map(freshName);
      const nodes = await start(names);
      await formed(...nodes);
      const { app } = nodes[0]!;
      await eventually(() => app.get(Topologies).expectedNodes() === 3, {
        ...{ what: 'Three expected', lastSeen: () => app.get(Topologies).status() },
      });
      expect((await app.get(HealthMonitor).clusterHealth()).reasons).toEqual([]);
      expect(names).toContain(app.get(Topologies).peers()[0]?.host);
      expect(log.lines.join('\n')).toContain('"strategy":"kubernetes"');
    });

    it('takes a node for gone when its pod has ended; one that lives comes back, and keeps what it owns', async () => {
      const names = ['shop-1', 'shop-2'].map(freshName);
      const nodes = await start(names);
      await formed(...nodes);
      const processes = nodes[0]!.app.get(ProcessManager);
      const before = await eventually(() => processes.lookupSingleton<Till>('till'), {
        what: 'An owner',
        timeout: 10_000,
      });
      const other = nodes.find(({ name }) => name !== before.node)!;
      const namespaceOf = namespace;
      await kubernetes.status(namespaceOf, before.node, { phase: 'Failed' });
      const gone = await eventually(() => other.of('cluster.node_left').find(({ node }) => node === before.node), {
        ...{ what: 'The end of the node', lastSeen: () => other.events.slice(-5) },
      });
      expect(gone.reason).toBe('terminated');
      // The strategy was wrong: the process runs. Its lease is its own all the while.
      await formed(...nodes);
      const states = () => nodes.map(({ app }) => app.get(Membership).state);
      await eventually(() => states().every((state) => state === 'up'), { what: 'Both up', lastSeen: states });
      const after = await processes.lookupSingleton<Till>('till');
      expect(after).toMatchObject({ node: before.node, epoch: before.epoch });
      expect(nodes.flatMap(({ of }) => of('lease.lost'))).toEqual([]);
    });
  });

  // What only a server of the test's own can be made to do.
  if (isFake) {
    const lists = (): number =>
      kubernetes.fake!.requests.filter(
        (each) => each.startsWith('GET') && each.includes(`/${namespace}/`) && !each.includes('watch='),
      ).length;

    it('keeps what it knows while the API server fails, and then takes up where it was', async () => {
      const fake = kubernetes.fake!;
      await kubernetes.apply(ROLE(namespace));
      await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
      const topologies = await look();
      await sees(topologies, 'shop-1 ready');
      for (const fault of ['refuse', 'hang'] as const) {
        fake.fault = fault;
        fake.cut();
        await eventually(() => topologies.status()[0]?.state === 'failing', {
          what: 'A failure',
          lastSeen: () => topologies.status(),
        });
        expect(shown(topologies, 'host')()).toContain('shop-1 ready');
        await kubernetes.pod(namespace, `shop-${fault}`, APP, RUNNING);
        fake.fault = 'none';
        fake.cut();
        const missed = `shop-${fault} ready`;
        await eventually(
          () => shown(topologies, 'host')().includes(missed) && topologies.status()[0]?.state === 'looking',
          {
            ...{ what: missed, timeout: 15_000, lastSeen: () => [shown(topologies, 'host')(), topologies.status()] },
          },
        );
      }
      expect(lists()).toBe(1);
    });

    it('takes nothing of an answer that is no list', async () => {
      kubernetes.fake!.fault = 'broken';
      const topologies = await look();
      await eventually(() => topologies.status()[0]?.state === 'failing', {
        ...{ what: 'A failure', lastSeen: () => topologies.status() },
      });
      expect(topologies.expectedNodes()).toBeUndefined();
    });

    it('asks for the list anew when the API server has forgotten where the watch was', async () => {
      await kubernetes.apply(ROLE(namespace));
      await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
      const topologies = await look();
      await sees(topologies, 'shop-1 ready');
      // The list is told before its watch begins, and one that begins after the compaction would be refused.
      await untilState(topologies, 'looking');
      kubernetes.fake!.compact();
      await kubernetes.delete(namespace, 'shop-1', 0);
      await kubernetes.pod(namespace, 'shop-2', APP, RUNNING);
      kubernetes.fake!.compact();
      kubernetes.fake!.endWatches();
      await sees(topologies, 'shop-2 ready');
      await eventually(() => lists() === 2, { what: 'Two lists', lastSeen: lists });
      expect(topologies.status()[0]).toMatchObject({ failures: 0 });
    });

    it('begins a watch where the last bookmark was', async () => {
      const fake = kubernetes.fake!;
      await kubernetes.apply(ROLE(namespace));
      const topologies = await look();
      await eventually(() => fake.watchers > 0, { what: 'A watch', lastSeen: () => fake.requests.slice(-3) });
      expect(topologies.peers()).toEqual([]);
      const versions = () =>
        fake.requests
          .filter((each) => each.includes(`/${namespace}/`) && each.includes('watch='))
          .map((each) => Number(/resourceVersion=(\d+)/.exec(each)?.[1]));
      fake.bookmark();
      fake.endWatches();
      await eventually(() => versions().length === 2, { what: 'Another watch', lastSeen: versions });
      expect(versions()[1]).toBe(versions()[0]! + 1);
      expect(fake.requests.some((each) => each.includes('allowWatchBookmarks=true'))).toBe(true);
    });

    it('passes over what is no pod', async () => {
      const fake = kubernetes.fake!;
      await kubernetes.apply(ROLE(namespace));
      const topologies = await look();
      await eventually(() => fake.watchers > 0, { what: 'A watch', lastSeen: () => fake.requests.slice(-3) });
      for (const object of [
        'null',
        '5',
        '{}',
        '{"metadata":null}',
        '{"metadata":{"uid":5}}',
        '{"__proto__":{"uid":"x"}}',
      ]) {
        fake.inject(`{"type":"ADDED","object":${object}}`);
      }
      fake.inject('not json');
      fake.inject('{"type":"ADDED"}');
      await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
      await sees(topologies, 'shop-1 ready');
      expect(topologies.status()[0]).toMatchObject({ failures: 0 });
    });
  }
});
