// The strategy `kubernetes` where time, size or other applications matter: quiet watches with either version of the
// client, two accounts in a namespace, a rollout of many pods, a kubeconfig that is written anew.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as client from '@kubernetes/client-node';
import { translateKubernetes } from 'nestjs-foundation';
import { loadClient } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.client.js';
import { createKubernetes } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.js';
import type { Client } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.world.js';
import { TerminatedNodes } from '../../libs/foundation/src/cluster/topologies/terminated.nodes.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { RUNNING, TestKubernetes } from '../support/kubernetes.js';
import { CapturedLog, closeAll, closeLater, freshName } from './fixture.js';
import { looking, shown, until, untilState } from './topology.fixture.js';

const assets = process.env['KUBEBUILDER_ASSETS'];
const servers: [string, boolean, () => Promise<TestKubernetes>][] = [
  ['a small API server', true, () => TestKubernetes.fake()],
];
if (assets) servers.push(['a real kube-apiserver', false, () => TestKubernetes.real(assets)]);

const APP = { app: 'shop' };
const never = () => Promise.reject(new Error('ENOTFOUND'));

/** Version 1 with what version 2 does besides: it ends a watch on which nothing came for so long, by a TimeoutError. */
function endingQuietWatches(quietMs: number): { client: Client; ends: () => number } {
  let ends = 0;
  class Watch extends client.Watch {
    override async watch(...[path, query, callback, done]: Parameters<client.Watch['watch']>) {
      let timer: NodeJS.Timeout | undefined;
      const given: { controller?: AbortController } = {};
      let over = false;
      const end = (error: unknown): void => {
        clearTimeout(timer);
        if (over) return;
        over = true;
        done(error);
      };
      const reset = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          ends++;
          end(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
          given.controller?.abort();
        }, quietMs);
      };
      reset();
      const told: typeof callback = (...event) => {
        reset();
        callback(...event);
      };
      return (given.controller = await super.watch(path, query, told, end));
    }
  }
  return { client: { ...client, Watch }, ends: () => ends };
}

const role = (namespace: string, verbs: string[]) => ({
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'foundation', namespace } },
  rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
});
const binding = (namespace: string, account: string) => ({
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' },
  metadata: { name: `foundation-${account}`, namespace },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'foundation' },
  subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
});

