// What a row of the compatibility tables is. Each row is a test (v1.rows.spec.ts) and a line of
// docs/reference/foundation-v1.md, which shows the source text of `input` and `result`: write them to be read.
import { expect } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { Config, Events, ServiceRegistry, Telemetry, V1Options } from 'nestjs-foundation/v1';

/** What `input` gets: the four classes of an application that has just started. */
export interface Application {
  config: Config;
  events: Events;
  telemetry: Telemetry;
  registry: ServiceRegistry;
  /** Moves its clock forward, by milliseconds. */
  later: (ms: number) => void;
  /** Ends the application: its services do not run any more. */
  close: INestApplicationContext['close'];
}

export interface Row {
  /** The method, or the function of the entry. */
  fn: string;
  case: string;
  /** Options of the module; by default it is in test mode. */
  options?: V1Options;
  input: (app: Application) => unknown;
  result: unknown;
  /** What 1.x did. */
  was: string;
  /** What this does. */
  now: string;
}

export const SAME = 'the same';

/** A good result, with this value. */
export const ok = (value?: unknown) => ({ ok: true, value });

/** A failed result, with an error of this code and type. */
export const fails = (code: number, errorType: string, more: object = {}) => ({
  ok: false,
  error: expect.objectContaining({ code, errorType, ...more }) as unknown,
});

/** A failed result whose reason is an atom, or an atom and a value. */
export const because = (reason: string, value?: unknown) => ({
  ok: false,
  error: value === undefined ? { reason } : { reason, value },
});

/** Thrown instead of returned. */
export const throws = (name: string) => ({ thrown: expect.objectContaining({ name }) as unknown });

/** What has these fields, among others. */
export const has = (fields: Record<string, unknown>): unknown => expect.objectContaining(fields);

export const ANY_NUMBER: unknown = expect.any(Number);
export const ANY_TEXT: unknown = expect.any(String);
/** At most 300 characters. */
export const SHORT_TEXT: unknown = expect.stringMatching(/^[^]{0,300}$/);
