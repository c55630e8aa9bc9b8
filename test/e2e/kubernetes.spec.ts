// Processes that are told nothing but FOUNDATION_CLUSTER=kubernetes and the name of the application, as in the
// Deployment of the specification, beside a small API server.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestCluster } from '../support/cluster.js';
import { msBetween } from '../support/history.time.js';
import { RUNNING, TestKubernetes } from '../support/kubernetes.js';

const NAMES = ['a', 'b', 'c', 'd'];
const SPACE = 'default';

describe('a cluster in Kubernetes', () => {
  let kubernetes: TestKubernetes;
  let cluster: TestCluster;

  beforeAll(async () => {
    kubernetes = await TestKubernetes.fake();
    await kubernetes.namespace(SPACE);
    const metadata = { name: 'foundation', namespace: SPACE };
    const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: SPACE }];
    await kubernetes.apply([{ kind: 'RoleBinding', metadata, subjects }]);
    for (const name of NAMES) await kubernetes.pod(SPACE, name, { app: 'e2e' }, RUNNING);
    const env: Record<string, string> = {
      ...{ FOUNDATION_CLUSTER: 'kubernetes', FOUNDATION_REDIS_URL: '', REDIS_URL: '', REDIS_SERVICE_HOST: '127.0.0.1' },
      KUBECONFIG: await kubernetes.kubeconfig(SPACE),
    };
    cluster = await TestCluster.open({ processes: 'steady', env });
    const { port, username, password } = new URL(cluster.redis.url);
    Object.assign(env, {
      REDIS_SERVICE_PORT: port,
      FOUNDATION_REDIS_USERNAME: username,
      FOUNDATION_REDIS_PASSWORD: decodeURIComponent(password),
    });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(async () => {
    await cluster.close();
    await kubernetes.close();
  });

  const left = (name: string, after: number) =>
    cluster.event({ event: 'cluster.node_left', after, where: ({ payload }) => payload['node'] === name });

  it('takes a node for dead as soon as its pod has ended', async () => {
    const killedAt = await cluster.node('d').kill();
    await kubernetes.status(SPACE, 'd', { phase: 'Failed' });
    const { at, payload } = await left('d', killedAt);
    expect(payload['reason']).toBe('terminated');
    console.log(`From SIGKILL to node_left, with the word of the API server: ${msBetween(killedAt, at)} ms`);
    await cluster.members(['a', 'b', 'c']);
  });

  it('waits for a silent node whose pod runs', async () => {
    const killedAt = await cluster.node('c').kill();
    expect((await left('c', killedAt)).payload['reason']).toBe('timeout');
    await cluster.members(['a', 'b']);
  });

  it('goes on without its API server', async () => {
    const before = await cluster.owner('steady');
    kubernetes.fake!.fault = 'refuse';
    kubernetes.fake!.cut();
    const [again] = cluster.spawn(['c']);
    await again!.ready;
    await cluster.members(['a', 'b', 'c']);
    expect(await cluster.owner('steady')).toEqual(before);
    expect(cluster.violations()).toEqual([]);
  });
});
