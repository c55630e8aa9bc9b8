/**
 * Pure: what the durable channels of an application ask for beyond the memory of Redis.
 */
import type { Resolved } from '../../config/config.js';
import type { DurableChannelOptions } from '../../config/options.js';
import type { Safety } from './streams.js';

/** Each once. */
export function safetiesOf(channels: Readonly<Record<string, Resolved<DurableChannelOptions>>>): Safety[] {
  const all = Object.values(channels).flatMap(({ acknowledge, acknowledgeTimeout }) =>
    acknowledge === 'memory' ? [] : [{ acknowledge, timeout: acknowledgeTimeout }],
  );
  return [...new Map(all.map((safety) => [nameOf(safety), safety])).values()];
}

/** Tells one from another. */
export function nameOf({ acknowledge, timeout }: Safety): string {
  return JSON.stringify([acknowledge, timeout]);
}
