/**
 * The strategy `kubernetes`: the pods with a label, kept up to date by list and watch;
 * `npm i @kubernetes/client-node@1` (2 on Node 22 and later). Configuration: `cluster: 'kubernetes'`, or
 * `{ strategy: 'kubernetes', selector: 'app=shop', namespace: 'shop' }`. In a pod `FOUNDATION_CLUSTER=kubernetes` and
 * `FOUNDATION_APP_NAME=shop` are enough, with these:
 *
 * - The pods have the label `app: shop`, or `FOUNDATION_K8S_SELECTOR` says which one they have.
 * - Their service account may list and watch pods:
 *   `kubectl create role foundation --verb=get,list,watch --resource=pods` and
 *   `kubectl create rolebinding foundation --role=foundation --serviceaccount=<namespace>:default`. Without that the
 *   log has the manifest of both.
 * - Redis is the service `redis` of the namespace (`redisService`): `REDIS_SERVICE_HOST` and `REDIS_SERVICE_PORT`,
 *   which Kubernetes gives to pods that start after the service, else `redis.<namespace>.svc:6379`, if that name is
 *   known.
 *
 * The downward API tells a node who it is. Without the first its name is `<pod>-<pid>`:
 *
 * ```yaml
 * env:
 *   - { name: FOUNDATION_CLUSTER, value: kubernetes }
 *   - { name: FOUNDATION_APP_NAME, value: shop }
 *   - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
 *   - { name: K8S_NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
 *   - { name: FOUNDATION_LABELS, value: 'machine=$(K8S_NODE)' }
 * ```
 *
 * Underneath: `CoreV1Api.listNamespacedPod` and `Watch` of the client, `GET /api/v1/namespaces/<namespace>/pods`.
 */
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import type { CoreV1Api, KubeConfig, Watch } from '@kubernetes/client-node';
import { SERVICE_ACCOUNT } from '../../../config/machine.js';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { Peer, TopologyReport, TopologyStrategy } from '../../../config/topology.strategy.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { MissingPackageError } from '../../../errors/config.errors.js';
import { unattended } from '../../../foreign/gate.js';
import { within } from '../../../time/timeout.js';
import { isGone, peerOf, versionOf } from './kubernetes.pods.js';
import { kubernetesError } from './kubernetes.rbac.js';
import { findRedisService } from './kubernetes.redis.js';
import type { KubernetesWorld } from './kubernetes.world.js';

type Client = typeof import('@kubernetes/client-node');

const WORLD: KubernetesWorld = { env: process.env, lookup, answerMs: 10_000, watchSeconds: 240, paceMs: 1000 };
/** Pods that were deleted after they had ended are still told of, this many. */
const KEPT = 100;

/**
 * Makes the strategy.
 *
 * @throws MissingPackageError when the client is not installed, or is one that this Node cannot load.
 */
export async function createKubernetes(
  config: StrategyConfigs['kubernetes'],
  world: Partial<KubernetesWorld> = {},
): Promise<TopologyStrategy> {
  let client: Client;
  try {
    client = await import('@kubernetes/client-node');
  } catch (error) {
    // Version 2 cannot be loaded by Node 20.
    const version = Number(process.versions.node.split('.')[0]) < 22 ? '@1' : '';
    throw new MissingPackageError(`@kubernetes/client-node${version}`, `cluster: 'kubernetes'`, error);
  }
  return new KubernetesStrategy(client, config, { ...WORLD, ...world });
}

/** What leads to the API server. */
interface Source {
  api: CoreV1Api;
  watch: Watch;
  namespace: string;
}

