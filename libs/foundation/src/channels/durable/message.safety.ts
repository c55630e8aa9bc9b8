/**
 * Whether a message of a durable channel is as safe as its channel asks for.
 * Called by `durable.channels.ts` with each message that is sent; underneath `Streams.confirm`.
 */
import type { Streams } from '../../backend/streams/streams.js';
import type { Resolved } from '../../config/config.js';
import type { DurableChannelOptions } from '../../config/options.js';
import { MessageNotSafeError } from '../../errors/message.errors.js';
import type { Telemetry } from '../../telemetry/telemetry.js';

/** Resolves once the entry is safe; a channel that asks for nothing beyond the memory of Redis waits for nothing. */
export async function requireSafe(
  { streams, telemetry }: { streams: Streams; telemetry: Telemetry },
  channel: string,
  id: string,
  { acknowledge, acknowledgeTimeout: timeout }: Resolved<DurableChannelOptions>,
): Promise<void> {
  if (acknowledge === 'memory') return;
  const unsafe = await streams.confirm(channel, id, { acknowledge, timeout });
  if (unsafe === undefined) return;
  const error = new MessageNotSafeError(channel, { ...unsafe, id, acknowledge });
  telemetry.emit('message.not_safe', { channel, id, kept: unsafe.isKept, error: error.message });
  throw error;
}
