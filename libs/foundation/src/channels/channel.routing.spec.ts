import { describe, expect, it } from '@jest/globals';
import { explainRoute, type RouteOptions } from './channel.routing.js';

describe('explainRoute takes the first matching rule', () => {
  it.each<[string, unknown, number, RouteOptions, string, RegExp]>([
    ['an explicit channel', 1, 99_999, { channel: 'audit', priority: 'high' }, 'audit', /named it/],
    ['high priority', ['telemetry'], 99_999, { priority: 'high' }, 'control', /high/],
    ['a large message', { type: 'metric' }, 10_241, {}, 'data', /10241 bytes, more than 10240/],
    ['one that is just not large', {}, 10_240, {}, 'events', /no other/],
    ['a telemetry tuple', ['telemetry', 1], 10, {}, 'telemetry', /begins with/],
    ['a metric', { type: 'metric', value: 1 }, 10, {}, 'telemetry', /"metric"/],
    ['a measurement', { type: 'measurement' }, 10, { priority: 'low' }, 'telemetry', /"measurement"/],
    ['a type in the options', {}, 10, { type: 'metric' }, 'telemetry', /"metric"/],
    ['another type', { type: 'order' }, 10, { type: 'order.placed' }, 'events', /no other/],
    ['null', null, 4, {}, 'events', /no other/],
    ['a text', 'telemetry', 11, {}, 'events', /no other/],
    ['an empty array', [], 2, {}, 'events', /no other/],
    ['normal and low priority', 1, 1, { priority: 'low' }, 'events', /no other/],
  ])('%s', (_what, message, size, options, channel, reason) => {
    expect(explainRoute(message, size, options)).toEqual({ channel, reason: expect.stringMatching(reason) });
  });
});
