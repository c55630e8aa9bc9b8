/**
 * Pure: a service as it lies in the table, written and read field by field.
 * Called by the registry; what cannot be read is left out, because anybody may write to Redis.
 */
import type { TableRow } from '../backend/tables/table.js';
import { readMarks } from '../calls/call.marks.js';
import {
  anyText,
  fromJson,
  ifRight,
  isObject,
  listOfAll,
  oneOf,
  optional,
  record,
  text,
  whole,
} from '../wire/decode.js';
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

const word = text(MAX_WORD);

const readFields = record<Omit<ServiceRecord, 'instanceId'>>({
  name: word,
  node: word,
  bootId: word,
  // What is in a record is as long as the record at most.
  capabilities: listOfAll(anyText, Infinity),
  metadata: (value) => (isObject(value) ? value : undefined),
  url: optional(anyText),
  process: optional(anyText),
  registeredAt: whole(),
  status: oneOf('healthy', 'unhealthy'),
  marks: ifRight(readMarks),
});

// Frozen in here, too: what is nested thousands of levels deep can be parsed, but not walked.
const readFrozen = fromJson((value) => freeze(readFields(value)), MAX_RECORD_BYTES);

/** `undefined` for a row that this version cannot use. */
export function readRecord({ key, value }: TableRow): ServiceRecord | undefined {
  const fields = word(key) === undefined ? undefined : readFrozen(value);
  return fields && Object.freeze({ ...fields, instanceId: key });
}

/** Deeply, because all callers of this process share it. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
