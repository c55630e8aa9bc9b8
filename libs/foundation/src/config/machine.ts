/**
 * What Foundation reads of the machine besides the environment, once, for `resolve`.
 * Underneath: `os.hostname()` and the files that Kubernetes puts into a pod.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

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
}

/** Reads it; a file that is not there is no error. */
export function readMachine(): Machine {
  const podNamespace = read(`${SERVICE_ACCOUNT}/namespace`);
  return {
    host: hostname(),
    pid: process.pid,
    random: randomBytes(2).toString('hex'),
    ...(podNamespace === undefined ? {} : { podNamespace }),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
