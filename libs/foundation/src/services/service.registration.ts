/**
 * Pure: what an application registers → the record that every node reads, or an error that says what is wrong with it.
 * Used by `service.offers.ts`.
 */
import { marksOf } from '../calls/call.marks.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { checkAwaited, isOptions } from '../foreign/given.options.js';
import { isObject } from '../wire/decode.js';
import { parseJson } from '../wire/json.js';
import { isName } from '../wire/names.js';
import { MAX_RECORD_BYTES, type ServiceRecord, writeRecord } from './service.record.js';

/** What of a process ref a registration reads. */
interface ProcessLike {
  name: string;
  epoch: number;
  call(...args: unknown[]): Promise<unknown>;
}

const MAX_CAPABILITIES = 100;

/** What an application registers. */
export interface Registration {
  name: string;
  target: unknown;
  capabilities: readonly string[];
  metadata: unknown;
}

/** Who registers it, and when. */
export type Registrar = Pick<ServiceRecord, 'instanceId' | 'node' | 'bootId' | 'registeredAt'>;

/** @throws ArgumentError */
export function recordOf({ name, target, capabilities, metadata }: Registration, by: Registrar): ServiceRecord {
  const call = 'registerService';
  if (!isName(name)) throw new ArgumentError(call, 'name', show(name), '1 to 200 characters in one line');
  checkAwaited(call, 'target', target);
  if (typeof target !== 'object' || target === null) throw new ArgumentError(call, 'target', show(target), 'an object');
  if (!Array.isArray(capabilities) || capabilities.length > MAX_CAPABILITIES || !capabilities.every(isName)) {
    throw new ArgumentError(call, 'capabilities', show(capabilities), `a list of up to ${MAX_CAPABILITIES} words`);
  }
  const { instanceId, node, bootId, registeredAt } = by;
  // The ref of a process is no object with methods of its own; its row has the marks.
  const isRef = isProcess(target);
  const marks = isRef ? undefined : marksOf(Object.getPrototypeOf(target), `${call}("${name}")`);
  const record: ServiceRecord = {
    name,
    instanceId,
    node,
    bootId,
    capabilities: [...new Set<string>(capabilities)],
    metadata: plain(metadata),
    ...(isAddress(target) ? { url: target.url } : {}),
    ...(isRef ? { process: target.name } : {}),
    registeredAt,
    status: 'healthy',
    ...(marks === undefined ? {} : { marks }),
  };
  const size = Buffer.byteLength(writeRecord(record));
  if (size <= MAX_RECORD_BYTES) return record;
  throw new ArgumentError(call, 'metadata', `${size} bytes`, `at most ${MAX_RECORD_BYTES} with the rest of the record`);
}

function isAddress(target: object): target is { url: string } {
  return 'url' in target && typeof target.url === 'string' && Object.getPrototypeOf(target) === Object.prototype;
}

function isProcess(target: object): target is ProcessLike {
  const like = target as Partial<Record<keyof ProcessLike, unknown>>;
  return typeof like.name === 'string' && typeof like.epoch === 'number' && typeof like.call === 'function';
}

/** As the other nodes will see it. */
function plain(metadata: unknown): Record<string, unknown> {
  let copy: unknown;
  try {
    // JSON would make nothing of what keeps its entries elsewhere.
    if (isOptions(metadata)) copy = parseJson(JSON.stringify(metadata));
  } catch {
    copy = undefined;
  }
  if (isObject(copy)) return copy;
  throw new ArgumentError('registerService', 'metadata', show(metadata), 'an object that JSON can write');
}
