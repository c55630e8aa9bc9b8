/**
 * Reads `@Channel` methods into records, for the whole application or for one object. Subscribes nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { findClasses, markedMethods } from '../decorated.js';
import { CHANNEL_METADATA, type ChannelMetadata } from './channel.decorators.js';
import type { MessageHandler } from './channel.js';

/** A handler that wants to be subscribed. */
export interface DeclaredHandler extends ChannelMetadata {
  handler: MessageHandler;
}

/** The handlers of every shared provider, except of the classes that `isProcess`: their instances come and go. */
export function exploreChannels(discovery: DiscoveryService, isProcess: (type: Type) => boolean): DeclaredHandler[] {
  return findClasses(discovery)
    .filter(({ type }) => !isProcess(type))
    .flatMap(({ shared }) => (shared === undefined ? [] : handlersOf(shared)));
}

/** The channels that any class of the application wants to hear, processes included. */
export function exploreChannelNames(discovery: DiscoveryService): string[] {
  return findClasses(discovery).flatMap(({ type }) =>
    markedMethods<ChannelMetadata>(type, CHANNEL_METADATA).map(({ metadata }) => metadata.channel),
  );
}

/** The handlers of one object. */
export function handlersOf(target: object): DeclaredHandler[] {
  return markedMethods<ChannelMetadata>(target.constructor as Type<object>, CHANNEL_METADATA).map(
    ({ method, metadata }) => ({
      ...metadata,
      handler: (message, meta) => (target as Record<string, MessageHandler>)[method]!(message, meta),
    }),
  );
}
