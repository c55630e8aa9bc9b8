/**
 * Pure: a service as it lies in the table, written and read field by field.
 * Called by the registry; what cannot be read is left out, because anybody may write to Redis.
 */
import type { TableRow } from '../backend/tables/table.js';
import { parseJson } from '../wire/json.js';
import type { ServiceInfo } from './service.js';

/** The longest record, in bytes of JSON. Every node holds all of them. */
export const MAX_RECORD_BYTES = 64 * 1024;

/** The longest name in characters. */
const MAX_WORD = 400;

/** What `ServiceInfo` is made of, without what only the reader knows. */
export type ServiceRecord = Omit<ServiceInfo, 'stale'>;

export function writeRecord({ instanceId: _key, ...record }: ServiceRecord): string {
  return JSON.stringify(record);
}

/** `undefined` for a row that this version cannot use. */
export function readRecord({ key, value }: TableRow): ServiceRecord | undefined {
  let parsed: unknown;
  try {
    // Frozen in here, too: what is nested thousands of levels deep can be parsed, but not walked.
    parsed = value.length <= MAX_RECORD_BYTES ? freeze(parseJson(value)) : undefined;
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { name, node, bootId, capabilities, metadata, url, process, registeredAt, status } = parsed as Record<
    string,
    unknown
  >;
  const usable =
    [name, node, bootId, key].every((text) => isWord(text)) &&
    [url, process].every((text) => text === undefined || typeof text === 'string') &&
    Array.isArray(capabilities) &&
    capabilities.every((each) => typeof each === 'string') &&
    typeof metadata === 'object' &&
    metadata !== null &&
    !Array.isArray(metadata) &&
    Number.isSafeInteger(registeredAt) &&
    (registeredAt as number) >= 0 &&
    (status === 'healthy' || status === 'unhealthy');
  if (!usable) return undefined;
  const record = { name, instanceId: key, node, bootId, capabilities, metadata, registeredAt, status };
  const optional = Object.entries({ url, process }).filter(([, text]) => text !== undefined);
  return Object.freeze({ ...record, ...Object.fromEntries(optional) } as ServiceRecord);
}

function isWord(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_WORD;
}

/** Deeply, because all callers of this process share it. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
