/**
 * Reads a message as an instance of a class, or reports what is wrong with it.
 * Underneath class-validator, and class-transformer where that is
 * installed.
 */
import type { Type } from '@nestjs/common';
import { getMetadataStorage, validate, type ValidationError } from 'class-validator';
import { ArgumentError } from '../errors/config.errors.js';
import { plain } from '../errors/describe.js';
import { isObject } from '../wire/decode.js';

/** The message as an instance, or what is wrong with it. */
export type Read = { value: unknown; errors?: undefined } | { value?: undefined; errors: string[] };

/** Makes an instance of a class out of a plain object. */
export type Transform = (type: Type<object>, plain: object) => object;

/** Keeps the event of a message with many errors readable. */
const MAX_ERRORS = 20;

/**
 * Without a class, the message as it is. Nothing of it is in the errors, only the names of its properties and the
 * rules.
 */
export async function readAs(type: Type<object> | undefined, message: unknown, transform?: Transform): Promise<Read> {
  if (type === undefined) return { value: message };
  if (!isObject(message)) return { errors: ['not an object'] };
  try {
    const value = (transform ?? (await installed()))(type, message);
    const errors = await validate(value, { forbidUnknownValues: true });
    return errors.length === 0 ? { value } : { errors: textsOf(errors).slice(0, MAX_ERRORS) };
  } catch {
    // A constructor or a transformation failed on such a message.
    return { errors: [`no ${type.name} can be made of it`] };
  }
}

/** @throws ArgumentError unless it is a class with rules: without any, it would let nothing through. */
export function checkPayload(type: unknown): void {
  const expected = 'a class with decorators of class-validator';
  if (typeof type !== 'function') throw new ArgumentError('subscribe', 'payload', `a ${typeof type}`, expected);
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  if (rules.length === 0)
    throw new ArgumentError('subscribe', 'payload', `the class ${type.name} without any`, expected);
}

let transformer: Promise<Transform> | undefined;

function installed(): Promise<Transform> {
  transformer ??= load();
  return transformer;
}

/** By its name as a literal within a `try`: bundlers then take it where it is installed, and only warn where not. */
async function load(): Promise<Transform> {
  try {
    const { plainToInstance } = await import('class-transformer');
    return plainToInstance;
  } catch {
    return instantiate;
  }
}

/**
 * Without class-transformer: nested objects become what their property is declared as; the elements of arrays stay
 * plain.
 */
export function instantiate(type: Type<object>, plain: object): object {
  const instance = new type() as Record<string, unknown>;
  for (const [key, value] of Object.entries(plain)) {
    const declared = Reflect.getMetadata('design:type', type.prototype as object, key) as Type<object> | undefined;
    const isNested = isObject(value) && declared !== undefined && !BUILT_IN.has(declared);
    instance[key] = isNested ? instantiate(declared, value) : value;
  }
  return instance;
}

const BUILT_IN = new Set<unknown>([Object, Array, String, Number, Boolean, Date, Map, Set, Promise, Function]);

function textsOf(errors: readonly ValidationError[], path = ''): string[] {
  return errors.flatMap(({ property, constraints = {}, children = [] }) => [
    ...Object.values(constraints).map((text) => plain(`${path}${property}: ${text}`)),
    ...textsOf(children, `${path}${property}.`),
  ]);
}
