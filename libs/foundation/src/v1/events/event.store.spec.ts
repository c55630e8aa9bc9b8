import { describe, expect, it } from '@jest/globals';
import { EventStore } from './event.store.js';
import type { KeptEvent } from './v1.event.js';

const LIMITS = { max_events: 100_000, max_age_seconds: 3600, prune_interval: 60_000 };
const event = (eventId: number, data = '1'): KeptEvent => ({
  head: {
    ...{ eventType: 'a', eventId, timestamp: eventId, wallTime: null, node: null, pid: null },
    ...{ correlationId: null, parentId: null },
  },
  data,
});
const idsIn = (store: EventStore, now = 0) => store.query({}, now).map(({ eventId }) => eventId);

describe('EventStore', () => {
  it('keeps 64 Mi characters at most, of the newest', () => {
    const store = new EventStore(0, LIMITS);
    const large = JSON.stringify('x'.repeat(1_000_000));
    for (let id = 1; id <= 70; id++) store.add(event(id, large), 0);
    expect(store.size).toBe(Math.floor((64 * 1024 * 1024) / large.length));
    expect(store.characters).toBeLessThanOrEqual(64 * 1024 * 1024);
    expect([store.get(70, 0), store.get(1, 0)]).toEqual([expect.anything(), undefined]);
    expect(store.pruned).toBe(70 - store.size);
  });

  it('counts what it keeps when an event is replaced or removed', () => {
    const store = new EventStore(0, LIMITS);
    store.add(event(1, '"abc"'), 0);
    store.add(event(1, '"a"'), 0);
    store.add(event(2, '"ab"'), 0);
    expect(store.characters).toBe(7);
    expect(store.pruneBefore(2)).toBe(1);
    expect(store.characters).toBe(4);
    expect(idsIn(store)).toEqual([2]);
  });

  it('forgets events by the time they were stored at, not by their own', () => {
    const store = new EventStore(0, LIMITS);
    store.add(event(1), 0);
    store.add(event(2), 3_000_000);
    expect(idsIn(store, 3_660_000)).toEqual([2]);
    expect(idsIn(store, 7_000_000)).toEqual([]);
  });

  it('counts on from the highest id, as far as numbers are exact', () => {
    const store = new EventStore(0, LIMITS);
    store.add(event(Number.MAX_SAFE_INTEGER), 0);
    store.add(event(3), 0);
    expect(store.nextId).toBe(Number.MAX_SAFE_INTEGER);
  });
});
