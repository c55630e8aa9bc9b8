/**
 * Reads a message or an argument as a schema says: an instance of a class, or what a Standard Schema makes of it; or
 * reports what is wrong with it.
 * Underneath class-validator, and class-transformer where that is installed, or the library of the schema.
 */
import type { Type } from '@nestjs/common';
import { getMetadataStorage, validate, type ValidationError } from 'class-validator';
import { ArgumentError } from '../errors/config.errors.js';
import { errorWords, plain, read } from '../errors/describe.js';
import { isObject } from '../wire/decode.js';
import { isStandard, type StandardSchema, textsOfIssues } from './standard.schema.js';

/** A class with decorators of class-validator, or a Standard Schema: of zod, valibot, arktype and others. */
export type Schema = Type<object> | StandardSchema;

/** The message as the schema says, or what is wrong with it. */
export type Read = { value: unknown; errors?: undefined } | { value?: undefined; errors: string[] };

/** Makes an instance of a class out of a plain object. */
export type Transform = (type: Type<object>, plain: object) => object;

/** Keeps the event of a message with many errors readable. */
const MAX_ERRORS = 20;
/** As long as names of libraries are. */
const MAX_VENDOR = 40;

/**
 * Without a schema, the message as it is. Of a class, nothing of it is in the errors, only the names of its properties
 * and the rules.
 */
export async function readAs(schema: Schema | undefined, message: unknown, transform?: Transform): Promise<Read> {
  if (schema === undefined) return { value: message };
  return isStandard(schema) ? readStandard(schema, message) : readInstance(schema, message, transform);
}

async function readStandard(schema: StandardSchema, message: unknown): Promise<Read> {
  try {
    const result = await schema['~standard'].validate(message);
    if (result.issues === undefined) return { value: result.value };
    return { errors: textsOfIssues(result.issues, MAX_ERRORS) };
  } catch (error) {
    // Such as a refinement that expects something else; what it says may have the message in it.
    return { errors: [`the schema failed with ${errorWords(error).name}`] };
  }
}

async function readInstance(type: Type<object>, message: unknown, transform?: Transform): Promise<Read> {
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

/** What a schema is called in errors. */
export function nameOfSchema(schema: Schema): string {
  if (!isStandard(schema)) return schema.name;
  const vendor = read(schema['~standard'], 'vendor');
  return `schema of ${typeof vendor === 'string' ? plain(vendor, MAX_VENDOR) : 'another library'}`;
}

/** What an option for a schema takes, for errors. */
export const SCHEMA_EXPECTED = 'a class with decorators of class-validator, or a schema of zod, valibot or arktype';

/** @throws ArgumentError unless it is a schema, or a class with rules: without any, it would let all through. */
export function checkSchema(subject: string, option: string, schema: unknown): asserts schema is Schema {
  if (isStandard(schema)) return;
  if (typeof schema !== 'function') throw new ArgumentError(subject, option, `a ${typeof schema}`, SCHEMA_EXPECTED);
  const rules = getMetadataStorage().getTargetValidationMetadatas(schema, '', false, false);
  if (rules.length > 0) return;
  throw new ArgumentError(subject, option, `the class ${schema.name} without any`, SCHEMA_EXPECTED);
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
