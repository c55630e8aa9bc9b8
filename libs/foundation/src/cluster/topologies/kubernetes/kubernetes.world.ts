/**
 * What the strategy `kubernetes` needs of the world besides the API server.
 * Handed in by tests; `kubernetes.ts` has the real one.
 */

/** What is used of the package `@kubernetes/client-node`. */
export type Client = Pick<typeof import('@kubernetes/client-node'), 'CoreV1Api' | 'KubeConfig' | 'Watch'>;

/** What the strategy needs of the world besides the API server; tests have their own. */
export interface KubernetesWorld {
  env: Readonly<Record<string, string | undefined>>;
  lookup: (name: string) => Promise<unknown>;
  /** Loads the client. */
  load: () => Promise<Client>;
  /** How long the API server has for a list, and for the beginning of a watch, in milliseconds. */
  answerMs: number;
  /** The API server is asked to end a watch after this many seconds; one that goes on is dead. */
  watchSeconds: number;
  /** A watch that has ended is followed by the next one so long after its beginning, in milliseconds. */
  paceMs: number;
  /** The list is read again at the end of a watch when it is older than this, in milliseconds. */
  listMs: number;
}
