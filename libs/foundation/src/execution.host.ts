/**
 * What guards, interceptors, filters and parameter decorators of Nest see of a call or a message.
 */
import type { ArgumentsHost, ContextType } from '@nestjs/common';
import type { CallHost } from './calls/callee.js';
import type { MessageHost } from './channels/channel.js';
import { FOUNDATION_CONTEXT } from './enhancers/enhancers.js';
import { ArgumentError } from './errors/config.errors.js';
import { show } from './errors/describe.js';

/** What `getType()` of a call or a message answers: `context.getType<FoundationContextType>() === 'foundation'`. */
export type FoundationContextType = ContextType | typeof FOUNDATION_CONTEXT;

/** What is handled. */
export type FoundationHost = CallHost | MessageHost;

/**
 * Says what is handled, as `switchToHttp()` does for a request.
 *
 * ```ts
 * canActivate(context: ExecutionContext) {
 *   if (context.getType<FoundationContextType>() !== 'foundation') return this.ofRequest(context);
 *   const host = switchToFoundation(context);
 *   return host.kind === 'message' || host.method !== 'close';
 * }
 * ```
 *
 * Underneath: `getArgs()`, which has the arguments of the call, or message and meta, and what this returns at its end.
 *
 * @throws ArgumentError in any other context.
 */
export function switchToFoundation(context: Pick<ArgumentsHost, 'getType' | 'getArgs'>): FoundationHost {
  const type: string = context.getType();
  if (type === FOUNDATION_CONTEXT) return context.getArgs<unknown[]>().at(-1) as FoundationHost;
  throw new ArgumentError('switchToFoundation', 'context', `one of type ${show(type)}`, `one of type 'foundation'`);
}
