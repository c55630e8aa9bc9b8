/**
 * The package `@kubernetes/client-node`, where this Node.js can load it, and what leads to the API server with it.
 * Called by `kubernetes.ts`. Both major versions are understood; where they differ is said here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { CoreV1Api, KubeConfig, Watch } from '@kubernetes/client-node';
import { SERVICE_ACCOUNT } from '../../../config/machine.js';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { MissingPackageError, PackageVersionError } from '../../../errors/config.errors.js';
import { describe, read } from '../../../errors/describe.js';
import { accountOf, type Subject } from './kubernetes.rbac.js';
import type { Client, KubernetesWorld } from './kubernetes.world.js';

const PACKAGE = '@kubernetes/client-node';
const NEEDED_BY = `cluster: 'kubernetes'`;
/** What undici 8 needs, which version 2 of the client brings. */
const NODE_OF_2 = [22, 19] as const;

/**
 * Loads the package.
 *
 * Its version is read before: where Node.js is too old for version 2, undici raises its error a second time, as an
 * unhandled rejection that ends the process.
 *
 * @throws MissingPackageError when it is not installed.
 * @throws PackageVersionError when this Node.js cannot load the version that is.
 */
export async function loadClient(
  installed: () => string | undefined = installedVersion,
  node: string = process.versions.node,
): Promise<Client> {
  const version = installed();
  const isOld = isOlder(node, NODE_OF_2);
  if (version !== undefined && Number(version.split('.')[0]) >= 2 && isOld) {
    const needed = `Node.js ${NODE_OF_2.join('.')} or later`;
    throw new PackageVersionError(`${PACKAGE} ${version}`, NEEDED_BY, `${needed}, and this is ${node}`, `${PACKAGE}@1`);
  }
  try {
    return await import('@kubernetes/client-node');
  } catch (error) {
    throw new MissingPackageError(`${PACKAGE}${isOld ? '@1' : ''}`, NEEDED_BY, error);
  }
}

function isOlder(node: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = node.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

function installedVersion(): string | undefined {
  try {
    const path = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
    const version = read(JSON.parse(readFileSync(path, 'utf8')), 'version');
    return typeof version === 'string' ? version : undefined;
  } catch {
    // Not installed, or nobody knows; loading it says so.
    return undefined;
  }
}

/** What leads to the API server. */
export interface Source {
  api: CoreV1Api;
  watch: Watch;
  namespace: string;
  /** What makes it another API server or another place in it. */
  place: string;
  /** Whose token is sent, where it says so. */
  account: Subject | undefined;
  /** Ends the requests that the API server has not answered. */
  giveUp(): void;
}

/**
 * Reads the kubeconfig, or the account of the pod. It is called for each look, so a token that was renewed in the file
 * is used from then on.
 */
export function openSource(
  client: Client,
  config: StrategyConfigs['kubernetes'],
  world: Pick<KubernetesWorld, 'env' | 'answerMs' | 'watchSeconds'>,
): Source {
  const kubeConfig = kubeConfigOf(client, config, world.env);
  const context = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
  const cluster = kubeConfig.getCurrentCluster();
  const namespace = config.namespace ?? context?.namespace ?? 'default';
  const giveUp = enderOf(kubeConfig);
  const watch = new client.Watch(kubeConfig);
  // Private, and only in version 2, which is silent for 30 s, and bookmarks come once a
  // minute. The API server is asked to end it sooner than this, and `kubernetes.ts` ends one that does not.
  if (typeof read(watch, 'requestTimeoutMs') === 'number')
    (watch as unknown as { requestTimeoutMs: number }).requestTimeoutMs =
      1000 * world.watchSeconds + 2 * world.answerMs;
  return {
    api: kubeConfig.makeApiClient(client.CoreV1Api),
    watch,
    namespace,
    place: `${cluster?.server} ${namespace}`,
    account: accountOf(tokenOf(kubeConfig)),
    giveUp,
  };
}

function kubeConfigOf(client: Client, config: StrategyConfigs['kubernetes'], env: KubernetesWorld['env']): KubeConfig {
  const kubeConfig = new client.KubeConfig();
  const inPod = env['KUBERNETES_SERVICE_HOST'] && existsSync(`${SERVICE_ACCOUNT}/token`);
  try {
    if (config.kubeconfig !== undefined) kubeConfig.loadFromFile(config.kubeconfig);
    else if (inPod) kubeConfig.loadFromCluster();
    else kubeConfig.loadFromDefault();
  } catch (error) {
    const path = config.kubeconfig ?? env['KUBECONFIG'];
    const which = path === undefined ? 'the kubeconfig' : `the kubeconfig ${path}`;
    throw sourceError(`${which} cannot be read: ${describe(error)}`, error);
  }
  const server = kubeConfig.getCurrentCluster()?.server;
  // What the client makes up where there is neither a kubeconfig nor the account of a pod.
  if (server === undefined || (server === 'http://localhost:8080' && kubeConfig.getCurrentContext() === MADE_UP))
    throw sourceError('no API server is named, by a kubeconfig or by the service account of a pod');
  return kubeConfig;
}

const MADE_UP = 'loaded-context';

function sourceError(problem: string, cause?: unknown): TopologyError {
  const advice =
    'Run in a pod with a service account whose token is mounted (automountServiceAccountToken), or name a kubeconfig ' +
    'with a current context in KUBECONFIG.';
  return new TopologyError('kubernetes', 'kubernetes KubeConfig', problem, advice, cause);
}

/** The token of the kubeconfig, or that of the pod, which the client reads from its file. */
function tokenOf(kubeConfig: KubeConfig): unknown {
  const user = kubeConfig.getCurrentUser();
  if (user?.token !== undefined) return user.token;
  const file = read(read(read(user, 'authProvider'), 'config'), 'tokenFile');
  try {
    return typeof file === 'string' ? readFileSync(file, 'utf8').trim() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns what ends the requests that were made with it. Without that an API server that accepts and never answers
 * would be asked on one more socket with each try. A watch can be aborted only once it is answered, as its controller
 * comes with the answer; version 1 closes its socket with its agent, version 2 ends it by itself.
 */
function enderOf(kubeConfig: KubeConfig): () => void {
  const ending = new AbortController();
  const agents = new Set<unknown>();
  const authenticate = kubeConfig.applySecurityAuthentication.bind(kubeConfig);
  kubeConfig.applySecurityAuthentication = async (context) => {
    await authenticate(context);
    context.setSignal(ending.signal);
  };
  // Not there in version 2.
  const apply = (kubeConfig as Partial<KubeConfig>).applyToFetchOptions?.bind(kubeConfig);
  if (apply !== undefined) {
    kubeConfig.applyToFetchOptions = async (options) => {
      const made = await apply(options);
      agents.add(read(made, 'agent'));
      return made;
    };
  }
  return () => {
    ending.abort();
    for (const agent of agents) {
      const destroy = read(agent, 'destroy');
      if (typeof destroy === 'function') destroy.call(agent);
    }
  };
}
