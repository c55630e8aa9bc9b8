/**
 * Pure: a message and its details → one sentence that says them all.
 * Called by `log.ts`.
 */
import { plain, shown } from '../errors/describe.js';

/** The longest that one detail takes, in characters; errors have a limit of their own. */
const MAX_DETAIL = 300;

/**
 * Puts each detail where the message has its name in braces; the others follow in brackets, and an `error` after a
 * colon. What the message says already is not said twice.
 *
 * ```ts
 * sentenceOf('Process "{process}" crashed', { process: 'feed', epoch: 7, error: 'no' });
 * // Process "feed" crashed (epoch: 7): no
 * ```
 */
export function sentenceOf(message: string, details: object = {}): string {
  const left = new Map(Object.entries(details).filter(([, value]) => value !== undefined));
  const filled = message.replace(/\{(\w+)\}/g, (braces, key: string) => {
    if (!left.has(key)) return braces;
    const text = textOf(key, left.get(key));
    left.delete(key);
    return text;
  });
  const { error, ...others } = Object.fromEntries(left) as Record<string, unknown>;
  const facts = Object.entries(others)
    .map(([key, value]) => [key, textOf(key, value)] as const)
    .filter(([, text]) => text !== '' && !says(filled, text))
    .map(([key, text]) => `${key}: ${text}`);
  const bracket = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
  const cause = error === undefined ? '' : textOf('error', error);
  return `${filled}${bracket}${cause === '' || says(filled, cause) ? '' : `: ${cause}`}`;
}

function textOf(key: string, value: unknown): string {
  if (key === 'error') return typeof value === 'string' ? plain(value) : shown(value);
  // A name may come from another node, and must not begin a line.
  return shown(value, MAX_DETAIL)
    .replace(/^"(.*)"$/s, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** True when a message has the text as a word of its own. */
function says(message: string, text: string): boolean {
  const at = message.indexOf(text);
  if (at < 0) return false;
  const around = [message[at - 1], message[at + text.length]];
  return around.every((character) => character === undefined || !/[\w-]/.test(character));
}
