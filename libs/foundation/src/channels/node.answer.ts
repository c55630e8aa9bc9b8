/**
 * Pure: what a node answers a sender that asks, as it travels in an acknowledgement, and what a gathering makes of it.
 */
import type { Gathering, MissingReason } from '../calls/gathering.js';
import { cutText, listOfAll, oneOf, or, text } from '../wire/decode.js';
import { parseJson } from '../wire/json.js';

/** What a handler returned, or why it did not. */
export interface HandlerOutcome {
  value?: unknown;
  reason?: MissingReason;
}

/** What the handlers of one node have to say to a sender that asks. */
export interface NodeAnswer {
  /** What they returned as JSON, one for each; none = no handler took the message. */
  values: string[];
  /** The first failure, if any. */
  failure?: { reason: MissingReason; message: string };
}

/** Handlers of one node that answer; as many as subscriptions are common on one channel. */
const MAX_ANSWERS = 1_000;
/** The most characters of a text that is read of another node. */
const MAX_MESSAGE = 1_000;

/** The reasons that a node gives itself; all others are those of the node that asks. */
const readReason = or<MissingReason>(
  oneOf<MissingReason>('failed', 'invalid-payload', 'queue-full', 'unsubscribed'),
  'failed',
);
const readTexts = listOfAll(text(Number.MAX_SAFE_INTEGER, 0), MAX_ANSWERS);
const readMessage = cutText(MAX_MESSAGE);

/** The body of the acknowledgement; the second place is that of the failure of a message that nobody asks about. */
export function writeAnswer(id: number, { values, failure }: NodeAnswer): unknown[] {
  return [id, null, values, ...(failure === undefined ? [] : [failure.reason, failure.message])];
}

/** Whatever the node has sent; never throws. */
export function takeAnswer(gathering: Gathering, bootId: string, body: readonly unknown[]): void {
  const [, failure, given, reason, message] = body;
  if (given === undefined) {
    // It is of the version before: it has handled the message, or failed to, and knows of no answers.
    if (failure === undefined) return gathering.miss(bootId, 'unsupported');
    return gathering.miss(bootId, 'failed', readMessage(failure));
  }
  const values = valuesOf(readTexts(given));
  if (values === undefined) return gathering.miss(bootId, 'failed', 'its answer cannot be read');
  const size = (given as string[]).reduce((sum, each) => sum + each.length, 0);
  const missing = reason === undefined ? undefined : { reason: readReason(reason)!, message: readMessage(message) };
  gathering.answer(bootId, values, { size, missing });
}

function valuesOf(texts: readonly string[] | undefined): unknown[] | undefined {
  try {
    return texts?.map((each) => (each === '' ? undefined : parseJson(each)));
  } catch {
    return undefined;
  }
}
