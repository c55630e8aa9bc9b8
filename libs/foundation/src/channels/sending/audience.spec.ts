import { describe, expect, it } from '@jest/globals';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Member, MembershipListener } from '../../cluster/member.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { Audience } from './audience.js';

const member = (name: string, listens: Record<string, string[]>, more: Partial<Member> = {}): Member => ({
  ...{
    name,
    bootId: `boot ${name}`,
    host: 'h',
    pid: 1,
    version: '0',
    state: 'up',
    load: 0,
    lag: 0,
    labels: {},
    replicas: {},
  },
  ...{ classes: [], joinedAt: 1, self: false, listens },
  ...more,
});

function setUp() {
  const said: Record<string, string[]>[] = [];
  let listener!: MembershipListener;
  let members: Member[] = [];
  const membership = {
    self: { name: 'me', bootId: 'boot me' },
    state: 'up',
    members: () => members,
    listen: (given: MembershipListener) => ((listener = given), () => undefined),
    record: { setListens: (listens: Record<string, string[]>) => void said.push(listens) },
  } as unknown as ClusterView;
  const audience = new Audience(membership);
  const see = (...seen: Member[]) => {
    members = seen;
    listener.changed!();
  };
  return { audience, said, see };
}

describe('Audience', () => {
  it('publishes what this node listens to, once for all subscriptions', () => {
    const { audience, said } = setUp();
    const ends = [
      audience.add('events'),
      audience.add('events'),
      audience.add('events', 'workers'),
      audience.add('events', 'workers', 'order placed'),
      audience.add('data', 'workers'),
    ];
    expect(said).toHaveLength(4);
    expect(said.at(-1)).toEqual({ events: ['', 'workers', 'workers order placed'], data: ['workers'] });
    for (const end of [...ends, ...ends]) end();
    expect(said.at(-1)).toEqual({});
    expect(said).toHaveLength(8);
  });

  it('knows the other listening nodes', () => {
    const { audience, see } = setUp();
    audience.add('events');
    see(
      member('a', { events: [''] }),
      member('b', { events: ['workers'] }),
      member('c', { data: [''] }),
      member('me', { events: [''] }, { self: true, bootId: 'boot me' }),
    );
    expect(audience.others('events').map(({ name }) => name)).toEqual(['a', 'b']);
    see();
    expect(audience.others('events')).toEqual([]);
  });

  it('picks one member of each group, in turn, this node included', () => {
    const { audience, see } = setUp();
    expect(audience.pick('events', undefined)).toBeUndefined();
    audience.add('events', 'workers');
    see(member('a', { events: ['workers'] }), member('b', { events: ['', 'workers', 'others'] }));
    const picks = Array.from({ length: 6 }, () => audience.pick('events', undefined)!);
    expect(picks.every(({ others }) => others === 'boot b')).toBe(true);
    expect(new Set(picks.map(({ workers }) => workers)).size).toBe(3);
  });

  it('takes every member in turn on each channel and in each group', () => {
    const { audience, see } = setUp();
    const listens = { events: ['x', 'y'], data: ['x'] };
    see(member('a', listens), member('b', listens));
    const picked = { x: new Set<unknown>(), y: new Set<unknown>(), data: new Set<unknown>() };
    for (let time = 0; time < 4; time++) {
      const { x, y } = audience.pick('events', undefined)!;
      picked.x.add(x);
      picked.y.add(y);
      picked.data.add(audience.pick('data', undefined)!.x);
    }
    expect(Object.values(picked).map(({ size }) => size)).toEqual([2, 2, 2]);
  });

  it('picks only members that take the type, and none where there are none', () => {
    const { audience, see } = setUp();
    see(member('a', { events: ['workers placed'] }), member('b', { events: ['workers gone'] }));
    expect(audience.pick('events', 'placed')).toEqual({ workers: 'boot a' });
    expect(audience.pick('events', 'gone')).toEqual({ workers: 'boot b' });
    expect(audience.pick('events', 'other')).toEqual({});
  });

  it('prefers members that are up', () => {
    const { audience, see } = setUp();
    const away = [
      member('a', { events: ['workers'] }, { state: 'suspect' }),
      member('b', { events: ['workers'] }, { state: 'draining' }),
    ];
    see(...away, member('c', { events: ['workers'] }));
    for (let time = 0; time < 5; time++) expect(audience.pick('events', undefined)).toEqual({ workers: 'boot c' });
    see(...away);
    expect(audience.pick('events', undefined)).toEqual({ workers: expect.stringMatching(/boot [ab]/) });
  });

  it('rejects more subscriptions than a record should hold', () => {
    const { audience } = setUp();
    for (let group = 0; group < 1000; group++) audience.add('events', `g${group}`);
    expect(() => audience.add('events', 'one.more')).toThrow(ArgumentError);
    expect(() => audience.add('events', 'g1')).not.toThrow();
  });
});
