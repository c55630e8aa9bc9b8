/**
 * Pure: calls and answers as they travel between nodes.
 * Used by both sides; whatever is not exactly one of these is dropped.
 */

import { type ContextValues, readContext } from '../context/context.hook.js';
import { ArgumentError } from '../errors/config.errors.js';
import { type ErrorWords, errorWords, shown } from '../errors/describe.js';
import { checkAwaited, isPromise } from '../foreign/given.options.js';
import { readTrace, type TraceCarrier } from '../telemetry/tracing.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { type Bundle, unbundled } from '../wire/bundle.js';
import { amount, anyList, anyText, ifRight, isObject, list, oneOf, or, record, text, whole } from '../wire/decode.js';

/** The version of the format; a receiver drops what has another one. */
export const CALL_VERSION = 1;

/**
 * What an answer is matched by. A node numbers its calls; as JSON the number is a text, because nodes of the version
 * before read nothing else. Whatever it is, the answer says it as it came.
 */
export type CallId = string | number;

/** A call. */
export interface CallRequest {
  kind: 'call';
  id: CallId;
  /** Boot id of the caller, to whose inbox the answer goes; empty for a cast, which has none. */
  from: string;
  process: string;
  /** The epoch the caller resolved. */
  epoch: number;
  method: string;
  args: unknown[];
  /** For a partition: of how many the caller took it to be one. */
  partitions?: number | undefined;
  /** Milliseconds after which no caller waits for the answer. */
  timeout: number;
  /** The longest result in bytes that the caller reads; nodes of the version before do not say it. */
  longest?: number;
  /** The trace that it belongs to. */
  trace?: TraceCarrier | undefined;
  /** What the application of the caller has travel with it. */
  context?: ContextValues | undefined;
  /** The processes that wait for it, nearest first; nodes of the version before do not say it. */
  chain?: string[] | undefined;
}

/** Why a call was not carried out at all. */
export type Refusal = 'stale' | 'not-callable' | 'busy';

/** An error as it travels. */
export type WireError = ErrorWords;

/** The answer to a call. */
export type CallReply =
  | { kind: 'reply'; id: CallId; outcome: 'value'; value: unknown }
  | { kind: 'reply'; id: CallId; outcome: 'error'; error: WireError }
  | { kind: 'reply'; id: CallId; outcome: Refusal }
  /** The instance ended, or lost its lease, while the method ran. */
  | { kind: 'reply'; id: CallId; outcome: 'interrupted' };

/** A call, or an answer that is no value, as it is packed or written as JSON. */
export function wordsOf(message: CallRequest | CallReply): object {
  if (message.kind === 'reply') {
    if (message.outcome !== 'value') return { v: CALL_VERSION, ...message };
    return { v: CALL_VERSION, kind: 'reply', id: message.id, outcome: 'value', value: message.value };
  }
  return {
    v: CALL_VERSION,
    kind: 'call',
    // As a text, which nodes of the version before need.
    id: String(message.id),
    from: message.from,
    process: message.process,
    epoch: message.epoch,
    method: message.method,
    args: message.args,
    partitions: message.partitions,
    timeout: message.timeout,
    longest: message.longest,
    trace: message.trace,
    context: message.context,
    chain: message.chain,
  };
}

/** One message as JSON. */
export function encodeCall(message: CallRequest | CallReply): string {
  return JSON.stringify(wordsOf(message));
}

/** Puts an answer into the form in which it travels, at once. */
export type AnswerWriter = (reply: CallReply, limits?: AnswerLimits) => string;

/** How long the JSON of a result may be. An object for each call, and no functions: it is made for every answer. */
export class AnswerLimits {
  constructor(
    /** In bytes. */
    readonly most: number,
    private readonly method: string,
  ) {}

  /** The error for JSON that is longer; `undefined` for a value without JSON. */
  check(json: string | undefined): Error | undefined {
    if (json === undefined || !isLonger(json, this.most)) return undefined;
    const bytes = Buffer.byteLength(json);
    return new RangeError(
      `The result of ${this.method} has ${bytes} bytes, more than the ${this.most} of channels.maxMessageBytes.`,
    );
  }

  /** The same for an answer that is packed. */
  tooLarge(answer: unknown): Error | undefined {
    return this.check(JSON.stringify((answer as { value: unknown }).value));
  }
}

/**
 * Writes an answer as JSON.
 *
 * @throws what JSON throws, and the error of {@link AnswerLimits}.
 */
export function writeAnswer(reply: CallReply, limits?: AnswerLimits): string {
  if (reply.outcome !== 'value') return encodeCall(reply);
  // Undefined for what JSON cannot write, whatever the types say.
  const json = JSON.stringify(reply.value) as string | undefined;
  const error = limits?.check(json);
  if (error !== undefined) throw error;
  return encodeValue(reply.id, json);
}

