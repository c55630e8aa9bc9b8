/**
 * What every controller of the dashboard has around it: its path, the guards, the answers to what is refused, and the
 * decorators of the application.
 * Used by the controllers; underneath Nest's own decorators.
 */
import { applyDecorators, Controller, Res, UseFilters, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { type Access, guardsOf } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { RefusalFilter } from './refusal.filter.js';

/**
 * Decorates a controller below the path of the dashboard, or at it.
 *
 * @param access what each request has to pass: `outer` for a controller whose methods have guards of their own.
 */
export function DashboardRoute(config: DashboardConfig, below: string, access: Access): ClassDecorator {
  const { path, decorators } = config;
  const guards = guardsOf(config);
  return applyDecorators(
    ...decorators,
    UseFilters(RefusalFilter),
    UseGuards(...guards.outer, ...(access === 'outer' ? [] : guards[access])),
    Controller({ path: `${path}${below}`, version: VERSION_NEUTRAL }),
  );
}

/** What Express and Fastify have in common. */
interface Answering {
  status(code: number): { send(body: unknown): unknown };
}

/**
 * Answers a request with what the method returns, as it is: the page cannot read what an interceptor of the application
 * has put around it. Comes last of the decorators of a method.
 *
 * Underneath: Nest's `@Res()`, which leaves the answer to the method.
 */
export function AnswersAsIs(): MethodDecorator {
  return (target, name, descriptor) => {
    const method = descriptor.value as (...args: unknown[]) => unknown;
    const at = method.length;
    Res()(target, name, at);
    descriptor.value = async function (this: unknown, ...args: unknown[]): Promise<void> {
      const body = await method.apply(this, args.slice(0, at));
      (args[at] as Answering).status(200).send(body);
    } as never;
  };
}