/** See the file header. */
class KubernetesStrategy implements TopologyStrategy {
  readonly name = 'kubernetes';
  #source: Source | undefined;
  /** By uid. */
  #pods = new Map<string, Peer>();
  readonly #ended = new Map<string, Peer>();
  /**
   * Where the next watch begins: kept when one breaks, so that nothing is asked for twice; `undefined` asks for the
   * list.
   */
  #version: string | undefined;
  /** Rises with each start and stop; what belongs to a former one is ignored. */
  #turn = 0;
  #watching: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: Client,
    private readonly config: StrategyConfigs['kubernetes'],
    private readonly world: KubernetesWorld,
  ) {}

  async start(report: TopologyReport): Promise<void> {
    const turn = ++this.#turn;
    this.#source ??= this.#open();
    const isCurrent = (): boolean => turn === this.#turn;
    const { redisService } = this.config;
    unattended(
      'looking for the service of Redis',
      findRedisService(redisService, this.#source.namespace, this.world, isCurrent).then((redis) => {
        if (redis !== undefined) report.found({ redis });
      }),
    );
    await this.#look(turn, report, this.#source);
  }

  stop(): Promise<void> {
    this.#turn++;
    clearTimeout(this.#timer);
    this.#watching?.abort();
    this.#watching = undefined;
    return Promise.resolve();
  }

  #open(): Source {
    const kubeConfig = this.#kubeConfig();
    const context = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
    return {
      api: kubeConfig.makeApiClient(this.client.CoreV1Api),
      watch: new this.client.Watch(kubeConfig),
      namespace: this.config.namespace ?? context?.namespace ?? 'default',
    };
  }

  #kubeConfig(): KubeConfig {
    const kubeConfig = new this.client.KubeConfig();
    const inPod = this.world.env['KUBERNETES_SERVICE_HOST'] && existsSync(`${SERVICE_ACCOUNT}/token`);
    if (this.config.kubeconfig !== undefined) kubeConfig.loadFromFile(this.config.kubeconfig);
    else if (inPod) kubeConfig.loadFromCluster();
    else kubeConfig.loadFromDefault();
    if (kubeConfig.getCurrentCluster() !== null) return kubeConfig;
    const advice = 'Run in a pod with a service account, or name a kubeconfig with a current context in KUBECONFIG.';
    throw new TopologyError('kubernetes', 'kubernetes KubeConfig', 'no API server is named', advice);
  }

  /** The list, where none is known, and then a watch; resolves once the API server has begun to answer it. */
  async #look(turn: number, report: TopologyReport, source: Source): Promise<void> {
    const { answerMs, watchSeconds, paceMs } = this.world;
    if (this.#version === undefined) {
      await this.#list(source);
      if (turn !== this.#turn) return;
      this.#tell(report);
    }
    const path = `/api/v1/namespaces/${encodeURIComponent(source.namespace)}/pods`;
    const query = {
      ...{ labelSelector: this.config.selector, resourceVersion: this.#version },
      ...{ allowWatchBookmarks: true, timeoutSeconds: watchSeconds },
    };
    const beganAt = performance.now();
    let refusal: unknown;
    const onEvent = (type: string, object: unknown): void => {
      if (turn !== this.#turn) return;
      if (type !== 'ERROR') return this.#note(type, object, report);
      refusal = object;
      this.#watching?.abort();
    };
    const onDone = (error: unknown): void => {
      if (turn !== this.#turn) return;
      clearTimeout(this.#timer);
      const reason = refusal ?? error;
      if (isGone(reason)) this.#version = undefined;
      else if (reason) return report.failed(kubernetesError(reason, 'kubernetes watch pods', source.namespace));
      const again = (): void =>
        unattended(
          'looking at the pods',
          this.#look(turn, report, source).catch((late: unknown) => report.failed(late)),
        );
      this.#timer = setTimeout(again, Math.max(0, paceMs - (performance.now() - beganAt))).unref();
    };
    const begun = source.watch.watch(path, query, onEvent, onDone).then((watching) => {
      if (turn === this.#turn) this.#watching = watching;
      else watching.abort();
    });
    await within(answerMs, begun, `the API server did not begin to answer a watch in ${answerMs} ms`);
    if (turn !== this.#turn || refusal !== undefined || this.#watching?.signal.aborted === true) return;
    this.#timer = setTimeout(() => this.#watching?.abort(), 1000 * watchSeconds + answerMs).unref();
  }

  async #list({ api, namespace }: Source): Promise<void> {
    const { answerMs } = this.world;
    const listing = api.listNamespacedPod({ namespace, labelSelector: this.config.selector });
    try {
      const list: { items?: unknown; metadata?: unknown } = await within(
        answerMs,
        listing,
        `no list in ${answerMs} ms`,
      );
      if (!Array.isArray(list.items)) throw new Error('the answer is no list');
      const peers = list.items.map(peerOf).filter((peer) => peer !== undefined);
      this.#pods = new Map(peers.map((peer) => [peer.id, peer]));
      this.#version = versionOf(list);
    } catch (error) {
      throw kubernetesError(error, 'kubernetes list pods', namespace);
    }
  }

  #note(type: string, object: unknown, report: TopologyReport): void {
    this.#version = versionOf(object) ?? this.#version;
    const peer = peerOf(object);
    if (type === 'BOOKMARK' || peer === undefined) return;
    if (type === 'DELETED') {
      this.#pods.delete(peer.id);
      // One that was deleted while it ran, on a machine that is cut off, say, may run on: nothing is said of it.
      if (peer.state === 'terminated') this.#keep(peer);
    } else this.#pods.set(peer.id, peer);
    this.#tell(report);
  }

  #keep(peer: Peer): void {
    this.#ended.set(peer.id, peer);
    for (const id of this.#ended.keys()) if (this.#ended.size > KEPT) this.#ended.delete(id);
  }

  #tell(report: TopologyReport): void {
    report.found({ peers: [...this.#ended.values(), ...this.#pods.values()] });
  }
}
