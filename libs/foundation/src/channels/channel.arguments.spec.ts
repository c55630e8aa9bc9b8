import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { checkBroadcast, checkRoute, checkSubscribe } from './channel.arguments.js';

describe('option checks of channels', () => {
  it('accepts valid options', () => {
    checkBroadcast('broadcast', { type: 't', priority: 'low', compression: true, timeout: 1, other: undefined });
    checkRoute('routeMessage', { channel: 'events', priority: 'high' });
    checkSubscribe('subscribe', {
      ...{ type: 't', group: 'workers', onGap: () => undefined, concurrency: 2 },
      queue: { size: 1, policy: 'block' },
    });
  });

  it.each<[string, unknown, string, RegExp]>([
    ['options', null, 'options', /an object/],
    ['options', 'events', 'options', /an object/],
    ['options', [], 'options', /an object/],
    ['type', { type: '' }, 'type', /1 to 200 characters/],
    ['type', { type: 'x'.repeat(201) }, 'type', /1 to 200 characters/],
    ['type', { type: 5 }, 'type', /1 to 200 characters/],
    ['priority', { priority: 'urgent' }, 'priority', /'high', 'normal' or 'low'/],
    ['priority', { priority: 1 }, 'priority', /'high', 'normal' or 'low'/],
    ['compression', { compression: 'yes' }, 'compression', /true or false/],
    ['timeout', { timeout: 0 }, 'timeout', /milliseconds/],
    ['timeout', { timeout: 1.5 }, 'timeout', /milliseconds/],
    ['timeout', { timeout: Infinity }, 'timeout', /milliseconds/],
    ['timeout', { timeout: '100' }, 'timeout', /milliseconds/],
    ['timeout', { timeout: '1.5ms' }, 'timeout', /milliseconds/],
    ['timeout', { timeout: '2d' }, 'timeout', /milliseconds/],
    ['an unknown one', { prioritty: 'high' }, 'prioritty', /known here: type, priority/],
    ['one of another call', { channel: 'events' }, 'channel', /no such option/],
    ['one that every object has', JSON.parse('{"__proto__":1}'), '__proto__', /no such option/],
  ])('broadcast refuses %s: %j', (_what, options, option, expected) => {
    const call = () => checkBroadcast('broadcast', options);
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(expected);
    expect(call).toThrow(`"${option}"`);
  });

  it('rejects a channel for routeMessage that is not a string', () => {
    expect(() => checkRoute('routeMessage', { channel: 5 })).toThrow(/"channel"/);
  });

  it.each<[unknown, string]>([
    [{ type: '' }, 'type'],
    [{ group: '' }, 'group'],
    [{ group: 'a b' }, 'group'],
    [{ group: 5 }, 'group'],
    [{ group: 'x'.repeat(129) }, 'group'],
    [{ onGap: true }, 'onGap'],
    [{ from: 5 }, 'from'],
    [{ from: 'x' }, 'from'],
    [{ from: '1-' }, 'from'],
    [{ from: new Date(NaN) }, 'from'],
    [{ payload: 5 }, 'payload'],
    [{ payload: class NoRules {} }, 'payload'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 1.5 }, 'concurrency'],
    [{ queue: 5 }, 'queue'],
    [{ queue: [] }, 'queue'],
    [{ queue: { size: 0 } }, 'queue.size'],
    [{ queue: { size: 'many' } }, 'queue.size'],
    [{ queue: { policy: 'drop' } }, 'queue.policy'],
    [{ queue: { length: 5 } }, 'queue.length'],
    [{ priority: 'low' }, 'priority'],
  ])('subscribe refuses %j', (options, option) => {
    const call = () => checkSubscribe('subscribe', options);
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(`argument "${option}"`);
  });
});
