/**
 * The backend of a single process: every contract in memory, no Redis, no network.
 * Loaded when the configuration is not clustered.
 */
import type { FoundationConfig } from '../config/config.js';
import { Listeners } from '../foreign/listeners.js';
import { Log } from '../logging/log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Clock, machineClock } from '../time/clock.js';
import type { Hint, HintListener } from '../wire/hint.js';
import type { NodeIdentity } from '../wire/node.identity.js';
import type { Backend } from './backend.js';
import { LocalNodeDirectory } from './directory/local.directory.js';
import { LocalLeases } from './leases/local.leases.js';
import { LocalTicks } from './leases/local.ticks.js';
import { LocalRestarts } from './restarts/local.restarts.js';
import { LocalJournal } from './streams/local.journal.js';
import { LocalStreams } from './streams/local.streams.js';
import { safetiesOf } from './streams/safeties.js';
import { LocalTable } from './tables/local.table.js';
import { LocalTransport } from './transport/local.transport.js';

/** Makes the backend. */
export function createLocalBackend(
  config: FoundationConfig,
  node: NodeIdentity,
  telemetry: Telemetry,
  clock: Clock = machineClock,
): Backend {
  const listeners = new Listeners<Parameters<HintListener>>('a listener to hints');
  // As over Redis, a hint arrives after the call that caused it has returned.
  const hint = (message: Hint): void => queueMicrotask(() => listeners.tell(message));
  const wallClock = (): number => clock.wall();
  const leases = new LocalLeases({
    node,
    telemetry,
    hint,
    ttl: config.lease.ttl,
    wallClock,
    now: () => clock.monotonic(),
  });
  const restarts = new LocalRestarts(clock);
  const streams = new LocalStreams(clock);
  if (safetiesOf(config.channels.durable).length > 0) {
    new Log().warn('Durable channels acknowledge messages from the memory of this process, which is all there is');
  }
  return {
    kind: 'local',
    endpoint: 'this process',
    leases,
    ticks: new LocalTicks(wallClock),
    directory: new LocalNodeDirectory(wallClock),
    table: new LocalTable((version) => hint({ t: 'table', version }), wallClock),
    services: new LocalTable((version) => hint({ t: 'services', version }), wallClock),
    settings: new LocalTable((version) => hint({ t: 'settings', version }), wallClock),
    transport: new LocalTransport(),
    streams,
    journal: new LocalJournal(wallClock),
    restarts,
    clock,
    raw: {},
    open: () => Promise.resolve(),
    inspect: () => Promise.resolve({}),
    onHint: (listener) => listeners.add(listener),
    async close() {
      leases.close();
      streams.close();
      await restarts.close();
    },
  };
}
