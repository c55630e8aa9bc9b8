/**
 * Chooses between the tools over Redis and those inside this process.
 * ioredis, redlock and bullmq are loaded here and only when the configuration is clustered.
 */
import type { FoundationConfig } from '../config/config.js';
import { MissingPackageError } from '../errors/config.errors.js';
import { isError } from '../errors/describe.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Clock } from '../time/clock.js';
import type { NodeIdentity } from '../wire/node.identity.js';
import type { Backend } from './backend.js';

/**
 * Makes the backend that the configuration asks for. The clock is for one inside this process: over Redis all nodes go
 * by the same time, whatever a test says.
 *
 * Underneath: `import('./redis.backend.js')` or `import('./local.backend.js')`.
 *
 * @throws MissingPackageError when a clustered configuration lacks ioredis or bullmq.
 */
export async function createBackend(
  config: FoundationConfig,
  node: NodeIdentity,
  telemetry: Telemetry,
  clock?: Clock,
): Promise<Backend> {
  if (config.backend === 'local') {
    const { createLocalBackend } = await import('./local.backend.js');
    return createLocalBackend(config, node, telemetry, clock);
  }
  try {
    const { createRedisBackend } = await import('./redis.backend.js');
    return createRedisBackend(config, node, telemetry);
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