/**
 * An answer with a value whose JSON is there already, so that it is written once; `undefined` for a value without
 * JSON.
 */
export function encodeValue(id: CallId, json: string | undefined): string {
  const head = `{"v":${CALL_VERSION},"kind":"reply","id":${JSON.stringify(id)},"outcome":"value"`;
  return json === undefined ? `${head}}` : `${head},"value":${json}}`;
}

/** The number of a call of this node that an answer names; `undefined` for what is none. */
export function numberIn(id: CallId): number | undefined {
  if (typeof id === 'number') return id;
  const number = Number(id);
  // Nothing but the very text that was sent.
  return String(number) === id ? number : undefined;
}

/** True when a text has more bytes than this as UTF-8: three for each character at most, so few texts are counted. */
export function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && (text.length > bytes || Buffer.byteLength(text) > bytes);
}

/**
 * Reads what any client may have published; `undefined` for each message that is none of ours, or why all of it is
 * dropped. Never throws.
 */
export function decodeCalls(bundle: Bundle): (CallRequest | CallReply | undefined)[] | 'too-many-messages' {
  const values = unbundled(bundle);
  if (values === 'not-json' || values === 'not-packed') return [undefined];
  return typeof values === 'string' ? values : values.map(read);
}

function read(value: unknown): CallRequest | CallReply | undefined {
  if (!isObject(value) || value['v'] !== CALL_VERSION) return undefined;
  return value['kind'] === 'call' ? readRequest(value) : readReply(value);
}

/** The longest name in a call, in characters. */
export const MAX_WORD = 400;

/** So many processes travel with a call: a longer chain is none that somebody wrote on purpose. */
export const MAX_CHAIN = 8;

const word = text(MAX_WORD);

/**
 * Refuses before it is sent what every reader drops: the caller would wait for an answer that nobody gives.
 *
 * @throws ArgumentError
 */
export function checkMethod(subject: string, method: unknown): asserts method is string {
  if (word(method) !== undefined) return;
  const expected = `the name of a method, a text of 1 to ${MAX_WORD} characters`;
  throw new ArgumentError(subject, 'method', shown(method, 80), expected);
}

/** @throws ArgumentError for a promise among them: it would arrive as an empty object. */
export function checkArguments(subject: string, method: string, args: readonly unknown[]): void {
  // Each call comes through here.
  for (let at = 0; at < args.length; at++) {
    if (isPromise(args[at])) checkAwaited(`${subject}.${method}`, `args[${at}]`, args[at]);
  }
}

const anyTime = amount(Infinity);

const number = whole();
const readId = (value: unknown): CallId | undefined => word(value) ?? number(value);

const readRequest = record<CallRequest>({
  kind: oneOf('call'),
  id: readId,
  // A cast has no caller.
  from: text(MAX_WORD, 0),
  process: word,
  epoch: whole(),
  method: word,
  args: anyList,
  partitions: ifRight(whole(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER)),
  timeout: (value) => {
    const given = anyTime(value);
    return given === undefined ? undefined : Math.min(given, LONGEST_TIMER_MS);
  },
  longest: ifRight(anyTime),
  // A call is not lost for a trace that cannot be read.
  trace: ifRight((value) => (isObject(value) ? readTrace(value['traceparent'], value['tracestate']) : undefined)),
  context: ifRight(readContext),
  chain: ifRight(list(word, MAX_CHAIN)),
});

const readError = record<WireError>({
  name: or(anyText, 'Error'),
  message: or(anyText, 'unknown error'),
  code: ifRight(anyText),
  stack: ifRight(anyText),
});

const readPlain = oneOf('stale', 'not-callable', 'busy', 'interrupted');

function readReply({ kind, id: given, outcome, value, error }: Record<string, unknown>): CallReply | undefined {
  const id = readId(given);
  if (kind !== 'reply' || id === undefined) return undefined;
  if (outcome === 'value') return { kind, id, outcome, value };
  if (outcome === 'error') return { kind, id, outcome, error: readError(error) ?? UNKNOWN };
  const plain = readPlain(outcome);
  return plain && { kind, id, outcome: plain };
}

/** An error that cannot be read is one all the same. */
const UNKNOWN: WireError = { name: 'Error', message: 'unknown error' };

/** The fields of an error that travel, cut; a thrown value that is no error becomes one. Never throws. */
export function toWireError(thrown: unknown, withStack: boolean): WireError {
  const { stack, ...words } = errorWords(thrown);
  return withStack && stack !== undefined ? { ...words, stack } : words;
}
