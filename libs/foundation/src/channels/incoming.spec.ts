import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FoundationEvents } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { Gap } from './channel.js';
import { Drops } from './drops.js';
import { encode, headsOf } from './envelope.js';
import { Incoming } from './incoming.js';
import { Sequences } from './sequences.js';

const heads = headsOf('n2', 'other');
const textOf = (seq: number, ...bodies: string[]) =>
  `[${[heads.head('normal', seq, 1), ...bodies.map((body) => encode(body))].join(',')}]`;

describe('Incoming', () => {
  const seen: unknown[] = [];
  const gaps: Gap[] = [];
  const dropped: FoundationEvents['message.dropped'][] = [];
  let incoming: Incoming;
  const warn = jest.fn();

  beforeEach(() => {
    for (const list of [seen, gaps, dropped]) list.length = 0;
    warn.mockReset();
    Logger.overrideLogger({ log: jest.fn(), error: jest.fn(), warn });
    const telemetry = new Telemetry();
    telemetry.attach('message.dropped', (_event, payload) => void dropped.push(payload));
    const sink = {
      deliver: ({ message }: { message: unknown }) => seen.push(message),
      gap: (gap: Gap) => gaps.push(gap),
    };
    const own = headsOf('n1', 'own').prefix;
    incoming = new Incoming(own, new Sequences(() => false), new Drops(telemetry, () => 0), sink);
  });

  it('delivers in order', () => {
    incoming.receive('events', textOf(1, '1', '2'));
    incoming.receive('events', textOf(3, '3'));
    expect(seen).toEqual([1, 2, 3]);
    expect([...gaps, ...dropped]).toEqual([]);
  });

  it('leaves the texts of this very node, which were delivered when they were sent', () => {
    incoming.receive('events', `[${headsOf('n1', 'own').head('normal', 1, 1)},${encode('1')}]`);
    expect([...seen, ...gaps, ...dropped]).toEqual([]);
  });

  it('reports a gap, and goes on', () => {
    incoming.receive('events', textOf(1, '1'));
    incoming.receive('events', textOf(4, '4'));
    expect(seen).toEqual([1, 4]);
    expect(gaps).toEqual([
      { channel: 'events', from: 'n2', bootId: 'other', priority: 'normal', missing: { first: 2, last: 3 } },
    ]);
  });

  it('drops and counts what came before', () => {
    incoming.receive('events', textOf(1, '1', '2'));
    incoming.receive('events', textOf(2, '2', '3'));
    incoming.receive('events', textOf(1, '1', '2'));
    expect(seen).toEqual([1, 2, 3]);
    expect(dropped).toEqual([1, 2].map((count) => ({ channel: 'events', reason: 'duplicate', count })));
  });

  it('counts malformed messages by reason, once for a text, and they leave no gap', () => {
    incoming.receive('events', `[${heads.head('normal', 1, 1)},1,${encode('2')},null]`);
    incoming.receive('events', textOf(4, '4'));
    expect(seen).toEqual([2, 4]);
    expect(gaps).toEqual([]);
    expect(dropped).toEqual([{ channel: 'events', reason: 'not a message', count: 2 }]);
  });

  it('drops what has another version, counts it, and logs it once in a while', () => {
    for (let count = 0; count < 5; count++) incoming.receive('events', '[{"v":9},{"b":1}]');
    expect(dropped).toEqual(Array(5).fill({ channel: 'events', reason: 'unknown version', count: 1 }));
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
