// The contracts of all ports, for the adapters inside one process.
import { describe, it } from '@jest/globals';
import { resolve } from '../config/resolve.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { directoryContract } from '../testing/contracts/directory.contract.js';
import { leasesContract } from '../testing/contracts/leases.contract.js';
import { restartsContract } from '../testing/contracts/restarts.contract.js';
import { streamsContract } from '../testing/contracts/streams.contract.js';
import { tableContract } from '../testing/contracts/table.contract.js';
import { createLocalBackend } from './local.backend.js';
import { LocalTable } from './tables/local.table.js';

const ALONE = { isAlone: true };
const NODE = { name: 'n1', bootId: 'b1' };
const CONFIG = resolve(
  { lease: { ttl: 400, renewEvery: 100, commandTimeout: 50, margin: 50 } },
  {},
  { host: 'h', pid: 1 },
);

const open = () => {
  const backend = createLocalBackend(CONFIG, NODE, new Telemetry());
  return { backend, close: () => backend.close() };
};

leasesContract(
  'local',
  async () => {
    const { backend, close } = open();
    const { leases, onHint } = backend;
    return { nodes: [{ ...NODE, leases, onHint }], close };
  },
  { describe, it },
  ALONE,
);

directoryContract(
  'local',
  async () => {
    const { backend, close } = open();
    return { nodes: [{ ...NODE, directory: backend.directory }], close };
  },
  { describe, it },
  ALONE,
);

tableContract(
  'local',
  async (size, limits) => {
    const listeners = new Set<(version: number) => void>();
    const table = new LocalTable(
      (version) => listeners.forEach((listener) => listener(version)),
      () => Date.now(),
      limits,
    );
    return {
      nodes: Array.from({ length: size }, () => table),
      onHint: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      lose: () => Promise.resolve(table.lose()),
      close: () => Promise.resolve(),
    };
  },
  { describe, it },
);

streamsContract(
  'local',
  async () => {
    const { backend, close } = open();
    return { nodes: [backend.streams], close };
  },
  { describe, it },
  ALONE,
);

restartsContract(
  'local',
  async () => {
    const { backend, close } = open();
    return { nodes: [backend.restarts], sweeps: false, close };
  },
  { describe, it },
  ALONE,
);
