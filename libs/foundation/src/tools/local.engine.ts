/**
 * The engine of a single process: every contract in memory, no Redis, no network.
 * Loaded when the configuration is not clustered.
 */
import type { FoundationConfig } from '../config/options.js';
import { Gate } from '../foreign/gate.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Engine } from './engine.js';
import type { Hint, HintListener } from './hints.js';
import { LocalLeases } from './local.leases.js';
import { LocalNodes } from './local.nodes.js';
import { LocalRestarts } from './local.restarts.js';
import { LocalStreams } from './local.streams.js';
import { LocalTable } from './local.table.js';
import { LocalTransport } from './local.transport.js';
import type { NodeIdentity } from './node.identity.js';

/** Makes the engine. */
export function createLocalEngine(_config: FoundationConfig, node: NodeIdentity, telemetry: Telemetry): Engine {
  const listeners = new Set<HintListener>();
  const gate = new Gate();
  // As over Redis, a hint arrives after the call that caused it has returned.
  const hint = (message: Hint): void =>
    queueMicrotask(() => {
      for (const listener of listeners) gate.tell('a listener to hints', listener, message);
    });
  const wallClock = (): number => Date.now();
  const leases = new LocalLeases(node, telemetry, hint, wallClock);
  const restarts = new LocalRestarts(wallClock);
  const streams = new LocalStreams(wallClock);
  return {
    kind: 'local',
    endpoint: 'this process',
    leases,
    nodes: new LocalNodes(wallClock),
    table: new LocalTable((version) => hint({ t: 'table', version }), wallClock),
    services: new LocalTable((version) => hint({ t: 'services', version }), wallClock),
    transport: new LocalTransport(),
    streams,
    restarts,
    raw: {},
    open: () => Promise.resolve(),
    inspect: () => Promise.resolve({}),
    onHint(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      leases.close();
      streams.close();
      await restarts.close();
    },
  };
}
