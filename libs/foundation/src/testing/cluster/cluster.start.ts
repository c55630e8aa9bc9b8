/**
 * Starts one node of a test cluster: what it is told, in which process it runs, and another port when its own is taken.
 */
import { join } from 'node:path';
import type { DirectOptions, FoundationOptions } from '../../config/options.js';
import { ChildHost } from './child.host.js';
import type { ClusterSettings } from './cluster.options.js';
import { freePort } from './free.port.js';
import { LocalHost } from './local.host.js';
import type { NodeHost } from './node.host.js';
import type { NodeWay } from './node.ways.js';

const PORT_TRIES = 3;

/** What a node is started with. */
export interface NodeStart {
  settings: ClusterSettings;
  name: string;
  index: number;
  folder: string;
  way: NodeWay;
  appName: string | undefined;
  cookie: string;
  /** Told of each life of the node before it is ready, so that it can be ended whatever happens. */
  born(host: NodeHost): void;
}

/** Resolves when it is ready. */
export async function startHost(start: NodeStart): Promise<NodeHost> {
  const { settings, name, index } = start;
  const history = join(start.folder, `${name}.${index}.ndjson`);
  const setting = { options: optionsOf(start), history, cwd: settings.cwd };
  if (settings.inProcess !== undefined) {
    const { inProcess } = settings;
    const make = async () => inProcess({ name, index });
    return begun(start, new LocalHost({ name, setting, make, startMs: settings.timeout }));
  }
  const isSource = /\.[cm]?tsx?$/.test(settings.entry);
  const compiled = isSource ? { compiled: join(start.folder, 'compiled') } : {};
  const own = typeof settings.env === 'function' ? settings.env({ name, index }) : settings.env;
  for (let tries = 1; ; tries++) {
    const port = String(await freePort());
    const host = new ChildHost({
      name,
      entry: settings.entry,
      setting: { ...setting, ...compiled },
      env: { ...environmentOf(start), PORT: port, ...own },
      execArgv: settings.execArgv ?? [],
      startMs: settings.timeout,
      answerMs: settings.timeout,
    });
    try {
      return await begun(start, host);
    } catch (error) {
      const isTaken = new RegExp(`EADDRINUSE.*:${port}\\b`).test(host.log);
      if (!isTaken || tries === PORT_TRIES) throw error;
      await host.destroy();
    }
  }
}

async function begun(start: NodeStart, host: NodeHost): Promise<NodeHost> {
  start.born(host);
  await host.ready;
  return host;
}

function optionsOf({ settings: { options = {} }, name, way, appName, cookie }: NodeStart): FoundationOptions {
  const { transport } = options;
  const isDirect = transport === 'direct' || (typeof transport === 'object' && transport.kind === 'direct');
  const links = { ...(typeof transport === 'object' ? transport : {}), ...way.links };
  return {
    cluster: true,
    ...(options.cluster === undefined ? { topologies: [] } : {}),
    ...(appName === undefined ? {} : { appName }),
    ...options,
    ...(isDirect ? { security: { cookie, ...options.security } } : {}),
    // Where to listen in any case; whether it does is up to the application, where the test does not say.
    transport: (isDirect ? { ...links, kind: 'direct' } : (transport ?? links)) as DirectOptions,
    redis: way.redis,
    nodeName: name,
  };
}

/** For what the application reads besides the options of Foundation, such as its own client of Redis. */
function environmentOf({ name, way, cookie, settings }: NodeStart): Record<string, string | undefined> {
  const { hostname, port } = /^rediss?:/.test(way.redis) ? new URL(way.redis) : { hostname: '', port: '' };
  const [host, portOfLinks] = [way.links.host, String(way.links.port)];
  return {
    FOUNDATION_CLUSTER: undefined,
    FOUNDATION_NODE_NAME: name,
    FOUNDATION_REDIS_URL: way.redis,
    REDIS_URL: way.redis,
    ...(hostname === '' ? {} : { REDIS_HOST: hostname, REDIS_PORT: port || '6379' }),
    FOUNDATION_DIRECT_HOST: host,
    FOUNDATION_DIRECT_PORT: portOfLinks,
    FOUNDATION_DIRECT_ADVERTISE: way.links.advertise,
    ...(process.env['FOUNDATION_TRANSPORT'] === 'direct' || settings.options?.transport
      ? { FOUNDATION_COOKIE: cookie }
      : {}),
  };
}
