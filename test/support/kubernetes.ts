// A Kubernetes for a test: the small API server of `kubernetes-api.ts` always, and a real kube-apiserver with etcd
// where the variable KUBEBUILDER_ASSETS names a folder that holds both. The same verbs lead to either.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from 'nestjs-foundation/testing';
import { ADMIN, FakeKubernetesApi } from './kubernetes-api.js';

type Json = Record<string, unknown>;

export class TestKubernetes {
  readonly #files: string[] = [];

  private constructor(
    readonly url: string,
    /** Only of the small one: what a test may break. */
    readonly fake: FakeKubernetesApi | undefined,
    private readonly end: () => Promise<void>,
    /** Only of the real one: ends the API server, and starts it again over the same etcd. */
    readonly restart: () => Promise<void> = () => Promise.reject(new Error('Only a real API server is restarted')),
  ) {}

  static async fake(): Promise<TestKubernetes> {
    const api = await FakeKubernetesApi.open();
    return new TestKubernetes(api.url, api, () => api.close());
  }

  /** Starts etcd and kube-apiserver of that folder, as controller-runtime's envtest does. */
  static async real(assets: string): Promise<TestKubernetes> {
    const folder = mkdtempSync(join(tmpdir(), 'foundation-kubernetes-'));
    const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const key = file('account.key', privateKey);
    const etcd = start(folder, join(assets, 'etcd'), [
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ]);
    const args = [
      `--etcd-servers=http://127.0.0.1:${client}`,
      `--cert-dir=${folder}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${secure}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--authorization-mode=RBAC',
      // Pods are created before there is a controller that makes service accounts.
      '--disable-admission-plugins=ServiceAccount',
      `--token-auth-file=${file('tokens.csv', `${ADMIN},admin,1,"system:masters"\n`)}`,
      '--service-account-issuer=https://127.0.0.1',
      `--service-account-signing-key-file=${key}`,
      `--service-account-key-file=${file('account.pub', publicKey)}`,
    ];
    const serve = (): ChildProcess => start(folder, join(assets, 'kube-apiserver'), args);
    let server = serve();
    const end = async (): Promise<void> => {
      await stop(server);
      await stop(etcd);
      rmSync(folder, { recursive: true, force: true });
    };
    const kubernetes = new TestKubernetes(`https://127.0.0.1:${secure}`, undefined, end, async () => {
      await stop(server);
      server = serve();
      await ready();
    });
    const tail = (): string =>
      ['etcd', 'kube-apiserver']
        .map((name) => readFileSync(join(folder, `${name}.log`), 'utf8').slice(-2000))
        .join('\n');
    let over = false;
    const isReady = (): Promise<boolean> =>
      kubernetes.call('GET', '/readyz').then(
        () => true,
        () => false,
      );
    const ready = (): Promise<unknown> =>
      eventually(() => over || isReady(), {
        ...{ timeout: 60_000, what: 'A kube-apiserver that is ready', lastSeen: tail },
      });
    const [ended, stopWaiting] = endOf({ etcd, 'kube-apiserver': server });
    try {
      const first = ready();
      first.catch(() => undefined);
      await Promise.race([first, ended]);
    } catch (error) {
      over = true;
      await kubernetes.close();
      throw error;
    } finally {
      stopWaiting();
    }
    return kubernetes;
  }

  /** A request as the administrator. */
  call(method: string, path: string, body?: object, type = 'application/json'): Promise<Json> {
    const url = new URL(path, this.url);
    const headers = { authorization: `Bearer ${ADMIN}`, ...(body === undefined ? {} : { 'content-type': type }) };
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = make(url, { method, headers, rejectUnauthorized: false, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) >= 300)
            return reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
          resolve(text.startsWith('{') ? (JSON.parse(text) as Json) : {});
        });
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** A namespace, which may be there, with the service account `default`, which may do nothing. */
  async namespace(name: string): Promise<void> {
    await this.#make('/api/v1/namespaces', { metadata: { name } });
    await this.account(name, 'default');
  }

  /** A service account, which may be there. */
  account(namespace: string, name: string): Promise<void> {
    return this.#make(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }

  async #make(path: string, body: Json): Promise<void> {
    try {
      await this.call('POST', path, body);
    } catch (error) {
      if (!(error as Error).message.includes(': 409 ')) throw error;
    }
  }

  /** A manifest of roles and bindings; as `kubectl apply`, which replaces what is there by that name. */
  async apply(documents: Json[]): Promise<void> {
    for (const document of documents) {
      const { namespace, name } = document['metadata'] as { namespace: string; name: string };
      const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/${String(document['kind']).toLowerCase()}s`;
      try {
        await this.call('POST', path, document);
      } catch (error) {
        if (!(error as Error).message.includes(': 409 ')) throw error;
        await this.call('PUT', `${path}/${encodeURIComponent(name)}`, document);
      }
    }
  }

  /** A pod on a machine, so that its deletion waits for the kubelet, which is this test. */
  async pod(namespace: string, name: string, labels: Record<string, string>, status?: Json): Promise<string> {
    const containers = [{ name: 'app', image: 'app' }];
    const spec = { nodeName: 'machine-1', containers, terminationGracePeriodSeconds: 30 };
    const made = await this.call('POST', `/api/v1/namespaces/${namespace}/pods`, { metadata: { name, labels }, spec });
    if (status !== undefined) await this.status(namespace, name, status);
    return (made['metadata'] as { uid: string }).uid;
  }

  async status(namespace: string, name: string, status: Json): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    await this.call('PATCH', path, { status }, 'application/merge-patch+json');
  }

  /** `grace` of 0 removes it at once. */
  async delete(namespace: string, name: string, grace?: 0): Promise<void> {
    await this.call(
      'DELETE',
      `/api/v1/namespaces/${namespace}/pods/${name}${grace === 0 ? '?gracePeriodSeconds=0' : ''}`,
    );
  }

  /** The path of a kubeconfig for a service account of a namespace, which is made where it is not there. */
  async kubeconfig(namespace: string, account = 'default'): Promise<string> {
    await this.account(namespace, account);
    const folder = mkdtempSync(join(tmpdir(), 'foundation-kubeconfig-'));
    this.#files.push(folder);
    const path = join(folder, 'config');
    this.writeKubeconfig(path, namespace, { token: await this.token(namespace, account) });
    return path;
  }

  /** A new token of a service account. */
  async token(namespace: string, account: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
    const { status } = await this.call('POST', path, { spec: { expirationSeconds: 3600 } });
    return (status as { token: string }).token;
  }

  /** Writes a kubeconfig of that user, as a sidecar or a login tool does. */
  writeKubeconfig(path: string, namespace: string, user: Json): void {
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [{ name: 'test', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'node', user }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'node', namespace } }],
    };
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  }

  async close(): Promise<void> {
    for (const folder of this.#files) rmSync(folder, { recursive: true, force: true });
    await this.end();
  }
}

export const RUNNING = {
  phase: 'Running',
  podIP: '10.1.0.1',
  podIPs: [{ ip: '10.1.0.1' }],
  conditions: [{ type: 'Ready', status: 'True' }],
};

function start(folder: string, program: string, args: readonly string[]): ChildProcess {
  const log = createWriteStream(join(folder, `${program.split('/').pop()}.log`));
  // What is closed at once is gone before its log is there.
  log.on('error', () => undefined);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.on('error', (error) => log.write(`${error.message}\n`));
  child.stdout?.pipe(log);
  child.stderr?.pipe(log);
  return child;
}

/** Rejects when one of them ends, or cannot be started; and what ends the waiting for that. */
function endOf(children: Record<string, ChildProcess>): [Promise<never>, () => void] {
  const waiting = new AbortController();
  const ended = Object.entries(children).map(async ([name, child]): Promise<never> => {
    const [code] = (await once(child, 'exit', { signal: waiting.signal })) as [number | null];
    throw new Error(`${name} ended with ${code}`);
  });
  for (const each of ended) each.catch(() => undefined);
  const first = Promise.race(ended);
  first.catch(() => undefined);
  return [first, () => waiting.abort()];
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exit;
  clearTimeout(timer);
}
