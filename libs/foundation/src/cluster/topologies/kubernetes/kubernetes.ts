/**
 * The strategy `kubernetes`: the pods with a label, kept up to date by list and watch;
 * `npm i @kubernetes/client-node@1` (2 on Node 22.19 and later). Configuration: `cluster: 'kubernetes'`, or
 * `{ strategy: 'kubernetes', selector: 'app=shop', namespace: 'shop' }`. In a pod `FOUNDATION_CLUSTER=kubernetes` and
 * `FOUNDATION_APP_NAME=shop` are enough, with these:
 *
 * - The pods have the label `app: shop`, or `FOUNDATION_K8S_SELECTOR` says which one they have.
 * - Their service account may list and watch pods:
 *   `kubectl create role foundation --verb=list,watch --resource=pods` and
 *   `kubectl create rolebinding foundation-default --role=foundation --serviceaccount=<namespace>:default`. Without
 *   that the log has the manifest of both.
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
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { Peer, TopologyReport, TopologyStrategy } from '../../../config/topology.strategy.js';
import type { TopologyError } from '../../../errors/cluster.errors.js';
import { read } from '../../../errors/describe.js';
import { called, unattended } from '../../../foreign/gate.js';
import { within } from '../../../time/timeout.js';
import { loadClient, openSource, type Source } from './kubernetes.client.js';
import { isGone, peerOf, versionOf } from './kubernetes.pods.js';
import { kubernetesError } from './kubernetes.rbac.js';
import { findRedisService } from './kubernetes.redis.js';
import type { Client, KubernetesWorld } from './kubernetes.world.js';

const WORLD: KubernetesWorld = {
  ...{ env: process.env, lookup, load: loadClient, answerMs: 10_000, watchSeconds: 240, paceMs: 1000 },
  listMs: 15 * 60_000,
};
/** Pods that were deleted after they had ended are still reported, this many. */
const KEPT = 100;
/** Events that come sooner after another are merged, in milliseconds. */
const GATHER_MS = 50;

/**
 * Makes the strategy.
 *
 * @throws MissingPackageError when the client is not installed.
 * @throws PackageVersionError when it is one that this Node.js cannot load.
 */
export async function createKubernetes(
  config: StrategyConfigs['kubernetes'],
  world: Partial<KubernetesWorld> = {},
): Promise<TopologyStrategy> {
  const all = { ...WORLD, ...world };
  return new KubernetesStrategy(await all.load(), config, all);
}

const LIST = 'kubernetes list pods';
const WATCH = 'kubernetes watch pods';

/** See the file header. */
class KubernetesStrategy implements TopologyStrategy {
  readonly name = 'kubernetes';
  /** Where the pods came from. */
  #place: string | undefined;
  /** By uid. */
  #pods = new Map<string, Peer>();
  readonly #ended = new Map<string, Peer>();
  /**
   * Where the next watch begins: kept when one breaks, so that nothing is asked for twice; `undefined` asks for the
   * list.
   */
  #version: string | undefined;
  #listedAt = -Infinity;
  /** Rises with each start and stop; what belongs to a former one is ignored. */
  #turn = 0;
  #watching: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #toldAt = -Infinity;
  #telling: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: Client,
    private readonly config: StrategyConfigs['kubernetes'],
    private readonly world: KubernetesWorld,
  ) {}

  async start(report: TopologyReport): Promise<void> {
    const turn = ++this.#turn;
    const source = openSource(this.client, this.config, this.world);
    const isCurrent = (): boolean => turn === this.#turn;
    const { redisService } = this.config;
    unattended(
      'looking for the service of Redis',
      findRedisService(redisService, source.namespace, this.world, isCurrent).then((redis) => {
        if (redis !== undefined) report.found({ redis });
      }),
    );
    await this.#look(turn, report, source);
  }

  stop(): Promise<void> {
    this.#turn++;
    clearTimeout(this.#timer);
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#watching?.abort();
    this.#watching = undefined;
    return Promise.resolve();
  }

  /** The list, where none is known, and then a watch; resolves once the API server has begun to answer it. */
  async #look(turn: number, report: TopologyReport, source: Source): Promise<void> {
    const { answerMs, watchSeconds } = this.world;
    // What another API server says of its versions means nothing here.
    if (source.place !== this.#place) this.#version = undefined;
    this.#place = source.place;
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
    this.#forget();
    const onEvent = (type: string, object: unknown): void => {
      if (turn !== this.#turn) return;
      if (type !== 'ERROR') return this.#note(type, object, report);
      refusal = object;
      this.#watching?.abort();
    };
    const onDone = (error: unknown): void => {
      if (turn !== this.#turn) return;
      clearTimeout(this.#timer);
      // Version 2 of the client ends a watch on which nothing came for a while: like any other end, once begun.
      const isQuiet = this.#watching !== undefined && read(error, 'name') === 'TimeoutError';
      const reason = refusal ?? (isQuiet ? undefined : error);
      if (isGone(reason)) this.#version = undefined;
      else if (reason) return report.failed(this.#errorOf(reason, WATCH, source));
      this.#lookAgain(turn, report, beganAt);
    };
    const begun = source.watch.watch(path, query, onEvent, onDone).then((watching) => {
      if (turn === this.#turn) this.#watching = watching;
      else watching.abort();
    });
    try {
      await within(answerMs, begun, `the API server did not begin to answer a watch in ${answerMs} ms`);
    } catch (error) {
      source.giveUp();
      throw this.#errorOf(error, WATCH, source);
    }
    if (turn !== this.#turn || refusal !== undefined || this.#watching?.signal.aborted === true) return;
    this.#timer = setTimeout(() => this.#watching?.abort(), 1000 * watchSeconds + answerMs).unref();
  }

  #forget(): void {
    this.#watching = undefined;
  }

  /** After an end: with the kubeconfig as it is by then. */
  #lookAgain(turn: number, report: TopologyReport, beganAt: number): void {
    const { paceMs, listMs } = this.world;
    // An etcd that was restored has lower versions than this one knows, and a watch from there stays silent.
    if (performance.now() - this.#listedAt > listMs) this.#version = undefined;
    const again = (): void =>
      unattended(
        'looking at the pods',
        called(() => this.#look(turn, report, openSource(this.client, this.config, this.world))).catch(
          (error: unknown) => {
            if (turn === this.#turn) report.failed(error);
          },
        ),
      );
    this.#timer = setTimeout(again, Math.max(0, paceMs - (performance.now() - beganAt))).unref();
  }

  async #list(source: Source): Promise<void> {
    const { api, namespace } = source;
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
      this.#listedAt = performance.now();
    } catch (error) {
      source.giveUp();
      throw this.#errorOf(error, LIST, source);
    }
  }

  #errorOf(error: unknown, tool: string, { namespace, account }: Source): TopologyError {
    return kubernetesError(error, { tool, namespace, account, selector: this.config.selector });
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
    this.#tellSoon(report);
  }

  #keep(peer: Peer): void {
    this.#ended.set(peer.id, peer);
    for (const id of this.#ended.keys()) if (this.#ended.size > KEPT) this.#ended.delete(id);
  }

  /** Soon: the list of 1,000 pods is not written again for each of hundreds of events a second. */
  #tellSoon(report: TopologyReport): void {
    const pause = GATHER_MS - (performance.now() - this.#toldAt);
    if (pause <= 0) this.#tell(report);
    else this.#telling ??= setTimeout(() => this.#tell(report), pause).unref();
  }

  #tell(report: TopologyReport): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#toldAt = performance.now();
    report.found({ peers: [...this.#ended.values(), ...this.#pods.values()] });
  }
}
