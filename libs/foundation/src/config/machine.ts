/**
 * What Foundation reads of the machine besides the environment, once, for `resolve`.
 * Underneath: `os.hostname()`, the files that Kubernetes puts into a pod, and the application's package.json.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

/** Where Kubernetes puts the token, the authority and the namespace of a pod's service account. */
export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** See the file header. */
export interface Machine {
  host: string;
  pid: number;
  /** Tells apart what has one host name and one pid: containers, and applications in one process. */
  random?: string;
  /** The namespace of the pod; present exactly when it has a service account. */
  podNamespace?: string;
  /** The name in the package.json of the application. */
  packageName?: string;
  /** The version beside that name. */
  packageVersion?: string;
}

/** Reads it; a file that is not there is no error. */
export function readMachine(): Machine {
  const podNamespace = read(`${SERVICE_ACCOUNT}/namespace`);
  const { name: packageName, version: packageVersion } = packageOf(process.argv[1], process.cwd()) ?? {};
  return {
    host: hostname(),
    pid: process.pid,
    random: randomBytes(2).toString('hex'),
    ...(podNamespace === undefined ? {} : { podNamespace }),
    ...(packageName === undefined ? {} : { packageName }),
    ...(packageVersion === undefined ? {} : { packageVersion }),
  };
}

/** What the package.json of an application says of it. */
interface NamedPackage {
  name: string;
  version?: string;
}

/** The longest version that is kept. */
const MAX_VERSION = 100;

/**
 * The name of the nearest package around the program, or around the working folder where the program is a tool that
 * runs the application: one of node_modules, or the command line of Foundation itself.
 */
export function packageNameOf(main: string | undefined, cwd: string): string | undefined {
  return packageOf(main, cwd)?.name;
}

function packageOf(main: string | undefined, cwd: string): NamedPackage | undefined {
  const isTool = main === undefined || /[\\/]node_modules[\\/]/.test(main);
  const found = isTool ? undefined : packageAbove(dirname(main));
  return found === undefined || found.name === 'nestjs-foundation' ? packageAbove(cwd) : found;
}

/** The first that has a name on the way up; a file without one, or one that is no JSON, is passed over. */
function packageAbove(folder: string): NamedPackage | undefined {
  const found = packageIn(read(join(folder, 'package.json')) ?? '{}');
  if (found !== undefined) return found;
  const above = dirname(folder);
  return above === folder ? undefined : packageAbove(above);
}

function packageIn(text: string): NamedPackage | undefined {
  try {
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
    if (typeof name !== 'string' || name === '') return undefined;
    const isVersion = typeof version === 'string' && version !== '' && version.length <= MAX_VERSION;
    return { name, ...(isVersion ? { version } : {}) };
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
