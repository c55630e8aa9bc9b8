// Redis and NATS of the benchmark's own, on free ports of 127.0.0.1, ended by their pid.
import { startRedis } from '../../dist/test/support/redis-server.js';
import { startNats } from './nats.server.mjs';

// The default of 32mb 8mb 60 disconnects a subscriber that is slow for a moment.
const REDIS = ['--client-output-buffer-limit', 'pubsub 256mb 128mb 60'];

/** `absent` says for a broker why it is not there. */
export async function startBrokers({ needsNats }) {
  const redis = await startRedis({ args: REDIS });
  const nats = needsNats ? await startNats().catch((error) => ({ absent: error.message })) : undefined;
  return {
    absent: { nats: nats?.absent },
    urls: { redis: redis.adminUrl, nats: nats?.url },
    versions: { redis: /redis_version:(\S+)/.exec(await redis.cli('INFO', 'server'))?.[1], nats: nats?.version },
    pid: ({ broker }) => ({ redis: redis.pid, nats: nats?.pid })[broker],
    async stop() {
      await redis.stop();
      await nats?.stop?.();
    },
  };
}
