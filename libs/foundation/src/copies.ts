/**
 * Tells when one process loads this package more than once: as an ES module and as CommonJS, or from two places.
 * Called once by each copy, when its module is loaded.
 */
import { Log } from './logging/log.js';

/** Of all copies: the mark is the same in each of them. */
const COPIES = Symbol.for('foundation:copies');

interface Shared {
  [COPIES]?: Set<string>;
}

/** Which copies there are is bounded by the files of one process; the first few say enough. */
const MAX_COPIES = 8;

/**
 * Notes a copy, and warns when there is another one. They share what decorators say, because those keys are of the
 * whole process, but what is injected by its class, such as `ProcessManager`, is another class in each of them.
 *
 * @param url where its code is.
 */
export function noteCopy(url: string, shared: Shared = globalThis as Shared, log = new Log()): void {
  const copies = (shared[COPIES] ??= new Set());
  if (copies.has(url) || copies.size >= MAX_COPIES) return;
  copies.add(url);
  if (copies.size === 1) return;
  log.warn(
    'nestjs-foundation is loaded more than once in this process: {copies}; a class of one copy that is injected, such as ' +
      'ProcessManager, is unknown to the others. Load it in one way, by import or by require, and in one version',
    { copies: [...copies].join(' and ') },
  );
}
