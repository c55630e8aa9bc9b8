/**
 * Pure: calls and answers as they travel between nodes.
 * Called by `calls.ts`; whatever is not exactly one of these is dropped.
 */

import { type ErrorWords, errorWords } from '../errors/describe.js';
import { readTrace, type TraceCarrier } from '../telemetry/tracing.js';
import { parseJson } from '../wire/json.js';

/** The version of the format; a receiver drops what has another one. */
export const CALL_VERSION = 1;

/** A call. */
export interface CallRequest {
  kind: 'call';
  id: string;
  /** Boot id of the caller, to whose inbox the answer goes; empty for a cast, which has none. */
  from: string;
  process: string;
  /** The epoch the caller resolved. */
  epoch: number;
  method: string;
  args: unknown[];
  /** For a partition: of how many the caller took it to be one. */
  partitions?: number | undefined;
  /** Milliseconds after which nobody waits for the answer. */
  timeout: number;
  /** The longest result in bytes that the caller reads; nodes of the version before do not say it. */
  longest?: number;
  /** The trace that it belongs to. */
  trace?: TraceCarrier | undefined;
}

/** Why a call was not carried out at all. */
export type Refusal = 'stale' | 'not-callable' | 'busy';

/** An error as it travels. */
export type WireError = ErrorWords;

/** The answer to a call. */
export type CallReply =
  | { kind: 'reply'; id: string; outcome: 'value'; value: unknown }
  | { kind: 'reply'; id: string; outcome: 'error'; error: WireError }
  | { kind: 'reply'; id: string; outcome: Refusal }
  /** The owner lost its lease while the method ran. */
  | { kind: 'reply'; id: string; outcome: 'interrupted' };

/** One message as JSON. */
export function encodeCall(message: CallRequest | CallReply): string {
  return JSON.stringify({ v: CALL_VERSION, ...message });
}

/**
 * The answer with a value whose JSON is there already, so that it is written once; `undefined` for a value without
 * JSON.
 */
export function encodeValue(id: string, json: string | undefined): string {
  const head = encodeCall({ kind: 'reply', id, outcome: 'value', value: undefined });
  return json === undefined ? head : `${head.slice(0, -1)},"value":${json}}`;
}

/** Reads a text that anybody may have published; `undefined` for each message that is none of ours. Never throws. */
export function decodeCalls(text: string): (CallRequest | CallReply | undefined)[] {
  let values: unknown;
  try {
    values = parseJson(text);
  } catch {
    return [undefined];
  }
  return (Array.isArray(values) ? values : [values]).map(read);
}

function read(value: unknown): CallRequest | CallReply | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const message = value as Record<string, unknown>;
  if (message['v'] !== CALL_VERSION || !isWord(message['id'])) return undefined;
  return message['kind'] === 'call' ? readRequest(message) : readReply(message);
}

/** The longest name in a call, in characters, and the longest time that a timer takes, in milliseconds. */
const MAX_WORD = 400;
const MAX_TIMEOUT = 2 ** 31 - 1;

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_WORD;
}

function isWhole(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function readRequest(message: Record<string, unknown>): CallRequest | undefined {
  const { id, from, process, epoch, method, args, timeout, longest } = message;
  // A cast has no caller.
  if ((from !== '' && !isWord(from)) || !isWord(process) || !isWord(method)) return undefined;
  if (!isWhole(epoch, Number.MAX_SAFE_INTEGER) || !Array.isArray(args)) return undefined;
  if (typeof timeout !== 'number' || !(timeout >= 0)) return undefined;
  const request: CallRequest = {
    kind: 'call',
    id: id as string,
    from,
    process,
    epoch,
    method,
    args,
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
  if (typeof longest === 'number' && longest >= 0) request.longest = longest;
  const { partitions } = message;
  if (Number.isSafeInteger(partitions)) request.partitions = partitions as number;
  const trace = readCarrier(message['trace']);
  if (trace !== undefined) request.trace = trace;
  return request;
}

/** A call is not lost for a trace that cannot be read. */
function readCarrier(value: unknown): TraceCarrier | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { traceparent, tracestate } = value as Record<string, unknown>;
  return readTrace(traceparent, tracestate);
}

const PLAIN_OUTCOMES = ['stale', 'not-callable', 'busy', 'interrupted'] as const;

function readReply(message: Record<string, unknown>): CallReply | undefined {
  const { kind, outcome, value } = message;
  const id = message['id'] as string;
  if (kind !== 'reply') return undefined;
  if (outcome === 'value') return { kind, id, outcome, value };
  const plain = PLAIN_OUTCOMES.find((each) => each === outcome);
  if (plain !== undefined) return { kind, id, outcome: plain };
  return outcome === 'error' ? { kind, id, outcome, error: readError(message['error']) } : undefined;
}

function readError(value: unknown): WireError {
  const error = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = (key: string): string | undefined => (typeof error[key] === 'string' ? error[key] : undefined);
  const [code, stack] = [text('code'), text('stack')];
  return {
    name: text('name') ?? 'Error',
    message: text('message') ?? 'unknown error',
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
  };
}

/** The fields of an error that travel, cut; a thrown value that is no error becomes one. Never throws. */
export function toWireError(thrown: unknown, withStack: boolean): WireError {
  const { stack, ...words } = errorWords(thrown);
  return withStack && stack !== undefined ? { ...words, stack } : words;
}
