/**
 * Reads JSON that anybody may have written: nothing in it reaches a prototype, and ordinary words arrive.
 * Called wherever a text comes from Redis or from a message.
 */

/**
 * Where one of the names is written, or could be with escapes: those of `_` and of letters. Other escapes, which texts
 * do have, cannot be part of a name, and reading a text property by property takes four times as long.
 */
const SUSPICIOUS = /\\u00[567]|"(?:__proto__|constructor)"\s*:/;

/**
 * Parts of what {@link SUSPICIOUS} finds that are rare by their first characters: looking for them takes half the time,
 * and nearly every text has none of them.
 */
const TRACES = ['_proto__"', 'uctor"', '\\u00'] as const;

/** A text up to this many characters is parsed in a moment, however deeply it is nested. */
const SHALLOW_LENGTH = 256 * 1024;
/** `JSON.stringify` gives up at about 4,000 levels, so no node writes a text of more than so many. */
const MAX_DEPTH = 10_000;

/**
 * Parses a text. A property `__proto__` is left out, and a `prototype` within a `constructor`: these are the two ways
 * by which merging a value into another one could change all objects. Any other name is a word like each other, also
 * `constructor` and `prototype` by themselves.
 *
 * @throws SyntaxError for what is no JSON, RangeError for what is nested too deeply: to be filtered, or to be parsed in
 * reasonable time, as a million levels take half a second.
 */
export function parseJson(text: string): unknown {
  if (text.length > SHALLOW_LENGTH && isDeep(text)) throw new RangeError(`more than ${MAX_DEPTH} levels`);
  return isSuspicious(text) ? JSON.parse(text, withoutForbidden) : JSON.parse(text);
}

/** A copy of what `parseJson` gave: shares no object with it. However deep it is, as it does not call itself. */
export function copyJson(value: unknown): unknown {
  const open: [from: object, to: object][] = [];
  const begin = (from: unknown): unknown => {
    if (typeof from !== 'object' || from === null) return from;
    const to = Array.isArray(from) ? [] : {};
    open.push([from, to]);
    return to;
  };
  const copy = begin(value);
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [from, to] = pair as [Record<string, unknown>, Record<string, unknown>];
    for (const key of Object.keys(from)) to[key] = begin(from[key]);
  }
  return copy;
}

function isSuspicious(text: string): boolean {
  return TRACES.some((trace) => text.includes(trace)) && SUSPICIOUS.test(text);
}

/** Whether the brackets outside of strings open more levels than are read; whatever else the text is. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) at = endOfString(text, at);
    else if (character === BRACKET || character === BRACE) {
      if ((depth += 1) > MAX_DEPTH) return true;
    } else if (character === BRACKET + 2 || character === BRACE + 2) depth -= 1;
  }
  return false;
}

/** The place of the quote that ends the string that begins at `from`, or the end of the text. */
function endOfString(text: string, from: number): number {
  let end = from;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
}

const [QUOTE, BACKSLASH, BRACKET, BRACE] = [34, 92, 91, 123];

/** What is inside comes first, so a constructor has been read when its name is asked about. */
function withoutForbidden(this: unknown, key: string, value: unknown): unknown {
  if (key === '__proto__') return undefined;
  if (key === 'constructor' && typeof value === 'object' && value !== null) Reflect.deleteProperty(value, 'prototype');
  return value;
}