describe.each(servers)('the strategy kubernetes with %s', (_what, isFake, open) => {
  let kubernetes: TestKubernetes;
  let namespace: string;

  beforeAll(async () => void (kubernetes = await open()), 90_000);
  afterAll(() => kubernetes.close(), 30_000);
  beforeEach(async () => {
    CapturedLog.install();
    namespace = freshName('space');
    await kubernetes.namespace(namespace);
  });
  afterEach(async () => {
    if (kubernetes.fake !== undefined) kubernetes.fake.fault = 'none';
    await closeAll();
  });

  async function look(kubeconfig: string, world: Parameters<typeof createKubernetes>[1] = {}): Promise<TopologyRunner> {
    const { config } = translateKubernetes({ appName: 'shop', kubeconfig });
    const times = { answerMs: 2000, paceMs: 20 };
    return looking(await createKubernetes(config, { env: {}, lookup: never, ...times, ...world }), 'shop', 'n1');
  }
  const sees = (topologies: TopologyRunner, expected: string): Promise<void> =>
    until(topologies, shown(topologies, 'host'), expected);
  const allow = (...accounts: string[]) =>
    kubernetes.apply([role(namespace, ['list', 'watch']), ...accounts.map((each) => binding(namespace, each))]);
  const errorOf = async (topologies: TopologyRunner, account: string): Promise<string> => {
    await untilState(topologies, 'failing');
    const error = String(topologies.status()[0]?.error);
    expect(error).toContain(`403: the service account "${account}"`);
    return error.slice(error.indexOf('apiVersion:'));
  };
  const apply = (manifest: string) => kubernetes.apply(client.loadAllYaml(manifest) as never);

  it('does not fail when the client ends a quiet watch, and sees the next pod', async () => {
    await allow('default');
    const { client: quiet, ends } = endingQuietWatches(60);
    // A busy machine may take its time; what is looked at is the client's own end.
    const world = { load: () => Promise.resolve(quiet), answerMs: 20_000 };
    const topologies = await look(await kubernetes.kubeconfig(namespace), world);
    await untilState(topologies, 'looking');
    const states = new Set<string | undefined>();
    await eventually(() => (states.add(topologies.status()[0]?.state), ends() >= 12), { lastSeen: ends });
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    await sees(topologies, 'shop-1 ready');
    expect([...states]).toEqual(['looking']);
    expect(topologies.status()[0]).toMatchObject({ failures: 0 });
  });

  it('gives an account what it needs, and takes nothing from another by that', async () => {
    const [front, back] = await Promise.all(
      ['front', 'back'].map(async (name) => look(await kubernetes.kubeconfig(namespace, name), { watchSeconds: 1 })),
    );
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    const wanted = await errorOf(back!, 'back');
    await apply(await errorOf(front!, 'front'));
    await sees(front!, 'shop-1 ready');
    await apply(wanted);
    await sees(back!, 'shop-1 ready');
    // A new look of the first, which has to ask for its list again.
    const again = await look(await kubernetes.kubeconfig(namespace, 'front'));
    await sees(again, 'shop-1 ready');
    await untilState(again, 'looking');
  });

  it('helps the account whose watch is refused, of which the API server does not say who it is', async () => {
    await kubernetes.apply([role(namespace, ['list']), binding(namespace, 'front')]);
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    const topologies = await look(await kubernetes.kubeconfig(namespace, 'front'));
    await apply(await errorOf(topologies, 'front'));
    await untilState(topologies, 'looking');
    await sees(topologies, 'shop-1 ready');
  });

  it('reads a kubeconfig again that was written anew', async () => {
    await allow('default');
    await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
    const path = await kubernetes.kubeconfig(namespace);
    kubernetes.writeKubeconfig(path, namespace, { token: 'head.e30.none' });
    const topologies = await look(path, { watchSeconds: 1 });
    await untilState(topologies, 'failing');
    kubernetes.writeKubeconfig(path, namespace, { token: await kubernetes.token(namespace, 'default') });
    await sees(topologies, 'shop-1 ready');
    await untilState(topologies, 'looking');
  });

  it('tells of hundreds of pods that all are replaced in a few reports, and ends with what is so', async () => {
    const PODS = kubernetes.fake === undefined ? 1000 : 400;
    await allow('default');
    const names = (of: string) => Array.from({ length: PODS }, (_, at) => `${of}-${at}`);
    const inTurns = async (all: string[], work: (name: string) => Promise<unknown>) => {
      while (all.length > 0) await Promise.all(all.splice(0, 20).map(work));
    };
    await inTurns(names('old'), (name) => kubernetes.pod(namespace, name, APP, RUNNING));
    const topologies = await look(await kubernetes.kubeconfig(namespace));
    const count = (of: string) => topologies.peers().filter(({ host }) => host?.startsWith(`${of}-`)).length;
    await eventually(() => count('old') === PODS, { what: 'All of them', lastSeen: () => count('old') });
    let told = 0;
    closeLater(topologies.listen(() => void told++) as never);
    const members = names('old').map((name) => ({ name: `n-${name}`, host: name, bootId: name, joinedAt: 1 }));
    const left: string[] = [];
    const opinion = new TerminatedNodes({ members: () => members as never, clusterNow: () => 2 }, topologies, {
      leave: (name) => (left.push(name), Promise.resolve()),
    });
    opinion.open();
    const began = performance.now();
    await inTurns(names('new'), async (name) => {
      await kubernetes.pod(namespace, name, APP, RUNNING);
      await kubernetes.delete(namespace, name.replace('new', 'old'), 0);
    });
    await eventually(() => count('new') === PODS && count('old') === 0, {
      ...{ what: 'Only the new ones', lastSeen: () => [count('new'), count('old')] },
    });
    opinion.close();
    // Of 1,200 events: one at once, and then one in each 50 ms.
    expect(told).toBeLessThanOrEqual((performance.now() - began) / 50 + 3);
    expect(left).toEqual([]);
  }, 180_000);

  // The small one is made to forget and to fail in `topology.kubernetes.spec.ts`.
  if (!isFake) {
    it('goes on after a restart of the API server, which has forgotten where the watch was', async () => {
      await allow('default');
      await kubernetes.pod(namespace, 'shop-1', APP, RUNNING);
      let lists = 0;
      class CoreV1Api extends client.CoreV1Api {
        override listNamespacedPod(...args: Parameters<client.CoreV1Api['listNamespacedPod']>) {
          lists++;
          return super.listNamespacedPod(...args);
        }
      }
      const counting = { ...client, CoreV1Api } as unknown as Client;
      const topologies = await look(await kubernetes.kubeconfig(namespace), { load: () => Promise.resolve(counting) });
      await sees(topologies, 'shop-1 ready');
      await untilState(topologies, 'looking');
      // What others write makes the place of this watch an old one, which a new server does not have.
      const other = freshName('other');
      await kubernetes.namespace(other);
      for (let at = 0; at < 20; at++) await kubernetes.pod(other, `pod-${at}`, APP, RUNNING);
      const before = lists;
      await kubernetes.restart();
      await kubernetes.pod(namespace, 'shop-2', APP, RUNNING);
      await kubernetes.delete(namespace, 'shop-1', 0);
      const hosts = shown(topologies, 'host');
      await eventually(() => hosts() === 'shop-2 ready', {
        ...{ what: 'The pod of after the restart', timeout: 60_000, lastSeen: () => [hosts(), topologies.status()] },
      });
      expect(lists).toBeGreaterThan(before);
    }, 180_000);
  }
});

