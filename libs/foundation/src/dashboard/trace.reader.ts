/**
 * Asks a provider of the application for the traces that it collects.
 * Underneath the option `traces`, and `ModuleRef.get`.
 */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { called, Gate } from '../foreign/gate.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { isObject } from '../wire/decode.js';
import { DASHBOARD } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import {
  type DashboardTraceLine,
  type DashboardTraces,
  readLines,
  readTraceSeen,
  type TraceSeen,
} from './dashboard.traces.js';

const ANSWER_MS = 5000;
const FAILED = Symbol('failed');

/** See the file header. */
@Injectable()
export class TraceReader implements OnModuleInit {
  readonly #gate: Gate;
  #source: DashboardTraces | undefined;

  constructor(
    @Inject(DASHBOARD) private readonly config: DashboardConfig,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
    @Inject(Telemetry) telemetry: Telemetry,
  ) {
    this.#gate = new Gate(telemetry);
  }

  /** @throws FoundationConfigError where no module provides what the option names. */
  onModuleInit(): void {
    const { traces } = this.config;
    if (traces === undefined) return; // Then there is no controller, either.
    let found: unknown;
    try {
      found = this.modules.get(traces, { strict: false });
    } catch {
      throw new FoundationConfigError('dashboard.traces', show(traces), 'a provider of the application');
    }
    const isSource = isObject(found) && typeof found['list'] === 'function' && typeof found['get'] === 'function';
    if (!isSource)
      throw new FoundationConfigError('dashboard.traces', show(found), 'an object with list() and get(id)');
    this.#source = found as DashboardTraces;
  }

  /** The newest first; `'failed'` when the application did not say. */
  async list(): Promise<DashboardTraceLine[] | 'failed'> {
    const lines = await this.#ask('list', async (source) => readLines(await source.list()));
    return lines === FAILED ? 'failed' : (lines ?? 'failed');
  }

  /** `undefined` for one that is not known, `'failed'` when there is no answer, or one that is not a trace. */
  async get(id: string): Promise<TraceSeen | 'failed' | undefined> {
    const seen = await this.#ask('get', async (source) => {
      const trace = await source.get(id);
      // Both are what an absence is in JavaScript and after JSON.
      return trace === undefined || trace === null ? undefined : (readTraceSeen(trace) ?? FAILED);
    });
    return seen === FAILED ? 'failed' : seen;
  }

  /** Within the gate, the reading too: what an application returns may throw when it is read. */
  #ask<T>(method: string, question: (source: DashboardTraces) => Promise<T>): Promise<T | typeof FAILED> {
    const ask = (): Promise<unknown> => called(() => question(this.#source!));
    return this.#gate.wait<T | typeof FAILED>(`dashboard.traces.${method}`, ANSWER_MS, FAILED, ask);
  }
}
