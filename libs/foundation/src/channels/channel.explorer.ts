/**
 * Reads `@Channel` methods into records, for the whole application or for one object. Subscribes nothing.
 */
import type { Type } from '@nestjs/common';
import { type Found, markedMethods, requireShared } from '../decorated.js';
import { requireNothingAround } from '../foreign.decorators.js';
import { CHANNEL_METADATA, type ChannelMetadata } from './channel.decorators.js';
import type { MessageHandler } from './channel.js';

/** A handler that wants to be subscribed. */
export interface DeclaredHandler extends ChannelMetadata {
  handler: MessageHandler;
}

/**
 * The handlers of every shared object, except of the classes that `isProcess`: their instances come and go.
 *
 * @throws DeclarationError for a handler of a request-scoped or transient class, and for one with a guard, a pipe, an
 * interceptor or a filter around it.
 */
export function exploreChannels(found: Found, isProcess: (type: Type) => boolean): DeclaredHandler[] {
  const isMarked = (type: Type<object>): boolean =>
    !isProcess(type) && markedMethods(type, CHANNEL_METADATA).length > 0;
  requireShared(found, '@Channel', isMarked);
  for (const type of new Set(found.instances.map((each) => each.type))) {
    if (!isProcess(type)) requireNothingAround(type, CHANNEL_METADATA, '@Channel');
  }
  return found.instances
    .filter(({ type }) => !isProcess(type))
    .flatMap(({ type, instance }) => handlersOf(instance, type));
}

/** The channels that any class of the application wants to hear, processes included. */
export function exploreChannelNames(found: Found): string[] {
  const types = new Set([...found.classes, ...found.instances].map(({ type }) => type));
  return [...types].flatMap((type) =>
    markedMethods<ChannelMetadata>(type, CHANNEL_METADATA).map(({ metadata }) => metadata.channel),
  );
}

/** The handlers of one object. */
export function handlersOf(target: object, type = target.constructor as Type<object>): DeclaredHandler[] {
  return markedMethods<ChannelMetadata>(type, CHANNEL_METADATA).map(({ method, metadata }) => ({
    ...metadata,
    handler: (message, meta) => (target as Record<string, MessageHandler>)[method]!(message, meta),
  }));
}
