/**
 * Where the Kubernetes service of Redis is: what Kubernetes put into the environment, else its name in the DNS of the
 * cluster. Called by `kubernetes.ts`. Neither needs a right.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesWorld } from './kubernetes.world.js';

const TRIES = 10;
const PAUSE_MS = 1000;

/**
 * The URL; `undefined` when there is no such service, which is asked for again for some seconds, or `goesOn` is false.
 *
 * The variables are those of https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
 */
export async function findRedisService(
  service: string,
  namespace: string,
  { env, lookup }: Pick<KubernetesWorld, 'env' | 'lookup'>,
  goesOn: () => boolean,
): Promise<string | undefined> {
  const variable = service.toUpperCase().replace(/[^A-Z0-9]/g, '_');
  const host = env[`${variable}_SERVICE_HOST`];
  const port = env[`${variable}_SERVICE_PORT`] ?? '6379';
  if (host && /^\d{1,5}$/.test(port)) return `redis://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const name = `${service}.${namespace}.svc`;
  for (let tries = 0; tries < TRIES && goesOn(); tries++) {
    if (tries > 0) await pause(PAUSE_MS, undefined, { ref: false });
    const known = await lookup(name).then(
      () => true,
      () => false,
    );
    if (known) return `redis://${name}:6379`;
  }
  return undefined;
}
