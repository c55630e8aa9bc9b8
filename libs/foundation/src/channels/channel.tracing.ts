/**
 * The spans of channels, named as OpenTelemetry's conventions for messaging ask.
 * Underneath `telemetry.tracing`.
 */
import type { Telemetry } from '../telemetry/telemetry.js';
import { type SpanDescription, spanned, type TraceCarrier } from '../telemetry/tracing.js';
import type { MessageMeta } from './channel.js';

/** The span of a broadcast. */
export function publishing(channel: string): SpanDescription {
  return { kind: 'producer', name: `publish ${channel}`, attributes: attributesOf(channel, 'send') };
}

/** Runs a handler in a span of the trace that came with its message. */
export function traced<T>(
  telemetry: Pick<Telemetry, 'tracing'>,
  { channel, from, type }: MessageMeta,
  parent: TraceCarrier | undefined,
  group: string | undefined,
  handle: () => T,
): T {
  if (telemetry.tracing === undefined) return handle();
  const attributes = attributesOf(channel, 'process');
  attributes['foundation.message.from'] = from;
  if (type !== undefined) attributes['foundation.message.type'] = type;
  if (group !== undefined) attributes['messaging.consumer.group.name'] = group;
  return spanned(telemetry, { kind: 'consumer', name: `process ${channel}`, attributes, parent }, handle);
}

function attributesOf(channel: string, operation: 'send' | 'process'): Record<string, string> {
  return {
    'messaging.system': 'foundation',
    'messaging.destination.name': channel,
    'messaging.operation.type': operation,
  };
}
