import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { ArgumentError } from '../errors/config.errors.js';
import { checkSchema, instantiate, readAs } from './payload.js';

class Address {
  @IsString() street!: string;
}

class OrderPlaced {
  @IsInt() @Min(1) id!: number;
  @ValidateNested() address?: Address;
  total(): number {
    return this.id * 2;
  }
}

describe('payload', () => {
  it('becomes an instance, nested objects included', async () => {
    // As without class-transformer, which wants a `@Type()` on the property.
    const read = await readAs(OrderPlaced, { id: 7, address: { street: 'Main' } }, instantiate);
    const { value } = read as { value: OrderPlaced };
    expect(value).toBeInstanceOf(OrderPlaced);
    expect(value.total()).toBe(14);
    expect(value.address).toBeInstanceOf(Address);
  });

  it.each<[string, unknown, string[]]>([
    ['null', null, ['not an object']],
    ['a text', 'x', ['not an object']],
    ['a list', [{ id: 1 }], ['not an object']],
    ['an empty one', {}, ['id: id must not be less than 1', 'id: id must be an integer number']],
    ['a wrong value', { id: 'secret' }, ['id: id must not be less than 1', 'id: id must be an integer number']],
    ['one within', { id: 1, address: { street: 5 } }, ['address.street: street must be a string']],
    [
      'a value for an object',
      { id: 1, address: 5 },
      ['address: nested property address must be either object or array'],
    ],
  ])('says what is wrong with %s', async (_what, message, errors) => {
    expect(await readAs(OrderPlaced, message, instantiate)).toEqual({ errors });
  });

  it('is invalid when its constructor or the transformation throws', async () => {
    class Picky {
      @IsInt() id!: number;
      constructor(options: { id: number }) {
        this.id = options.id;
      }
    }
    expect(await readAs(Picky as Type<object>, { id: 1 })).toEqual({ errors: ['no Picky can be made of it'] });
    const fail = () => {
      throw new Error('x');
    };
    expect(await readAs(OrderPlaced, { id: 1 }, fail)).toEqual({ errors: ['no OrderPlaced can be made of it'] });
  });

  it('uses class-transformer if it is installed', async () => {
    const read = await readAs(OrderPlaced, { id: 1 }, (type, plain) => instantiate(type, { ...plain, id: 5 }));
    expect(read).toMatchObject({ value: { id: 5 } });
  });

  it('names at most twenty errors', async () => {
    class Many {
      @IsInt({ each: true }) list!: number[];
    }
    for (let rule = 0; rule < 30; rule++) IsString({ message: `rule ${rule}` })(Many.prototype, `key${rule}`);
    const { errors } = (await readAs(Many, {})) as { errors: string[] };
    expect(errors).toHaveLength(20);
  });

  it.each([[5], ['OrderPlaced'], [class NoRules {}], [() => undefined]])(
    'must be a class with rules, not %p',
    (type) => {
      expect(() => checkSchema('subscribe', 'payload', type)).toThrow(ArgumentError);
    },
  );

  it('may be a class that inherits its rules', () => {
    expect(() => checkSchema('subscribe', 'payload', class extends OrderPlaced {})).not.toThrow();
  });
});
