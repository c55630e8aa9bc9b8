/**
 * Contract: one set of tools, either over Redis or inside this process, and the choice between the two.
 * ioredis, redlock and bullmq are loaded here and only when the configuration is clustered.
 */
import type { FoundationConfig } from '../config/options.js';
import { MissingPackageError } from '../errors.js';
import { isError } from '../foreign/words.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { HintListener } from './hints.js';
import type { Leases } from './leases.js';
import type { NodeRecord, Nodes } from './nodes.js';
import type { Restarts } from './restarts.js';
import type { Streams } from './streams.js';
import type { Table } from './table.js';
import type { Transport } from './transport.js';

/** The raw tools by role, for layer 3; all `undefined` with the local engine. */
export interface RawTools {
  leases?: unknown;
  control?: unknown;
  subscriber?: unknown;
  publisher?: unknown;
  redlock?: unknown;
  queue?: unknown;
  worker?: unknown;
}

/** Who this node is, for the records that tools write. */
export interface NodeIdentity {
  readonly name: string;
  readonly bootId: string;
}

/** A connection that does not work at the moment. */
export interface ConnectionTrouble {
  /** What it is for: `leases`, `control`, `subscriber`, `publisher`, `worker` (BullMQ) or `stream` (a durable subscription). */
  role: string;
  endpoint: string;
  /** For how long, in milliseconds. */
  forMs: number;
  /** What Redis said, or how the connection broke. */
  error?: string;
}

/** How the tools beneath are, for health. */
export interface EngineFacts {
  /** What Redis does when its memory is full; `undefined` where it has no limit. */
  evictionPolicy?: string;
  /** By how much the regular sweep is late, in milliseconds. */
  sweepLateMs?: number;
}

/** Everything the upper rooms need from below. */
export interface Engine {
  readonly kind: 'local' | 'redis';
  /** For logs and errors; holds no secret. */
  readonly endpoint: string;
  /** `redis://host:port/db` of a single server, without user and password: for announcements. */
  readonly url?: string | undefined;
  readonly leases: Leases;
  readonly nodes: Nodes;
  /** What should run. */
  readonly table: Table;
  /** Who offers what. */
  readonly services: Table;
  readonly transport: Transport;
  readonly streams: Streams;
  readonly restarts: Restarts;
  readonly raw: RawTools;
  /**
   * Waits until the connections work. Rejects with `RedisRefusedError` when waiting is useless, and with
   * `RedisUnavailableError` when it may be called again.
   */
  open(): Promise<void>;
  /** Where other nodes link with this one, once it is open; `undefined` unless the transport is direct. */
  readonly address?: string | undefined;
  /** Tells the transport who is in the cluster; called with each new view. */
  meet?(members: readonly NodeRecord[]): void;
  onHint(listener: HintListener): () => void;
  /** Asks the tools how they are. Rejects when they do not answer. */
  inspect(): Promise<EngineFacts>;
  /** The connections that do not work at the moment; no network. Absent where there are none. */
  troubles?(): readonly ConnectionTrouble[];
  /** Closes what Foundation opened; what was adopted stays open. */
  close(): Promise<void>;
}

/**
 * Makes the engine that the configuration asks for.
 *
 * Underneath: `import('./redis.engine.js')` or `import('./local.engine.js')`.
 *
 * @throws MissingPackageError when a clustered configuration lacks ioredis or bullmq.
 */
export async function createEngine(
  config: FoundationConfig,
  node: NodeIdentity,
  telemetry: Telemetry,
): Promise<Engine> {
  if (config.engine === 'local') {
    const { createLocalEngine } = await import('./local.engine.js');
    return createLocalEngine(config, node, telemetry);
  }
  try {
    const { createRedisEngine } = await import('./redis.engine.js');
    return createRedisEngine(config, node, telemetry);
  } catch (error) {
    throw missingPackage(error) ?? error;
  }
}

/** The error that says how to install what the failed import of a module was about; `undefined` for any other error. */
export function missingPackage(error: unknown): MissingPackageError | undefined {
  const isMissing = /Cannot find (?:package|module) '(ioredis|bullmq|redlock)/.test(
    isError(error) ? error.message : '',
  );
  return isMissing ? new MissingPackageError('ioredis bullmq', 'cluster: true', error) : undefined;
}
