import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { readCriteria } from './service.criteria.js';
import type { ServiceCriteria, ServiceInfo } from './service.js';

const service = (more: Partial<ServiceInfo> = {}): ServiceInfo => ({
  name: 'payments',
  instanceId: 'b.1',
  node: 'n1',
  bootId: 'b',
  capabilities: ['charge', 'refund'],
  metadata: { securityLevel: 'high', region: { zone: 'a' }, tier: 0 },
  registeredAt: 1,
  status: 'healthy',
  ...more,
});
const matches = (criteria: ServiceCriteria, of = service()) => readCriteria('test', criteria).matches(of);
const refused = (criteria: unknown): ArgumentError => {
  try {
    readCriteria('test', criteria as ServiceCriteria);
  } catch (error) {
    return error as ArgumentError;
  }
  throw new Error('not refused');
};

describe('readCriteria', () => {
  it.each<[ServiceCriteria, boolean]>([
    [{}, true],
    [{ name: 'payments' }, true],
    [{ name: 'payment' }, false],
    [{ node: 'n1' }, true],
    [{ node: 'n2' }, false],
    [{ capabilities: 'charge' }, true],
    [{ capabilities: ['charge', 'refund'] }, true],
    [{ capabilities: ['charge', 'audit'] }, false],
    [{ securityLevel: 'high' }, true],
    [{ securityLevel: 'low' }, false],
    [{ metadata: { securityLevel: 'high' } }, true],
    [{ metadata: { region: { zone: 'a' } } }, true],
    [{ metadata: { region: { zone: 'a', more: 1 } } }, false],
    [{ region: { zone: 'a' }, tier: 0 }, true],
    [{ tier: '0' }, false],
    [{ tier: null }, false],
    [{ missing: null }, false],
    [{ toString: 'x' }, false],
    [{ metadata: { constructor: Object } }, false],
    [{ name: 'payments', capabilities: ['charge'], node: 'n1', securityLevel: 'high' }, true],
    [{ name: 'payments', capabilities: ['charge'], node: 'n1', securityLevel: 'low' }, false],
  ])('%j is %s', (criteria, expected) => {
    expect(matches(criteria)).toBe(expected);
  });

  it('says by what the services can be looked up, and keeps the predicate apart', () => {
    const healthCheck = () => true;
    expect(readCriteria('test', { name: 'a', capabilities: ['x', 'y'], healthCheck })).toMatchObject({
      name: 'a',
      capability: 'x',
      healthCheck,
    });
    expect(matches({ healthCheck: () => false })).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ['no object', 'payments', 'criteria'],
    ['null', null, 'criteria'],
    ['a list', ['payments'], 'criteria'],
    ['a Map', new Map([['name', 'x']]), 'criteria'],
    ['inherited fields', Object.create({ name: 'x' }), 'criteria'],
    [
      'inherited fields of nothing else',
      Object.create(Object.assign(Object.create(null) as object, { name: 'x' })),
      'criteria',
    ],
    ['an instance of a class', new (class Wanted { readonly #name = 'x'; get name() { return this.#name; } })(), 'criteria'], // prettier-ignore
    ['a hidden field', Object.defineProperty({}, 'name', { value: 'x' }), 'criteria'],
    ['a symbol', { [Symbol('name')]: 'x' }, 'criteria'],
    ['metadata that is a Map', { metadata: new Map([['a', 1]]) }, 'metadata'],
    ['an empty list of capabilities', { capabilities: [] }, 'capabilities'],
    ['an empty name', { name: '' }, 'name'],
    ['a name that is no text', { name: 7 }, 'name'],
    ['a node that is no text', { node: ['n1'] }, 'node'],
    ['capabilities of another type', { capabilities: [7] }, 'capabilities'],
    ['metadata of another type', { metadata: 'high' }, 'metadata'],
    ['a healthCheck of another type', { healthCheck: true }, 'healthCheck'],
  ])('refuses %s', (_what, criteria, argument) => {
    expect(refused(criteria)).toBeInstanceOf(ArgumentError);
    expect(refused(criteria).argument).toBe(argument);
  });

  it.each<[object, string]>([
    [{ securityLevel: undefined }, 'securityLevel'],
    [{ name: undefined }, 'name'],
    [{ metadata: { securityLevel: undefined } }, 'metadata.securityLevel'],
  ])('refuses %p, which would look like a filter and filter nothing', (criteria, argument) => {
    expect(refused(criteria).argument).toBe(argument);
  });

  it.each([
    'capabilites',
    'Capabilities',
    'capability',
    'capabilties',
    'nam',
    'names',
    'Node',
    'nodes',
    'metaData',
    'healtCheck',
    'health_check',
  ])(
    // prettier-ignore
    'refuses "%s", which is nearly one of ours',
    (field) => expect(refused({ [field]: 'x' }).argument).toBe(field),
  );

  it('takes an object without a prototype', () => {
    expect(matches(Object.assign(Object.create(null) as object, { name: 'payments' }))).toBe(true);
  });

  it('takes a metadata field of such a name where it cannot be meant otherwise', () => {
    const of = service({ metadata: { mode: 'fast', nodes: 3 } });
    expect(matches({ metadata: { mode: 'fast', nodes: 3 } }, of)).toBe(true);
    expect(matches({ metadata: { mode: 'slow' } }, of)).toBe(false);
  });
});
