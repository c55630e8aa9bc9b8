// The API of Foundation 1.x: each row of the tables is a case here, and a line of docs/reference/foundation-v1.md.
import { afterEach, describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { FoundationModule } from 'nestjs-foundation';
import * as entry from 'nestjs-foundation/v1';
import { Config, Events, FoundationV1Module, ServiceRegistry, Telemetry } from 'nestjs-foundation/v1';
import { V1Service } from '../../libs/foundation/src/v1/v1.service.js';
import { CONFIG_ROWS } from './v1/config.rows.js';
import { ERRORS_ROWS } from './v1/errors.rows.js';
import { EVENTS_ROWS } from './v1/events.rows.js';
import { REGISTRY_ROWS } from './v1/registry.rows.js';
import type { Row } from './v1/rows.js';
import { TELEMETRY_ROWS } from './v1/telemetry.rows.js';

const ignore = (): void => undefined;
const SILENT: LoggerService = { log: ignore, error: ignore, warn: ignore };
let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function outcomeOf({ options = { testMode: true }, input }: Row): Promise<unknown> {
  const imports = [FoundationModule.forRoot({ appName: 'v1' }), FoundationV1Module.forRoot(options)];
  const module = (app = await Test.createTestingModule({ imports }).setLogger(SILENT).compile());
  await module.init();
  const service = module.get(V1Service);
  const later = (ms: number): void => {
    const ticks = service.ticks.bind(service);
    service.ticks = () => ticks() + ms;
  };
  const [config, events]: [Config, Events] = [module.get(Config), module.get(Events)];
  const [telemetry, registry]: [Telemetry, ServiceRegistry] = [module.get(Telemetry), module.get(ServiceRegistry)];
  try {
    return await input({ config, events, telemetry, registry, later, close: () => module.close() });
  } catch (thrown) {
    return { thrown };
  }
}

/** Functions of the entry that are about events; all others are about errors. */
const LOGIC = ['groupByCorrelation', 'filterByTimeRange', 'transformEventData'];

type Covered = Record<string, { rows: Row[]; named: object; more?: string[] }>;
/** Of each class its methods, and of the entry the functions that belong to it. */
const COVERED: Covered = {
  Config: { rows: CONFIG_ROWS, named: Config.prototype },
  Events: {
    rows: EVENTS_ROWS,
    named: Events.prototype,
    more: LOGIC,
  },
  Telemetry: { rows: TELEMETRY_ROWS, named: Telemetry.prototype },
  ServiceRegistry: { rows: REGISTRY_ROWS, named: ServiceRegistry.prototype },
  Errors: {
    rows: ERRORS_ROWS,
    named: Object.fromEntries(Object.entries(entry).filter(([name]) => /^[a-z]/.test(name) && !LOGIC.includes(name))),
  },
};
const NOT_OF_1X = ['constructor', 'record'];

describe.each(Object.entries(COVERED))('%s', (_name, { rows, named, more = [] }) => {
  it.each(rows)('$fn: $case', async (row) => {
    expect(await outcomeOf(row)).toEqual(row.result);
  });

  it('has rows for each function, and no others', () => {
    const functions = Object.getOwnPropertyNames(named).filter((name) => !NOT_OF_1X.includes(name));
    expect([...new Set(rows.map(({ fn }) => fn))].sort()).toEqual([...functions, ...more].sort());
  });
});
