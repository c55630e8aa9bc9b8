/**
 * What `FoundationV1Module` takes.
 */
import type { V1Config } from './config/config.defaults.js';

/** Every part of it may be left out. */
export type Partly<T> = T extends object ? { readonly [K in keyof T]?: Partly<T[K]> } : T;

/** Options of `FoundationV1Module`. */
export interface V1Options {
  /**
   * The configuration of the application, `config :foundation, …` of 1.x: laid over the defaults part by part. Sections
   * that 1.x does not have are left out.
   */
  config?: Partly<V1Config>;
  /**
   * What 1.x takes as `Foundation.Config.initialize(opts)`: whole sections, each in the place of the one that is there.
   */
  overrides?: Partial<V1Config>;
  /** `config :foundation, test_mode: true`: permits `resetState()`. Default false. */
  testMode?: boolean;
  /** `false` keeps stored events from the channel `events`; other nodes can query them all the same. Default true. */
  publishEvents?: boolean;
}

/** The token of {@link V1Options}. */
export const V1_OPTIONS = Symbol.for('foundation:v1:options');
