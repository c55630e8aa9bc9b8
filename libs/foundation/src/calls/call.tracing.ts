/**
 * The spans of calls, named as OpenTelemetry's conventions for RPC ask.
 * Called on both sides of a call; underneath whatever `telemetry.tracing` is.
 */
import { processOf } from '../cluster/slot.names.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { spanned, type TraceCarrier } from '../telemetry/tracing.js';

/** Runs one side of a call in a span. */
export function traced<T>(
  telemetry: Pick<Telemetry, 'tracing'>,
  kind: 'client' | 'server',
  name: string,
  method: string,
  parent: TraceCarrier | undefined,
  work: () => T,
): T {
  if (telemetry.tracing === undefined) return work();
  const service = processOf(name);
  const attributes = { 'rpc.system': 'foundation', 'rpc.service': service, 'rpc.method': method };
  return spanned(telemetry, { kind, name: `${service}/${method}`, attributes, parent }, work);
}
