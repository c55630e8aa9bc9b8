/**
 * Guards, pipes, interceptors and filters of Nest around the methods that calls and messages run.
 * Used by `call.server.ts` and the declarations; underneath Nest's `ExternalContextCreator`, and what it uses itself.
 */
import type { ExecutionContext, PipeTransform, Type } from '@nestjs/common';
import { ApplicationConfig, ExternalContextCreator, type NestContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { PipesConsumer } from '@nestjs/core/pipes/pipes-consumer.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { markedMethods } from '../decorated.js';
import { DeclarationError } from '../errors/config.errors.js';

/** The type of the context in which calls and messages are handled. */
export const FOUNDATION_CONTEXT = 'foundation';

/** What is handled, as those around the method see it. */
export interface Handled {
  kind: 'call' | 'message';
}

/** A method with everything around it. */
export type Enhanced = <H extends Handled>(args: readonly unknown[], host: H) => Promise<unknown>;

/** Runs on the arguments after the pipes, last before the method. */
export type Prepare = (args: unknown[]) => unknown[] | Promise<unknown[]>;

type Method = (...args: unknown[]) => unknown;

/** Keys of the metadata, and the decorators that leave it. As of @nestjs/common 11 and 12, which do not export them. */
const AROUND = {
  __guards__: '@UseGuards',
  __interceptors__: '@UseInterceptors',
  __pipes__: '@UsePipes',
  __exceptionFilters__: '@UseFilters',
} as const;
const KEYS = Object.keys(AROUND) as (keyof typeof AROUND)[];
/** Where decorators of parameters leave theirs: on the class, by method. */
const PARAMETERS = '__routeArguments__';
const CUSTOM = '__customRouteArgs__';
/** With one of these a method has requests of its own, which its decorators of parameters are for. */
const OF_REQUESTS = ['path', 'microservices:handler_type', 'websockets:message_mapping'];
/** Pipes take an argument for what a controller calls the body, so that `ValidationPipe` looks at it. */
const BODY = 3;
/** The same for a parameter with a decorator of its own, which `ValidationPipe` leaves alone unless told otherwise. */
const OTHER = 6;

/** A parameter with a decorator of `createParamDecorator`. */
interface CustomParameter {
  index: number;
  factory: (data: unknown, context: ExecutionContext) => unknown;
  data: unknown;
  pipes: unknown[];
}

/** See the file header. */
export class Enhancers {
  readonly #container: NestContainer;
  readonly #config: ApplicationConfig;
  readonly #creator: ExternalContextCreator;
  readonly #pipes: PipesContextCreator;
  readonly #consumer = new PipesConsumer();
  readonly #bound = new WeakMap<object, Map<string, Enhanced | undefined>>();

  /** @param global true: what is bound to the whole application applies as well, such as `APP_GUARD`. */
  constructor(
    container: NestContainer,
    private readonly global: boolean,
  ) {
    // Everything but what is bound to the application: of a guard for requests, most could make nothing of a call.
    this.#config = (global ? container.applicationConfig : undefined) ?? new ApplicationConfig();
    this.#container = Object.create(container, { applicationConfig: { value: this.#config } }) as NestContainer;
    this.#creator = ExternalContextCreator.fromContainer(this.#container);
    // Nest finds the module of a provider by its class as the token; controllers and other tokens are none the less.
    this.#creator.getContextModuleKey = (type) => this.#moduleOf(type as Type<object>);
    this.#pipes = new PipesContextCreator(this.#container, this.#config);
  }

  /**
   * The method of this object with all that applies to it; `undefined` when nothing does, which is remembered: a call
   * then costs a look into two maps.
   */
  around(target: object, method: string, prepare?: Prepare): Enhanced | undefined {
    const known = this.#bound.get(target);
    if (known?.has(method) === true) return known.get(method);
    const bound = this.#bind(target, method, prepare);
    this.#bound.set(target, (known ?? new Map<string, Enhanced | undefined>()).set(method, bound));
    return bound;
  }

  /**
   * Sees that all that stands around the methods with one of these marks can be applied: Nest would leave out, without
   * a word, a guard of which it has no instance.
   *
   * @throws DeclarationError
   */
  check(type: Type<object>, marks: readonly symbol[]): void {
    for (const { method } of marks.flatMap((mark) => markedMethods(type, mark))) {
      const place = `${type.name}.${method}`;
      const callback = (type.prototype as Record<string, Method>)[method]!;
      for (const key of KEYS) {
        for (const each of boundTo(key, type, callback)) this.#checkOne(`${AROUND[key]} of ${place}`, type, each);
      }
      const pipes = customsOf(type, method).flatMap((parameter) => parameter.pipes);
      for (const each of pipes) this.#checkOne(`a pipe of a parameter of ${place}`, type, each);
      if (OF_REQUESTS.some((key) => Reflect.hasMetadata(key, callback))) continue;
      if (parametersOf(type, method).some(([key]) => !key.includes(CUSTOM))) {
        throw new DeclarationError(
          `a decorator of a parameter of ${place}`,
          'it takes its value out of a request, and a call or a message is none',
          'Remove it, or make one with createParamDecorator() that asks switchToFoundation().',
        );
      }
    }
    if (this.global) this.#checkGlobal();
  }

  #checkOne(subject: string, type: Type<object>, enhancer: unknown): void {
    if (typeof enhancer !== 'function') return;
    const module = this.#container.getModules().get(this.#moduleOf(type));
    const wrapper = module?.injectables.get(enhancer as Type);
    if (wrapper === undefined) {
      throw new DeclarationError(
        `${subject}: ${enhancer.name}`,
        `Nest has no instance of it in the module of ${type.name}`,
        `Provide the class itself, providers: [${type.name}], or give an instance, new ${enhancer.name}().`,
      );
    }
    if (wrapper.isTransient || !wrapper.isDependencyTreeStatic()) {
      throw new DeclarationError(
        `${subject}: ${enhancer.name}`,
        wrapper.isTransient
          ? 'it is transient'
          : 'it is request-scoped, or depends on something that is, and a call or a message is no request',
        'Make it and its dependencies singletons of the module (the default scope).',
      );
    }
  }

  #checkGlobal(): void {
    const scoped = [
      ...this.#config.getGlobalRequestGuards(),
      ...this.#config.getGlobalRequestInterceptors(),
      ...this.#config.getGlobalRequestPipes(),
      ...this.#config.getGlobalRequestFilters(),
    ];
    const [first] = scoped;
    if (first === undefined) return;
    throw new DeclarationError(
      `${String(first.name)} of the whole application`,
      'it is request-scoped, or depends on something that is, and "globalEnhancers" has it applied to calls and messages, which are no requests',
      'Make it and its dependencies singletons of the module, or leave "globalEnhancers" out.',
    );
  }

  #bind(target: object, method: string, prepare: Prepare | undefined): Enhanced | undefined {
    const type = target.constructor as Type<object> | undefined;
    const callback = (target as Record<string, Method>)[method]!;
    // An object of no class, which somebody offers as a service.
    if (typeof type !== 'function') return undefined;
    const customs = customsOf(type, method);
    const applied = new Set(KEYS.filter((key) => this.#isBound(key, type, callback)));
    if (applied.size === 0 && customs.length === 0) return undefined;
    const piped = this.#piped(target, callback, method, customs);
    // The last argument is the host; all else are those of the method.
    const handler = async (...given: unknown[]): Promise<unknown> => {
      const args = await piped(given);
      return callback.apply(target, prepare === undefined ? args : await prepare(args));
    };
    // Nest reads the metadata of the method from it, along the chain of prototypes, and gives it to `getHandler()`.
    Object.setPrototypeOf(handler, callback);
    Object.defineProperty(handler, 'name', { value: method });
    const options = { guards: true, interceptors: true, filters: applied.has('__exceptionFilters__') };
    const run = this.#creator.create(
      target,
      handler,
      method,
      undefined,
      undefined,
      undefined,
      undefined,
      options,
      FOUNDATION_CONTEXT,
    );
    return async (args, host) => {
      const value: unknown = await run(...args, host);
      // A filter answers for a method that failed; one for microservices does so with an Observable.
      return isObservable(value) ? lastValueFrom(value) : value;
    };
  }

  #isBound(key: keyof typeof AROUND, type: Type<object>, callback: Method): boolean {
    return boundTo(key, type, callback).length > 0 || (this.global && this.#globalOf(key).length > 0);
  }

  #globalOf(key: keyof typeof AROUND): readonly unknown[] {
    return {
      __guards__: () => this.#config.getGlobalGuards(),
      __interceptors__: () => this.#config.getGlobalInterceptors(),
      __pipes__: () => this.#config.getGlobalPipes(),
      __exceptionFilters__: () => this.#config.getGlobalFilters(),
    }[key]();
  }

  /** What the pipes make of the arguments; of a message the first alone, because the second is not the sender's. */
  #piped(
    target: object,
    callback: Method,
    method: string,
    customs: readonly CustomParameter[],
  ): (given: readonly unknown[]) => Promise<unknown[]> {
    const type = target.constructor as Type<object>;
    const pipes = this.#pipes.create(target, callback, this.#moduleOf(type));
    const own = new Map(
      customs.map((each) => [
        each.index,
        [...pipes, ...this.#pipes.createConcreteContext<unknown[], PipeTransform[]>(each.pipes)],
      ]),
    );
    const types = (Reflect.getMetadata('design:paramtypes', target, method) ?? []) as Type[];
    const apply = (
      value: unknown,
      index: number,
      kind: number,
      data: unknown,
      all: PipeTransform[],
    ): Promise<unknown> => this.#consumer.apply(value, { metatype: types[index]!, type: kind, data } as never, all);
    return async (given) => {
      const host = given.at(-1) as Handled;
      const args = given.slice(0, -1);
      // A parameter that the caller left out has no value that fits, unless it is optional.
      while (args.length < callback.length) args.push(undefined);
      const context = new ExecutionContextHost([...given], type, callback);
      context.setType(FOUNDATION_CONTEXT);
      const last = host.kind === 'message' ? 1 : args.length;
      const reads = args.slice(0, last).map(async (value, index) => {
        if (!own.has(index)) args[index] = await apply(value, index, BODY, undefined, pipes);
      });
      const others = customs.map(async ({ index, factory, data }) => {
        args[index] = await apply(factory(data, context), index, OTHER, data, own.get(index)!);
      });
      await Promise.all([...reads, ...others]);
      return args;
    };
  }

  #moduleOf(type: Type<object>): string {
    let found = '';
    for (const [key, module] of this.#container.getModules()) {
      if (module.hasProvider(type) || module.controllers.has(type)) return key;
      if (found === '' && [...module.providers.values()].some(({ metatype }) => metatype === type)) found = key;
    }
    return found;
  }
}

function boundTo(key: string, type: Type<object>, callback: Method): unknown[] {
  const read = (target: object): unknown[] => (Reflect.getMetadata(key, target) ?? []) as unknown[];
  return [...read(type), ...read(callback)];
}

function parametersOf(type: Type<object>, method: string): [key: string, parameter: unknown][] {
  return Object.entries((Reflect.getMetadata(PARAMETERS, type, method) ?? {}) as object);
}

function customsOf(type: Type<object>, method: string): CustomParameter[] {
  return parametersOf(type, method)
    .filter(([key]) => key.includes(CUSTOM))
    .map(([, parameter]) => parameter as CustomParameter);
}
