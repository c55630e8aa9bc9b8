// What the tests configure and nobody may print: every log line and every event of a run is searched for it.

const known = new Set<string>();

/** Remembers a text that must not appear anywhere. */
export function secret(text: string): string {
  known.add(text);
  return text;
}

/** Of every Redis that the tests start without a password of their own. With characters that a URL has to encode. */
export const REDIS_PASSWORD = secret('the Redis p4ssw0rd/of:the@tests');
/** Of the user that applications under test connect as. */
export const USER_PASSWORD = secret('what the us3r/of:the@tests says');

/** Those lines that show a secret, as it is or as a URL has it. */
export function leaksIn(lines: Iterable<string>): string[] {
  const forms = [...known].flatMap((text) => [text, encodeURIComponent(text), encodeURI(text)]);
  return [...lines].filter((line) => forms.some((form) => line.includes(form)));
}

/** Throws when one of the lines shows a secret. */
export function requireNoLeak(lines: Iterable<string>, where: string): void {
  const leaks = leaksIn(lines);
  if (leaks.length > 0) throw new Error(`A secret was shown in ${where}:\n${leaks.slice(0, 5).join('\n')}`);
}
