/**
 * Decorators of other packages where they would be ignored, or carried out on the wrong instance, without a word: the
 * start is refused, and the error names the method. Called by the explorers; underneath the metadata keys of those
 * packages, which they do not export.
 */
import type { Type } from '@nestjs/common';
import { MetadataScanner } from '@nestjs/core';
import { markedMethods } from './decorated.js';
import { ProcessDeclarationError } from './errors/process.errors.js';

/** Where a decorator of another package stands. */
interface Mark {
  /** Such as `@Cron of @nestjs/schedule`. */
  decorator: string;
  /** `undefined`: the class itself. */
  method: string | undefined;
}

type Named = (metadata: unknown) => string;
/** By the key of the metadata. */
type Table = Readonly<Record<string, Named>>;

const kinds =
  (from: string, ...names: string[]): Named =>
  (metadata) =>
    `@${names[Number(metadata) - 1] ?? names[0]!} of ${from}`;

/** What Nest carries out on the instance that it makes for injection. Keys as of @nestjs 11 and 12. */
const ON_METHODS: Table = {
  'microservices:handler_type': kinds('@nestjs/microservices', 'MessagePattern', 'EventPattern'),
  'websockets:message_mapping': kinds('@nestjs/websockets', 'SubscribeMessage'),
  'bullmq:worker_events_metadata': kinds('@nestjs/bullmq', 'OnWorkerEvent'),
  'bullmq:queue_events_metadata': kinds('@nestjs/bullmq', 'OnQueueEvent'),
  'bull:module_queue_process': kinds('@nestjs/bull', 'Process'),
  // Its metadata is the name of the decorator.
  'graphql:resolver_type': (type) => `@${String(type)} of @nestjs/graphql`,
  'graphql:resolve_property': kinds('@nestjs/graphql', 'ResolveField'),
  'graphql:resolve_reference': kinds('@nestjs/graphql', 'ResolveReference'),
};
const ON_CLASSES: Table = {
  'bullmq:processor_metadata': kinds('@nestjs/bullmq', 'Processor'),
  'bullmq:queue_events_listener_metadata': kinds('@nestjs/bullmq', 'QueueEventsListener'),
  'bull:module_queue': kinds('@nestjs/bull', 'Processor'),
  'websockets:is_gateway': kinds('@nestjs/websockets', 'WebSocketGateway'),
  __commandHandler__: kinds('@nestjs/cqrs', 'CommandHandler'),
  __eventsHandler__: kinds('@nestjs/cqrs', 'EventsHandler'),
  __queryHandler__: kinds('@nestjs/cqrs', 'QueryHandler'),
  __saga__: kinds('@nestjs/cqrs', 'Saga'),
  // Of Nest itself, for packages such as @nestjs/graphql that look for providers of their own.
  __entryProvider__: () => '@Resolver or another decorator of entry providers',
};

/** What Nest puts around the handlers of requests, and Foundation around those of calls and messages. */
export const AROUND_BY_KEY = {
  __guards__: '@UseGuards',
  __interceptors__: '@UseInterceptors',
  __pipes__: '@UsePipes',
  __exceptionFilters__: '@UseFilters',
} as const;
const AROUND: Table = Object.fromEntries(Object.entries(AROUND_BY_KEY).map(([key, name]) => [key, () => name]));
/** With one of these a method, or a class, has requests of its own, which those are for. */
export const OF_REQUESTS = [
  'path',
  'microservices:handler_type',
  'websockets:message_mapping',
  'websockets:is_gateway',
];

/**
 * Holds a process class to decorators that act on the instance which Foundation starts.
 *
 * @param reached the marks of methods that calls and messages reach.
 * @throws ProcessDeclarationError
 */
export function requireStartedOnly(type: Type<object>, reached: readonly symbol[]): void {
  const [mark] = [...marksOnClass(type, ON_CLASSES), ...marksOnMethods(type, ON_METHODS)];
  if (mark !== undefined) {
    throw new ProcessDeclarationError(
      `class ${type.name}`,
      `${placeOf(mark)} has ${mark.decorator}, which acts on every node, on the instance that Nest makes for injection, and ` +
        'never on the one that Foundation starts',
      'Begin in onProcessStart what has to run once, and end it by ctx.signal; or move this to a class that is no process.',
    );
  }
  const marked = new Set(reached.flatMap((key) => markedMethods(type, key).map(({ method }) => method)));
  const around = marksAround(type).find(({ method }) =>
    method === undefined ? marked.size === 0 : !marked.has(method),
  );
  if (around === undefined) return;
  throw new ProcessDeclarationError(
    `class ${type.name}`,
    `${placeOf(around)} has ${around.decorator}, which Foundation applies to calls and messages alone, and none reaches it`,
    'Mark with @Callable() or @Channel() what it is for, or remove it.',
  );
}

/** The decorator on this very method that would have to be applied to a call of it; none on one with a route. */
export function aroundMethod(type: Type<object>, method: string): string | undefined {
  return marksAround(type).find((mark) => mark.method === method)?.decorator;
}

function placeOf({ method }: Mark): string {
  return method === undefined ? 'it' : `its method ${method}`;
}

function marksOnClass(type: Type<object>, table: Table): Mark[] {
  return Object.entries(table).flatMap(([key, named]): Mark[] => {
    const metadata: unknown = Reflect.getMetadata(key, type);
    return metadata === undefined ? [] : [{ decorator: named(metadata), method: undefined }];
  });
}

function marksOnMethods(type: Type<object>, table: Table, scanner = new MetadataScanner()): Mark[] {
  return Object.entries(table).flatMap(([key, named]) =>
    markedMethods<unknown>(type, key, scanner).map(({ method, metadata }) => ({ decorator: named(metadata), method })),
  );
}

/** What stands around the class and those of its methods that have no requests of their own. */
function marksAround(type: Type<object>): Mark[] {
  const around = OF_REQUESTS.some((key) => Reflect.hasMetadata(key, type)) ? [] : marksOnClass(type, AROUND);
  const scanner = new MetadataScanner();
  const ofRequests = new Set(
    OF_REQUESTS.flatMap((key) => markedMethods(type, key, scanner).map(({ method }) => method)),
  );
  return [...around, ...marksOnMethods(type, AROUND, scanner).filter(({ method }) => !ofRequests.has(method!))];
}