describe('loading the client', () => {
  it('does not touch a version that this Node.js cannot load, and says which one it can', async () => {
    const load = (version: string, node: string) => loadClient(() => version, node);
    for (const node of ['20.20.2', '22.12.0', '22.18.0']) {
      await expect(load('2.0.1', node)).rejects.toThrow(
        `found @kubernetes/client-node 2.0.1, which needs Node.js 22.19 or later, and this is ${node}`,
      );
    }
    await expect(load('2.0.1', '20.20.2')).rejects.toThrow('Run: npm install @kubernetes/client-node@1');
    await expect(load('1.4.0', '20.20.2')).resolves.toHaveProperty('Watch');
    await expect(load('2.0.1', '22.19.0')).resolves.toHaveProperty('Watch');
  });
});

describe('without an API server', () => {
  afterEach(() => closeAll());
  const failure = async (kubeconfig: string, world: Parameters<typeof createKubernetes>[1] = {}) => {
    const { config } = translateKubernetes({ appName: 'shop', kubeconfig });
    const strategy = await createKubernetes(config, { env: {}, lookup: never, answerMs: 60, ...world });
    const topologies = await looking(strategy, 'shop', 'n1');
    await untilState(topologies, 'failing');
    return { topologies, error: String(topologies.status()[0]?.error) };
  };

  it('names the kubeconfig that is not there', async () => {
    CapturedLog.install();
    const { error } = await failure('/nowhere/config');
    expect(error).toMatch(/the kubeconfig \/nowhere\/config cannot be read: ENOENT.*KUBECONFIG/);
  });

  it('says that none is named where the client makes one up', async () => {
    CapturedLog.install();
    class NoneFound extends client.KubeConfig {
      override loadFromFile(): void {
        this.loadFromClusterAndUser(
          { name: 'cluster', server: 'http://localhost:8080', skipTLSVerify: false },
          { name: 'user' },
        );
      }
    }
    const { error } = await failure('x', { load: () => Promise.resolve({ ...client, KubeConfig: NoneFound }) });
    expect(error).toMatch(/no API server is named.*automountServiceAccountToken.*KUBECONFIG/);
  });

  it('keeps no socket to a server that accepts and never answers', async () => {
    CapturedLog.install();
    const server: Server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    let most = 0;
    let all = 0;
    const open = new Set<unknown>();
    server.on('connection', (socket) => {
      open.add(socket);
      most = Math.max(most, open.size);
      all++;
      socket
        .on('error', () => undefined)
        .resume()
        .on('close', () => open.delete(socket));
    });
    const kubernetes = await TestKubernetes.fake();
    await kubernetes.namespace('silent');
    const path = await kubernetes.kubeconfig('silent');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(path, JSON.stringify(configOf(url)));
    const { topologies } = await failure(path);
    await eventually(() => all >= 8, { what: 'Eight tries', lastSeen: () => all });
    await topologies.stop();
    expect(most).toBeLessThanOrEqual(2);
    await eventually(() => open.size === 0, { what: 'No socket', lastSeen: () => open.size });
    server.close();
    await kubernetes.close();
  });

  const configOf = (server: string) => ({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'node', user: { token: 'x' } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'node', namespace: 'silent' } }],
  });
});

describe('a folder without a kube-apiserver', () => {
  it('is said at once', async () => {
    await expect(TestKubernetes.real(join('/nowhere', 'bin'))).rejects.toThrow(/ENOENT/);
  }, 10_000);
});
