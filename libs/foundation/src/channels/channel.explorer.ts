/**
 * Reads `@Channel` methods into records, for the whole application or for one object. Subscribes nothing.
 */
import type { Type } from '@nestjs/common';
import { type Found, markedMethods, requireShared } from '../decorated.js';
import type { Enhanced, Enhancers, Invocation } from '../enhancers/enhancers.js';
import { CHANNEL_METADATA, type ChannelMetadata } from './channel.decorators.js';
import type { MessageHandler, MessageHost } from './channel.js';

type Around = Pick<Enhancers, 'around'>;

/** A handler that wants to be subscribed. */
export interface DeclaredHandler extends ChannelMetadata {
  /** The class and the method: what the figures call it. */
  label: string;
  handler: MessageHandler;
}

/**
 * The handlers of every shared object, except of the classes that `isProcess`: their instances come and go.
 *
 * @throws DeclarationError for a handler of a request-scoped or transient class.
 */
export function exploreChannels(
  found: Found,
  isProcess: (type: Type) => boolean,
  enhancers?: Around,
): DeclaredHandler[] {
  const isMarked = (type: Type<object>): boolean =>
    !isProcess(type) && markedMethods(type, CHANNEL_METADATA).length > 0;
  requireShared(found, '@Channel', isMarked);
  return found.instances
    .filter(({ type }) => !isProcess(type))
    .flatMap(({ instance }) => handlersOf(instance, enhancers));
}

/** The channels that any class of the application wants to hear, processes included. */
export function exploreChannelNames(found: Found): string[] {
  const types = new Set([...found.classes, ...found.instances].map(({ type }) => type));
  return [...types].flatMap((type) =>
    markedMethods<ChannelMetadata>(type, CHANNEL_METADATA).map(({ metadata }) => metadata.channel),
  );
}

/**
 * The handlers of one object, each with what Nest puts around it.
 *
 * @param begin see {@link Invocation.begin}.
 */
export function handlersOf(target: object, enhancers?: Around, begin?: Invocation['begin']): DeclaredHandler[] {
  const type = target.constructor as Type<object>;
  return markedMethods<ChannelMetadata>(type, CHANNEL_METADATA).map(({ method, metadata }) => ({
    ...metadata,
    label: `${type.name}.${method}`,
    handler: handlerOf(target, method, enhancers?.around(target, method), { begin }),
  }));
}

/** Decided once, because a handler may get many messages. */
function handlerOf(
  target: object,
  method: string,
  enhanced: Enhanced | undefined,
  invocation: Invocation,
): MessageHandler {
  if (enhanced === undefined) {
    return (message, meta) => (target as Record<string, MessageHandler>)[method]!(message, meta);
  }
  return (message, meta) => enhanced<MessageHost>([message, meta], { kind: 'message', message, meta }, invocation);
}
