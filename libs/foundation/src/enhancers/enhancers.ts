/**
 * Guards, pipes, interceptors and filters of Nest around the methods that calls and messages run.
 * Used by `call.server.ts` and the declarations; underneath Nest's `ExternalContextCreator`, and what it uses itself.
 */
import type { PipeTransform, Type } from '@nestjs/common';
import { ApplicationConfig, ExternalContextCreator, type NestContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { PipesConsumer } from '@nestjs/core/pipes/pipes-consumer.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { markedMethods } from '../decorated.js';
import { DeclarationError } from '../errors/config.errors.js';
import { AROUND_BY_KEY, OF_REQUESTS } from '../foreign.decorators.js';
import { awaitable } from '../foreign/gate.js';
import { Caught, Filters } from './caught.filters.js';
import {
  asksRequest,
  boundTo,
  classOf,
  type CustomParameter,
  customsOf,
  type Fault,
  KEYS,
  type Method,
  moduleOf,
} from './enhancer.metadata.js';

/** The type of the context in which calls and messages are handled. */
export const FOUNDATION_CONTEXT = 'foundation';

/** What is handled, as those around the method see it. */
export interface Handled {
  kind: 'call' | 'message';
}

/** What one call of a method has of its own. */
export interface Invocation {
  /** Runs on the arguments after the pipes, last before the method. */
  prepare?: ((args: unknown[]) => unknown[] | Promise<unknown[]>) | undefined;
  /**
   * Runs the method. It may be later than what is around it: an interceptor may answer, and be over, before the method
   * has ended, or has even begun.
   */
  begin?: ((work: () => unknown) => unknown) | undefined;
}

/** A method with everything around it. */
export type Enhanced = <H extends Handled>(
  args: readonly unknown[],
  host: H,
  invocation?: Invocation,
) => Promise<unknown>;

/**
 * Pipes take an argument for what a controller calls the body, so that `ValidationPipe` looks at it; a parameter with a
 * decorator of its own it leaves alone unless told otherwise.
 */
const [BODY, OTHER] = [3, 6];

/** See the file header. */
export class Enhancers {
  readonly #container: NestContainer;
  readonly #config: ApplicationConfig;
  readonly #creator: ExternalContextCreator;
  readonly #pipes: PipesContextCreator;
  readonly #consumer = new PipesConsumer();
  readonly #filters: Filters;
  readonly #bound = new WeakMap<object, Map<string, Enhanced | undefined>>();
  /** By its host, which is another one for each call. */
  readonly #invocations = new WeakMap<Handled, Invocation>();
  /** What is being bound, for Nest's look for its module. */
  #binding: object | undefined;

  /** @param global true: what is bound to the whole application applies as well, such as `APP_GUARD`. */
  constructor(
    container: NestContainer,
    private readonly global: boolean,
  ) {
    // Everything but what is bound to the application: of a guard for requests, most could make nothing of a call.
    this.#config = (global ? container.applicationConfig : undefined) ?? new ApplicationConfig();
    this.#container = Object.create(container, { applicationConfig: { value: this.#config } }) as NestContainer;
    this.#creator = ExternalContextCreator.fromContainer(this.#container);
    // Nest looks for a class as the token, and in its first module: neither finds all.
    this.#creator.getContextModuleKey = (type) =>
      moduleOf(this.#container.getModules(), type as Type<object>, this.#binding);
    // Of an interceptor that completes without a value, Nest makes an error.
    this.#creator.transformToResult = async (answer: unknown) => awaitable(answer);
    this.#filters = new Filters(this.#container, this.#config);
    this.#pipes = new PipesContextCreator(this.#container, this.#config);
  }

  /**
   * The method of this object with all that applies to it; `undefined` when nothing does, which is remembered: a call
   * then costs a look into two maps.
   */
  around(target: object, method: string): Enhanced | undefined {
    const known = this.#bound.get(target);
    if (known?.has(method) === true) return known.get(method);
    const bound = this.#bind(target, method);
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
      const callback = (type.prototype as Record<string, Method>)[method]!;
      const fault = this.#faultOf(type, method, callback);
      if (fault !== undefined) throw new DeclarationError(fault.subject, fault.why, fault.advice);
    }
    if (this.global) this.#checkGlobal();
  }

  #faultOf(type: Type<object>, method: string, callback: Method, target?: object): Fault | undefined {
    const place = `${type.name}.${method}`;
    for (const key of KEYS) {
      for (const each of boundTo(key, type, callback)) {
        const fault = this.#faultIn(`${AROUND_BY_KEY[key]} of ${place}`, type, each, target);
        if (fault !== undefined) return fault;
      }
    }
    for (const each of customsOf(type, method).flatMap((parameter) => parameter.pipes)) {
      const fault = this.#faultIn(`a pipe of a parameter of ${place}`, type, each, target);
      if (fault !== undefined) return fault;
    }
    const ofRequests = OF_REQUESTS.some((key) => Reflect.hasMetadata(key, callback));
    if (ofRequests || !asksRequest(type, method)) return undefined;
    return {
      subject: `a decorator of a parameter of ${place}`,
      why: 'it takes its value out of a request, and a call or a message is none',
      advice: 'Remove it, or make one with createParamDecorator() that asks switchToFoundation().',
    };
  }

  #faultIn(place: string, type: Type<object>, enhancer: unknown, target?: object): Fault | undefined {
    if (typeof enhancer !== 'function') return undefined;
    const subject = `${place}: ${enhancer.name}`;
    const module = this.#container.getModules().get(moduleOf(this.#container.getModules(), type, target));
    const wrapper = module?.injectables.get(enhancer as Type);
    if (wrapper === undefined) {
      return {
        subject,
        why: `Nest has no instance of it in the module of ${type.name}`,
        advice: `Provide the class itself, providers: [${type.name}], or give an instance, new ${enhancer.name}().`,
      };
    }
    if (!wrapper.isTransient && wrapper.isDependencyTreeStatic()) return undefined;
    return {
      subject,
      why: wrapper.isTransient
        ? 'it is transient'
        : 'it is request-scoped, or depends on something that is, and a call or a message is no request',
      advice: 'Make it and its dependencies singletons of the module (the default scope).',
    };
  }

  #checkGlobal(): void {
    const [first] = [
      ...this.#config.getGlobalRequestGuards(),
      ...this.#config.getGlobalRequestInterceptors(),
      ...this.#config.getGlobalRequestPipes(),
      ...this.#config.getGlobalRequestFilters(),
    ];
    if (first === undefined) return;
    throw new DeclarationError(
      `${String(first.name)} of the whole application`,
      'it is request-scoped, or depends on something that is, and "globalEnhancers" has it applied to calls and messages, which are no requests',
      'Make it and its dependencies singletons of the module, or leave "globalEnhancers" out.',
    );
  }

  /** @throws TypeError for what cannot be applied to an object that Nest does not know: then nothing is run. */
  #bind(target: object, method: string): Enhanced | undefined {
    const type = classOf(target);
    const callback = (target as Record<string, Method>)[method]!;
    const customs = customsOf(type, method);
    const applied = new Set(KEYS.filter((key) => this.#isBound(key, type, callback)));
    if (applied.size === 0 && customs.length === 0) return undefined;
    const fault = this.#faultOf(type, method, callback, target);
    if (fault !== undefined) throw new TypeError(`${fault.subject} cannot be applied: ${fault.why}. ${fault.advice}`);
    const piped = this.#piped(target, callback, method, customs);
    // The last argument is the host; all else are those of the method.
    const handler = async (...given: unknown[]): Promise<unknown> => {
      const { prepare, begin } = this.#invocations.get(given.at(-1) as Handled) ?? {};
      const read = await piped(given);
      const args = prepare === undefined ? read : await prepare(read);
      const work = (): unknown => awaitable(callback.apply(target, args));
      return begin === undefined ? work() : begin(work);
    };
    // Nest reads the metadata of the method from it, along the chain of prototypes, and gives it to `getHandler()`.
    Object.setPrototypeOf(handler, callback);
    Object.defineProperty(handler, 'name', { value: method });
    const filter = applied.has('__exceptionFilters__') ? this.#filtering(target, handler) : undefined;
    const run = this.#created(target, handler, method);
    return async (args, host, invocation = {}) => {
      this.#invocations.set(host, invocation);
      try {
        return await run(...args, host);
      } catch (error) {
        if (filter === undefined) throw error;
        return filter(error, [...args, host]);
      }
    };
  }

  #created(target: object, handler: Method, method: string): (...given: unknown[]) => Promise<unknown> {
    const none = [undefined, undefined, undefined, undefined] as const;
    // Filters are ours: Nest takes one that returns nothing for one that has not caught it.
    const options = { guards: true, interceptors: true, filters: false };
    this.#binding = target;
    try {
      return this.#creator.create(target, handler, method, ...none, options, FOUNDATION_CONTEXT);
    } finally {
      this.#binding = undefined;
    }
  }

  /** Asks the filter for an error what to answer; throws the error where none is for it. */
  #filtering(target: object, handler: Method): (error: unknown, given: unknown[]) => Promise<unknown> {
    const type = classOf(target);
    const filters = this.#filters.create(
      target,
      handler as never,
      moduleOf(this.#container.getModules(), type, target),
    );
    return async (error, given) => {
      const host = new ExecutionContextHost(given, type, handler);
      host.setType(FOUNDATION_CONTEXT);
      const caught: unknown = filters.invokeCustomFilters(error, host);
      if (!(caught instanceof Caught)) throw error;
      // One for microservices answers with an Observable.
      const value = await awaitable(caught.answer);
      // A message is handled then; a call that failed is no call that answered nothing.
      if (value === undefined && (given.at(-1) as Handled).kind === 'call') throw error;
      return value;
    };
  }

  #isBound(key: keyof typeof AROUND_BY_KEY, type: Type<object>, callback: Method): boolean {
    return boundTo(key, type, callback).length > 0 || (this.global && this.#globalOf(key).length > 0);
  }

  #globalOf(key: keyof typeof AROUND_BY_KEY): readonly unknown[] {
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
    const type = classOf(target);
    const pipes = this.#pipes.create(target, callback, moduleOf(this.#container.getModules(), type, target));
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
}
