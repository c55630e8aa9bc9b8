// The sample application as deploy/kubernetes and the Dockerfile start it: their environment, rights, probes, health
// check and command, as one process for each pod, beside a small API server and a Redis with a password.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, freePort } from 'nestjs-foundation/testing';
import type { Status } from '../../sample-app/src/status.controller.js';
import {
  commandOf,
  containerOf,
  environmentOf,
  finalStage,
  kustomization,
  manifest,
  manifests,
  root,
} from '../support/deploy.js';
import { RUNNING, TestKubernetes } from '../support/kubernetes.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { REDIS_PASSWORD, requireNoLeak, secret } from '../support/secrets.js';

const START_MS = 60_000;
const { namespace } = kustomization();
const { replicas, template } = manifest('Deployment', 'foundation-app').spec!;
const app = containerOf(template);
const [CMD, HEALTHCHECK] = [commandOf('CMD'), commandOf('HEALTHCHECK')];
const GRACE_MS = template.spec!.terminationGracePeriodSeconds! * 1000;
const secrets = { 'redis-password': REDIS_PASSWORD, cookie: secret('the-cookie-of-the-deployment') };
const names = ['pod-a', 'pod-b', 'pod-c'];

interface Pod {
  name: string;
  port: number;
  env: Record<string, string>;
  child: ChildProcess;
  log: string;
}

describe('the deployment', () => {
  const folder = mkdtempSync(join(tmpdir(), 'foundation-deploy-'));
  const pods: Pod[] = [];
  let kubernetes: TestKubernetes;
  let redis: RedisServer;

  beforeAll(async () => {
    kubernetes = await TestKubernetes.fake();
    redis = await startServer({ password: REDIS_PASSWORD, args: ['--maxmemory-policy', 'noeviction'] });
    await kubernetes.namespace(namespace);
    await kubernetes.apply(manifests().filter(({ kind }) => kind === 'Role' || kind === 'RoleBinding') as never);
    for (const name of names) await kubernetes.pod(namespace, name, template.metadata!.labels!, RUNNING);
    const kubeconfig = await kubernetes.kubeconfig(namespace, template.spec!.serviceAccountName);
    for (const name of names) pods.push(await start(name, kubeconfig));
  });

  afterAll(async () => {
    for (const { child } of pods) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    await redis.stop();
    await kubernetes.close();
    requireNoLeak(
      pods.flatMap(({ log }) => readFileSync(log, 'utf8').split('\n')),
      'a log of the sample application',
    );
    rmSync(folder, { recursive: true, force: true });
  });

  /** As the kubelet would, but for the port, of which one machine has only one, and where the API server is. */
  async function start(name: string, kubeconfig: string): Promise<Pod> {
    const fields = { 'metadata.name': name, 'spec.nodeName': 'machine-1' };
    const port = await freePort();
    const env = {
      ...{ PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', NO_COLOR: '1', KUBECONFIG: kubeconfig },
      // What Kubernetes adds for the service `redis`.
      ...{ REDIS_SERVICE_HOST: '127.0.0.1', REDIS_SERVICE_PORT: String(redis.port) },
      ...{ PORT: String(port), HOST: '127.0.0.1' },
      ...environmentOf(app.env, fields, secrets),
    };
    const log = join(folder, `${name}.log`);
    const output = openSync(log, 'a');
    const child = spawn(process.execPath, CMD.slice(1), { cwd: root, env, stdio: ['ignore', output, output] });
    closeSync(output);
    return { name, port, env, child, log };
  }

  const get = (pod: Pod, path: string) => fetch(`http://127.0.0.1:${pod.port}${path}`);
  const logs = () => pods.map(({ log }) => readFileSync(log, 'utf8').slice(-2000)).join('\n');
  const status = async (pod: Pod) => (await (await get(pod, '/status')).json()) as Status;
  const healthCheck = async (env: Record<string, string>) => {
    const child = spawn(process.execPath, HEALTHCHECK.slice(1), { env, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  };

  it('copies into the image what the build makes, the command included', () => {
    const copied = finalStage()
      .filter(({ instruction }) => instruction === 'COPY')
      .map(({ rest }) => rest.split(' ')[1]!.replace(/^\/app\//, ''));
    for (const path of copied) expect({ path, exists: existsSync(join(root, path)) }).toEqual({ path, exists: true });
    expect([CMD[0], HEALTHCHECK[0]]).toEqual(['node', 'node']);
    expect(copied.some((path) => CMD[1]!.startsWith(`${path}/`))).toBe(true);
  });

  it('becomes ready by its probes, as so many nodes as there are replicas, each named after its pod', async () => {
    expect(names).toHaveLength(replicas!);
    const probes = [app.startupProbe, app.livenessProbe, app.readinessProbe].map((probe) => probe!.httpGet!.path!);
    for (const pod of pods) {
      for (const path of probes) {
        await eventually(async () => (await get(pod, path)).status === 200, {
          ...{ timeout: START_MS, what: `${pod.name} answers ${path}`, lastSeen: logs },
        });
      }
    }
    const known = async (pod: Pod) => (await status(pod)).members.map((member) => member.name).sort();
    for (const pod of pods) {
      await eventually(async () => (await known(pod)).join() === names.join(), { timeout: START_MS, lastSeen: logs });
      expect((await status(pod)).node.name).toBe(pod.name);
      expect((await status(pod)).members[0]).toMatchObject({ labels: { machine: 'machine-1' } });
    }
    const report = async () => (await (await get(pods[0]!, '/health/cluster')).json()) as { status: string };
    await eventually(async () => (await report()).status === 'healthy', { lastSeen: logs });
    expect(logs()).toMatch(/strategy: kubernetes/);
  });

  it('is healthy for Docker while it answers', async () => {
    expect(await healthCheck(pods[0]!.env)).toBe(0);
    expect(await healthCheck({ ...pods[0]!.env, PORT: String(await freePort()) })).toBe(1);
  });

  it('ends on SIGTERM within its grace period, and another pod makes the prices', async () => {
    const owner = async () => (await status(pods[2]!)).processes?.find(({ name }) => name === 'price-feed')?.node;
    const first = await eventually(owner, { timeout: START_MS, lastSeen: logs });
    const pod = pods.find(({ name }) => name === first)!;
    const others = pods.filter((each) => each !== pod);
    const exit = once(pod.child, 'exit', { signal: AbortSignal.timeout(GRACE_MS) });
    pod.child.kill('SIGTERM');
    await exit;
    expect(readFileSync(pod.log, 'utf8')).toMatch(/No more prices from here/);
    for (const other of others) {
      const now = async () => (await status(other)).processes?.find(({ name }) => name === 'price-feed')?.node;
      const next = await eventually(async () => ((await now()) === first ? undefined : now()), { lastSeen: logs });
      expect(others.map(({ name }) => name)).toContain(next);
      expect((await status(other)).members.map((member) => member.name)).not.toContain(first);
    }
  });
});
