/**
 * Contract: counts crashes and starts processes again after a delay.
 * Implemented by `bullmq.restarts.ts` and `local.restarts.ts`; used by the supervisor.
 */
import { record, text, whole } from '../../wire/decode.js';

/** The longest name of a process or a slot of one, in characters. */
const MAX_NAME = 400;

/** What a restart job says, out of what anybody may have put into the queue; `undefined` for anything else. */
export const readRestart = record<{ name: string; epoch: number }>({ name: text(MAX_NAME, 0), epoch: whole() });

/** What a job calls; both may come twice and must then do nothing. */
export interface RestartHandlers {
  /** The delay after the crash of `epoch` is over. */
  restart(name: string, epoch: number): Promise<void>;
  /** The regular check for what was forgotten. */
  sweep(): Promise<void>;
}

/** The restarts of one node. */
export interface Restarts {
  /** Begins to take jobs. */
  open(handlers: RestartHandlers): Promise<void>;
  /** Records the crash of one epoch, once, and returns how many there were in the last `windowMs`. */
  crashed(name: string, epoch: number, windowMs: number): Promise<number>;
  /** Forgets the crashes of processes. */
  forget(...names: string[]): Promise<void>;
  /** Calls `restart(name, epoch)` on some node after `delayMs`; at most one job per name and epoch. */
  schedule(name: string, epoch: number, delayMs: number): Promise<void>;
  /** Puts the regular sweep back after data loss, where its job is gone, and where a wrong clock planned it. */
  ensureSweep(): Promise<void>;
  close(): Promise<void>;
}
