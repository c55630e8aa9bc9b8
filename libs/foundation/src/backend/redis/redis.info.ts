/**
 * Pure: what Redis says of itself in INFO.
 */

/** The oldest version that has all that this library and BullMQ need. */
export const OLDEST = '6.2';

/** The oldest version that says when a message is on disk. */
export const OLDEST_WITH_WAITAOF = '7.2';

/** A server as its INFO describes it. */
export interface ServerFacts {
  /** `major.minor.patch`; absent when it does not say. */
  version?: string;
  /** False for a version that is known and too old. */
  isSupported: boolean;
  /** `maxmemory-policy`; absent when it does not say. */
  policy?: string;
  /** False where memory has no limit, so that nothing is ever evicted. */
  hasLimit: boolean;
  /** Changes with each start of the server. */
  runId?: string;
  /** Whether it appends to a file what it is sent; absent when it does not say. */
  appendsToFile?: boolean;
  /** How many replicas are connected; absent when it does not say. */
  replicas?: number;
  /** Present for `js-redis-server`. */
  isImitation?: true;
}

/** Reads the reply of INFO. */
export function serverFacts(info: string): ServerFacts {
  const field = (name: string, pattern = '\\S+'): string | undefined =>
    new RegExp(`^${name}:(${pattern})`, 'm').exec(info)?.[1];
  const [version, policy] = [field('redis_version', '\\d+\\.\\d+\\S*'), field('maxmemory_policy')];
  const runId = field('run_id', '\\w+');
  const [aof, replicas] = [field('aof_enabled', '[01]'), field('connected_slaves', '\\d{1,6}')];
  return {
    ...(version === undefined ? {} : { version }),
    isSupported: version === undefined || isAtLeast(version, OLDEST),
    ...(policy === undefined ? {} : { policy }),
    hasLimit: /^maxmemory:[1-9]/m.test(info),
    ...(runId === undefined ? {} : { runId }),
    ...(aof === undefined ? {} : { appendsToFile: aof === '1' }),
    ...(replicas === undefined ? {} : { replicas: Number(replicas) }),
    ...(field('os', 'mocked redis') === undefined ? {} : { isImitation: true }),
  };
}

/** The numbers of the databases that hold keys, by the reply of INFO. */
export function usedDatabases(info: string): number[] {
  return [...info.matchAll(/^db(\d+):keys=[1-9]/gm)].map(([, number]) => Number(number));
}

/** True for versions like `7.2.4` that are this one or newer. */
export function isAtLeast(version: string, least: string): boolean {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, least].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
