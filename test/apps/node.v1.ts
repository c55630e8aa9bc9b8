// The API of Foundation 1.x in a node of a test cluster: whatever a test asks of its four classes.
import type { INestApplication } from '@nestjs/common';
import { Callable } from 'nestjs-foundation';
import { Config, Events, FoundationV1Module, ServiceRegistry, Telemetry } from 'nestjs-foundation/v1';

export const V1_MODULE = FoundationV1Module;

/** What is registered where a test says `BILLING`. */
class Billing {
  @Callable()
  price(count: number): { amount: number; pid: number } {
    return { amount: 5 * count, pid: process.pid };
  }
}

/** Calls a method of a class; `heard` of `config` is what a subscriber was told. */
export function v1Of(app: INestApplication) {
  const heard: unknown[] = [];
  const config = app.get(Config);
  config.subscribe((notification) => heard.push(notification));
  const services: Record<string, object> = {
    ...{ config, events: app.get(Events), telemetry: app.get(Telemetry), registry: app.get(ServiceRegistry) },
  };
  return async (service: string, method: string, args: readonly unknown[]): Promise<unknown> => {
    if (method === 'heard') return heard;
    const target = services[service] as Record<string, (...args: unknown[]) => unknown>;
    return target[method]!(...args.map((each) => (each === 'BILLING' ? new Billing() : each)));
  };
}
