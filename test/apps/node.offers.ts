// Offers a service, takes it back now and then, looks at who else offers it, and changes the cluster-wide
// configuration; writes down what it was told.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterConfig, ServiceMesh } from 'nestjs-foundation';
import { historyNow, type HistoryRecorder } from 'nestjs-foundation/testing';
import type { Shared } from './node.settings.js';

type Recorder = Pick<HistoryRecorder, 'record'>;

const SERVICE = 'shop';
const TURN_MS = 400;
const CONFIG_TIMEOUT_MS = 2000;
/** A node takes its service back, and offers it again, every so many turns. */
const AGAIN_EVERY = 7;

/** What this node sees of the service now. */
export async function found(mesh: ServiceMesh, recorder: Recorder): Promise<string[]> {
  const all = await mesh.discoverServices({ name: SERVICE });
  const instances = all.map(({ bootId, instanceId }) => ({ bootId, instanceId }));
  recorder.record('test.found', { service: SERVICE, instances });
  return instances.map(({ bootId }) => bootId).sort();
}

/** Until it is over; then the service is offered, or will be as soon as Redis can be reached. */
export async function offerForEver(mesh: ServiceMesh, recorder: Recorder, isOver: () => boolean): Promise<void> {
  const offer = async (): Promise<boolean> => {
    const handle = await mesh.registerService(SERVICE, { url: 'http://127.0.0.1' }).catch(() => undefined);
    if (handle !== undefined) recorder.record('test.offered', { service: SERVICE, instanceId: handle.instanceId });
    return handle !== undefined;
  };
  let isOffered = await offer();
  for (let turn = 1; !isOver() || !isOffered; turn++) {
    if (!isOffered) isOffered = await offer();
    else if (turn % AGAIN_EVERY === 0) {
      await mesh.deregisterService(SERVICE).catch(() => undefined);
      recorder.record('test.withdrawn', { service: SERVICE });
      isOffered = await offer();
    }
    await found(mesh, recorder);
    await delay(TURN_MS);
  }
}

/** Each node sets another one, so that what is there in the end is what it set last. */
const PATHS: Record<string, 'first' | 'second'> = { a: 'first', b: 'second' };

/** Sets a value of the configuration again and again; every other time when all nodes do. */
export async function setForEver(
  config: ClusterConfig<Shared>,
  recorder: Recorder,
  { name }: { name: string },
  isOver: () => boolean,
): Promise<void> {
  const path = PATHS[name] ?? 'text';
  for (let turn = 1; !isOver(); turn++) {
    await delay(turn % 2 === 0 ? 3 * TURN_MS : 3 * TURN_MS - (Date.now() % (3 * TURN_MS)));
    const number = historyNow();
    const value = path === 'text' ? String(number) : number;
    recorder.record('test.config_setting', { path, value });
    await config.set(path, value, { timeout: CONFIG_TIMEOUT_MS }).then(
      ({ revision }) => recorder.record('test.config_set', { path, value, revision }),
      (error: unknown) => recorder.record('test.config_failed', { path, value, error: (error as Error).name }),
    );
  }
}

/** What this node goes by now. */
export function configured(config: ClusterConfig<Shared>, recorder: Recorder): string {
  const values = config.get();
  recorder.record('test.config_seen', { values });
  return JSON.stringify(values);
}
