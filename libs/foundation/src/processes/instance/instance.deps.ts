/** What an instance needs from outside. Given by `process.host.ts`. */
import type { Leases } from '../../backend/leases/leases.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import type { Clock } from '../../time/clock.js';

/** See the file header. */
export interface InstanceDeps {
  create(): Promise<object>;
  leases: Pick<Leases, 'fencedSet' | 'fencedDelete'>;
  telemetry: Telemetry;
  node: string;
  /** Of Redis, for errors. */
  endpoint?: string;
  clock?: Clock;
  /** Called once the start is over, with the user's object; returns what is to be undone before the stop. */
  started(target: object): Promise<() => Promise<void>>;
}
