/**
 * Pure: chooses the channel of a message when its sender names none.
 */
import type { BroadcastOptions, ChannelName } from './channel.js';

/** Options of `routeMessage` and `explainRoute`. */
export interface RouteOptions extends BroadcastOptions {
  /** This channel and no other. */
  channel?: ChannelName;
}

/** Where a message goes, and why. */
export interface Route {
  channel: string;
  reason: string;
}

/** Larger messages go to `data`; in bytes of JSON. */
export const DATA_FROM = 10 * 1024;

/** `size`: the bytes of the message as JSON. The first rule that holds decides. */
export function explainRoute(message: unknown, size: number, options: RouteOptions = {}): Route {
  if (options.channel !== undefined) return { channel: options.channel, reason: 'the sender named it' };
  if (options.priority === 'high') return { channel: 'control', reason: 'its priority is high' };
  if (size > DATA_FROM) return { channel: 'data', reason: `it has ${size} bytes, more than ${DATA_FROM}` };
  const shape = telemetryShape(message, options.type);
  if (shape !== undefined) return { channel: 'telemetry', reason: shape };
  return { channel: 'events', reason: 'no other rule holds' };
}

/** `['telemetry', …]`, or a metric or measurement by its type: of the message, or of the options. */
function telemetryShape(message: unknown, type: string | undefined): string | undefined {
  if (Array.isArray(message) && message[0] === 'telemetry') return `it begins with 'telemetry'`;
  const own = typeof message === 'object' && message !== null && 'type' in message ? message.type : undefined;
  const named = [type, own].find((name) => name === 'metric' || name === 'measurement');
  return named === undefined ? undefined : `its type is "${named}"`;
}
