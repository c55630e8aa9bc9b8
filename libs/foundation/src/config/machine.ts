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
}

/** Reads it; a file that is not there is no error. */
export function readMachine(): Machine {
  const podNamespace = read(`${SERVICE_ACCOUNT}/namespace`);
  const packageName = packageNameOf(process.argv[1], process.cwd());
  return {
    host: hostname(),
    pid: process.pid,
    random: randomBytes(2).toString('hex'),
    ...(podNamespace === undefined ? {} : { podNamespace }),
    ...(packageName === undefined ? {} : { packageName }),
  };
}

/**
 * The name of the nearest package around the program, or around the working folder where the program is a tool that
 * runs the application: one of node_modules, or the command line of Foundation itself.
 */
export function packageNameOf(main: string | undefined, cwd: string): string | undefined {
  const isTool = main === undefined || /[\\/]node_modules[\\/]/.test(main);
  const name = isTool ? undefined : nameAbove(dirname(main));
  return name === undefined || name === 'nestjs-foundation' ? nameAbove(cwd) : name;
}

/** The first name on the way up; a file without one, or one that is no JSON, is passed over. */
function nameAbove(folder: string): string | undefined {
  const name = nameIn(read(join(folder, 'package.json')) ?? '{}');
  if (name !== undefined) return name;
  const above = dirname(folder);
  return above === folder ? undefined : nameAbove(above);
}

function nameIn(text: string): string | undefined {
  try {
    const { name } = JSON.parse(text) as { name?: unknown };
    return typeof name === 'string' && name !== '' ? name : undefined;
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
