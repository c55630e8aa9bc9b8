/**
 * Checks a span that an application describes, so that what makes spans gets what it expects.
 * Called by `telemetry.ts`.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { givenOptions, isOptions } from '../foreign/given.options.js';
import { readTraceContext, type SpanDescription, type SpanKindName } from './tracing.js';

const KINDS: readonly unknown[] = ['internal', 'producer', 'consumer', 'client', 'server'] satisfies SpanKindName[];
/** The longest name of a span, in characters. */
const MAX_NAME = 200;

/** @throws ArgumentError */
export function readSpan(given: unknown): SpanDescription {
  const known = ['kind', 'name', 'attributes', 'parent'] as const;
  const description = givenOptions<Partial<Record<(typeof known)[number], unknown>>>(
    'span',
    given,
    known,
    'description',
  );
  const { kind, name, attributes = {}, parent } = description;
  if (!KINDS.includes(kind)) throw new ArgumentError('span', 'kind', show(kind), `one of ${KINDS.join(', ')}`);
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) {
    throw new ArgumentError('span', 'name', show(name), `a text of 1 to ${MAX_NAME} characters`);
  }
  if (!isOptions(attributes) || !Object.values(attributes).every(isAttribute)) {
    throw new ArgumentError('span', 'attributes', show(attributes), 'an object of texts and finite numbers');
  }
  return {
    kind: kind as SpanKindName,
    name,
    attributes: attributes as Record<string, string | number>,
    parent: readTraceContext(parent),
  };
}

function isAttribute(value: unknown): boolean {
  return typeof value === 'string' || Number.isFinite(value);
}
