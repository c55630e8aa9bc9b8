import { describe, expect, it } from '@jest/globals';
import type { Member } from '../../cluster/member.js';
import { rendezvous } from '../../cluster/rendezvous.js';
import { slotNames } from '../../cluster/slot.names.js';
import { exclusionOf, obstacleOf, obstaclesIn, type Placeable, type Placement } from './placement.exclusion.js';
import { explain, rankMembers, turnOf } from './placement.js';
import { betterNode, givesWay, outlookOf, refusalOf } from './placement.moves.js';

const member = (name: string, more: Partial<Member> = {}): Member => ({
  name,
  bootId: `boot-${name}`,
  host: 'h',
  pid: 1,
  version: '0',
  state: 'up',
  load: 0,
  lag: 0,
  labels: {},
  replicas: {},
  listens: {},
  classes: ['Feed'],
  joinedAt: 0,
  self: false,
  ...more,
});

const SPREAD: Placement = { strategy: 'spread', labels: {} };
const HASH: Placement = { strategy: 'hash', labels: {} };

const feed = (more: Partial<Placeable> = {}): Placeable => ({
  name: 'feed',
  type: 'Feed',
  declared: true,
  placement: SPREAD,
  ...more,
});

const names = rankMembers;
const nodes = (count: number) => Array.from({ length: count }, (_, index) => member(`node-${index}`));
const keys = (count: number) => Array.from({ length: count }, (_, index) => `process-${index}`);

describe('rankMembers', () => {
  it('puts the least loaded first with spread', () => {
    const members = [member('a', { load: 3 }), member('b', { load: 0 }), member('c', { load: 1 })];
    expect(names(feed(), members)).toEqual(['b', 'c', 'a']);
  });

  it('does not look at the load with hash', () => {
    const members = [member('a', { load: 9 }), member('b'), member('c')];
    const before = names(feed({ placement: HASH }), members);
    const after = names(feed({ placement: HASH }), [member('a'), member('b', { load: 9 }), member('c')]);
    expect(after).toEqual(before);
  });

  it('breaks ties by rendezvous: the same everywhere, whatever the order of the members, and not by name', () => {
    const firsts = new Set(
      keys(50).map((name) => {
        const forth = names(feed({ name }), nodes(5));
        const back = names(feed({ name }), nodes(5).reverse());
        expect(back).toEqual(forth);
        return forth[0];
      }),
    );
    expect(firsts.size).toBe(5);
  });

  it('leaves out who drains, and who does not have the class', () => {
    const members = [member('a', { state: 'draining' }), member('b', { classes: ['Other'] }), member('c', { load: 5 })];
    expect(names(feed(), members)).toEqual(['c']);
    expect(names(feed(), members.slice(0, 2))).toEqual([]);
  });

  it('asks for no class when a call started it', () => {
    const members = [member('a', { classes: [] }), member('b', { classes: ['Other'], load: 1 })];
    expect(names(feed({ declared: false }), members)).toEqual(['a', 'b']);
  });

  it('puts suspects after everyone who is up, and the avoided one after them', () => {
    const members = [member('a', { state: 'suspect' }), member('b', { load: 50 }), member('c')];
    expect(names(feed({ avoid: 'c' }), members)).toEqual(['b', 'a', 'c']);
    expect(names(feed({ avoid: 'c', placement: HASH }), members)).toEqual(['b', 'a', 'c']);
  });

  it('still gives the avoided node when it is the only one', () => {
    expect(names(feed({ avoid: 'a' }), [member('a')])).toEqual(['a']);
  });

  it('does not change the members', () => {
    const members = Object.freeze(nodes(3)) as Member[];
    expect(names(feed(), members)).toHaveLength(3);
  });
});

describe('explain', () => {
  /** What is said of each member, in order; those that are excluded in brackets. */
  const told = (subject: Placeable, members: Member[]) =>
    explain(subject, members).map(({ node, reason, excluded }) =>
      excluded ? `[${node}: ${reason}]` : `${node}: ${reason}`,
    );
  const worker = (more: Partial<Placeable> = {}) =>
    feed({ placement: { strategy: 'spread', labels: { role: 'worker', zone: 'a' } }, ...more });

  it('has every member, best first and the excluded ones last, in the order of rankMembers', () => {
    const members = [
      ...[member('a', { state: 'draining' }), member('b', { load: 2 }), member('c'), member('d', { classes: [] })],
      ...[member('e', { load: 1 })],
    ];
    const candidates = explain(feed(), members);
    expect(candidates.map(({ excluded }) => excluded)).toEqual([false, false, false, true, true]);
    const allowed = candidates.filter(({ excluded }) => !excluded).map(({ node }) => node);
    expect(allowed).toEqual(rankMembers(feed(), members));
    expect(allowed).toEqual(['c', 'e', 'b']);
    expect(candidates.map(({ node }) => node).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('agrees with rankMembers for every mixture', () => {
    const states = ['up', 'suspect', 'draining'] as const;
    const members = Array.from({ length: 60 }, (_, index) =>
      member(`node-${index}`, {
        ...{ state: states[index % 3]!, load: index % 4, lag: (index % 5) * 100, classes: index % 7 ? ['Feed'] : [] },
        labels: { zone: 'ab'[index % 2]! },
      }),
    );
    const placements: Placement[] = [SPREAD, HASH, { strategy: 'spread', labels: { zone: 'a' } }];
    for (const placement of placements) {
      const subject = feed({ placement, prefer: 'node-4', avoid: 'node-1' });
      const allowed = explain(subject, members).filter(({ excluded }) => !excluded);
      expect(allowed.map(({ node }) => node)).toEqual(rankMembers(subject, members));
    }
  });

  it.each<[string, Partial<Member>, RegExp]>([
    ['drains', { state: 'draining' }, /it is draining/],
    ['does not have the class', { classes: ['Other'] }, /does not have the class Feed/],
    ['has no labels', {}, /lacks the label role=worker/],
    ['has another label', { labels: { role: 'web', zone: 'a' } }, /lacks the label role=worker/],
    ['has some of the labels only', { labels: { role: 'worker' } }, /lacks the label zone=a/],
    ['is full', { labels: { role: 'worker', zone: 'a' }, capacity: 2, load: 2 }, /it is full \(2 of 2\)/],
    ['is fuller than full', { labels: { role: 'worker', zone: 'a' }, capacity: 2, load: 5 }, /it is full \(5 of 2\)/],
    ['takes nothing', { labels: { role: 'worker', zone: 'a' }, capacity: 0 }, /it is full \(0 of 0\)/],
  ])('excludes who %s, and says so', (_what, more, reason) => {
    const members = [member('a', more), member('b', { labels: { role: 'worker', zone: 'a', more: 'x' }, load: 9 })];
    expect(explain(worker(), members)).toMatchObject([
      { node: 'b', excluded: false },
      { node: 'a', excluded: true, reason: expect.stringMatching(reason) },
    ]);
    expect(rankMembers(worker(), members)).toEqual(['b']);
    // Being moved there, or the only one there is, does not make it fit.
    expect(rankMembers(worker({ prefer: 'a' }), [members[0]!])).toEqual([]);
  });

  it('does not take a property that every object has for a label', () => {
    const labels = { constructor: 'x' };
    expect(rankMembers(feed({ placement: { strategy: 'hash', labels } }), [member('a')])).toEqual([]);
  });

  it('lets a node with room take it, and one that knows no limit', () => {
    expect(told(feed(), [member('a', { capacity: 3, load: 2 }), member('b', { load: 900 })])).toEqual([
      'a: it owns 2, then by hash',
      'b: it owns 900, then by hash',
    ]);
  });

  it('asks for labels but for no class when a call started it', () => {
    const members = [member('a', { classes: [] }), member('b', { classes: [], labels: { role: 'worker', zone: 'a' } })];
    expect(told(worker({ declared: false }), members)).toEqual([
      'b: it owns 0, then by hash',
      '[a: it lacks the label role=worker]',
    ]);
  });

  it('orders by preferred, avoided, suspect, lagging, load, in this order, and says which it was', () => {
    const members = [
      member('loaded', { load: 7 }),
      member('avoided'),
      member('lagging', { lag: 201 }),
      member('preferred', { state: 'suspect', lag: 5000, load: 99 }),
      member('suspect', { state: 'suspect' }),
      member('idle', { lag: 200 }),
    ];
    const order = [
      'preferred: it was moved there',
      'idle: it owns 0, then by hash',
      'loaded: it owns 7, then by hash',
      'lagging: its event loop is 201 ms late',
      'suspect: it missed beats',
      'avoided: it crashed there again and again',
    ];
    expect(told(feed({ prefer: 'preferred', avoid: 'avoided' }), members)).toEqual(order);
    expect(told(feed({ prefer: 'preferred', avoid: 'avoided' }), [...members].reverse())).toEqual(order);
  });

  it('prefers a node that it also avoids, and one that is preferred but not there changes nothing', () => {
    expect(rankMembers(feed({ prefer: 'a', avoid: 'a' }), [member('b'), member('a')])).toEqual(['a', 'b']);
    const members = [member('a', { load: 1 }), member('b')];
    expect(rankMembers(feed({ prefer: 'gone', avoid: 'lost' }), members)).toEqual(['b', 'a']);
  });

  it('says "by hash" with hash, whatever the load', () => {
    expect(told(feed({ placement: HASH }), [member('a', { load: 4 })])).toEqual(['a: by hash']);
  });

  it('counts no node as another than the owner where there is none', () => {
    for (const { score } of explain(feed(), nodes(2))) expect(score.slice(0, -1)).toEqual([1, 0, 0, 0, 0, 0]);
    for (const { score } of explain(feed({ placement: HASH }), nodes(2), { owner: 'node-0' }))
      expect(score.slice(0, -1)).toEqual([1, 0, 0, 0, 0, 0]);
  });

  it('does not hold what is for a moment against the node that runs it', () => {
    const reasons = [{ state: 'suspect' as const }, { lag: 900 }].map(
      (more) => explain(feed(), [member('a', { load: 1, ...more })], { owner: 'a' })[0]!.reason,
    );
    expect(reasons).toEqual(Array(2).fill('it runs there, and the node owns 0 besides'));
  });

  it('takes an event loop for late from beyond 200 ms on', () => {
    const [first, second] = explain(feed(), [member('a', { lag: 201 }), member('b', { lag: 200, load: 9 })]);
    expect([first?.node, second?.reason]).toEqual(['b', 'its event loop is 201 ms late']);
    expect(betterNode(feed(), [member('a', { load: 9 }), member('b', { lag: 200 })], 'a')?.node).toBe('b');
  });

  it('has a score for each that explains the order', () => {
    const candidates = explain(feed({ avoid: 'node-1' }), nodes(4));
    for (const [index, { score }] of candidates.slice(1).entries()) {
      const before = candidates[index]!.score;
      const differs = score.findIndex((value, at) => value !== before[at]);
      expect(before[differs]!).toBeLessThan(score[differs]!);
    }
    expect(explain(feed(), [])).toEqual([]);
  });
});

describe('turnOf', () => {
  it('is the place in the order and who is first, and nothing for a node that may not run it', () => {
    const members = [member('a', { load: 1 }), member('b'), member('c', { state: 'draining' })];
    expect(turnOf(feed(), members, 'b')).toEqual({ rank: 0, best: 'b' });
    expect(turnOf(feed(), members, 'a')).toEqual({ rank: 1, best: 'b' });
    expect(turnOf(feed(), members, 'c')).toBeUndefined();
    expect(turnOf(feed({ placement: { strategy: 'spread', labels: { role: 'x' } } }), members, 'a')).toBeUndefined();
    expect(turnOf(feed(), [member('a', { capacity: 0 })], 'a')).toBeUndefined();
  });

  it('is after everyone for a node that the view does not have yet', () => {
    expect(turnOf(feed(), [member('a'), member('b')], 'c')).toMatchObject({ rank: 2 });
    expect(turnOf(feed(), [], 'a')).toEqual({ rank: 0, best: undefined });
  });

  it('agrees with rankMembers', () => {
    const members = nodes(20).map((each, index) => ({
      ...each,
      ...{ load: index % 3, lag: (index % 4) * 100, capacity: 2 },
    }));
    for (const name of keys(20)) {
      const order = rankMembers(feed({ name }), members);
      for (const { name: node } of members) {
        const rank = order.indexOf(node);
        expect(turnOf(feed({ name }), members, node)).toEqual(rank < 0 ? undefined : { rank, best: order[0] });
      }
    }
  });
});

describe('what members will own in a moment', () => {
  const loadOf = ({ name }: Member): number => (name === 'a' ? 5 : 1);
  const members = [member('a'), member('b', { load: 3 })];

  it('decides in the place of what they say', () => {
    expect(rankMembers(feed(), members)).toEqual(['a', 'b']);
    expect(rankMembers(feed(), members, { loadOf })).toEqual(['b', 'a']);
    expect(turnOf(feed(), members, 'a', { loadOf })).toEqual({ rank: 1, best: 'b' });
    expect(explain(feed(), members, { loadOf })[0]).toMatchObject({ node: 'b', reason: 'it owns 1, then by hash' });
  });

  it('decides about moves, too', () => {
    expect(betterNode(feed(), members, 'a')).toBeUndefined();
    expect(betterNode(feed(), members, 'a', loadOf)).toEqual({ node: 'b', byLoad: true });
    const both = members.map((each) => ({ ...each, capacity: 5 }));
    expect(betterNode(feed(), both, 'b', loadOf)).toBeUndefined();
  });
});

describe('the load of the owner', () => {
  it('does not speak against it', () => {
    const members = [member('a', { load: 3, capacity: 3 }), member('b', { load: 2 })];
    expect(exclusionOf(feed(), members[0]!)).toMatch(/full/);
    expect(exclusionOf(feed(), members[0]!, { owner: 'a' })).toBeUndefined();
    expect(rankMembers(feed(), members, { owner: 'a' })).toEqual(['a', 'b']);
    expect(explain(feed(), members, { owner: 'a' })[0]).toMatchObject({
      node: 'a',
      excluded: false,
      reason: 'it runs there, and the node owns 2 besides',
    });
  });

  it('moves nothing to where it would be as full, and does where it would be emptier', () => {
    const at = (own: number, other: number) =>
      betterNode(feed(), [member('a', { load: own }), member('b', { load: other })], 'a');
    expect([at(1, 0), at(2, 1), at(3, 3), at(1, 5)]).toEqual([undefined, undefined, undefined, undefined]);
    expect(at(2, 0)).toEqual({ node: 'b', byLoad: true });
  });

  it('moves nothing off a node because it lags or misses beats, and nothing to one that does', () => {
    const lagging = [member('a', { lag: 900, state: 'suspect' }), member('b')];
    expect(betterNode(feed({ placement: HASH, name: firstOn('a', lagging) }), lagging, 'a')).toBeUndefined();
    const there = [member('a', { load: 9 }), member('b', { lag: 900 })];
    expect(betterNode(feed(), there, 'a')).toBeUndefined();
  });

  it('moves what may not be there, whatever the load, once there is a node that may run it', () => {
    const labelled = feed({ placement: { strategy: 'spread', labels: { role: 'x' } } });
    const x = (more: Partial<Member> = {}) => member('x', { labels: { role: 'x' }, load: 9, ...more });
    expect(betterNode(labelled, [member('a', { load: 1 }), member('b')], 'a')).toBeUndefined();
    expect(betterNode(labelled, [member('a', { load: 1 }), x()], 'a')).toEqual({ node: 'x', byLoad: false });
    expect(betterNode(labelled, [member('a', { load: 1 }), x({ capacity: 9 })], 'a')).toBeUndefined();
    expect(betterNode(labelled, [member('a', { load: 1 }), x({ state: 'suspect' })], 'a')).toBeUndefined();
    expect(betterNode(labelled, [member('a', { load: 1 }), x({ lag: 900 })], 'a')).toBeUndefined();
  });

  it('does not count where the owner is not in the view: then the best of the others is', () => {
    expect(betterNode(feed(), [member('b', { load: 3 }), member('c')], 'a')).toEqual({ node: 'c', byLoad: false });
    expect(betterNode(feed(), [], 'a')).toBeUndefined();
  });

  const firstOn = (node: string, members: readonly Member[]): string =>
    keys(100).find(
      (name) =>
        rankMembers(
          feed({ name, placement: HASH }),
          members.map((each) => ({ ...each, lag: 0, state: 'up' as const })),
        )[0] === node,
    )!;
});

describe('refusalOf', () => {
  it('goes by what the node owns itself', () => {
    const b = member('b', { load: 0, capacity: 3 });
    const ask = (load: number, limit?: number, ...members: Member[]) =>
      refusalOf(feed(), b, load, { limit, from: 'a', members: [member('a'), b, ...members] });
    expect([ask(1, 2), ask(2)]).toEqual([undefined, undefined]);
    expect(ask(2, 2)).toBe('it owns 2');
    expect(ask(3)).toBe('it is full (3 of 3)');
    // Others saw this node idle, too, and were faster.
    expect(ask(1, 2, member('c', { load: 1 }))).toBeUndefined();
    expect(ask(1, 2, member('c'))).toBe('c owns fewer');
    expect(ask(1, 2, member('c', { state: 'suspect' }))).toBeUndefined();
  });
});

describe('obstaclesIn', () => {
  it('tells classes with the same placement apart', () => {
    const obstacle = obstaclesIn(nodes(2));
    expect(obstacle(feed())).toBeUndefined();
    expect(obstacle(feed({ type: 'Other' }))).toBe('no node has the class Other');
    expect(obstacle(feed({ type: 'Other', declared: false }))).toBeUndefined();
  });
});

describe('outlookOf', () => {
  const looks = (load: number, ...others: Partial<Member>[]) =>
    outlookOf([member('a'), ...others.map((more, index) => member(`b${index}`, more))], 'a', load);

  it('stays the same while loads change that change nothing', () => {
    expect(looks(5, { load: 4 })).toBe(looks(5, { load: 900 }));
    expect(looks(5, { load: 4 })).toBe(looks(4, { load: 3 }));
  });

  it.each<[string, string]>([
    ['a member owns two fewer', looks(6, { load: 4 })],
    ['it owns even fewer', looks(6, { load: 3 })],
    ['a member drains', looks(5, { load: 4, state: 'draining' })],
    ['a member lags', looks(5, { load: 4, lag: 500 })],
    ['a member lags a little more than it may', looks(5, { load: 4, lag: 201 })],
    ['a member is full', looks(5, { load: 4, capacity: 4 })],
    ['a member came', looks(5, { load: 4 }, {})],
    ['a member is another process', looks(5, { load: 4, bootId: 'other' })],
  ])('is another one when %s', (_case, outlook) => {
    expect(outlook).not.toBe(looks(5, { load: 4 }));
  });

  it('is the same where a member lags as much as it may', () => {
    expect(looks(5, { load: 4, lag: 200 })).toBe(looks(5, { load: 4 }));
  });

  it('knows whether this node itself is full', () => {
    const full = (load: number) => outlookOf([member('a', { capacity: 3 })], 'a', load);
    expect(full(2)).not.toBe(full(3));
  });

  it('is the same only where the better node is the same', () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 16807) % 2147483647) % below;
    const better = new Map<string, string | undefined>();
    for (let round = 0; round < 3000; round++) {
      const others = Array.from({ length: 3 }, (): Partial<Member> => ({
        load: random(6),
        lag: random(5) === 0 ? 300 : 0,
        state: random(6) === 0 ? 'suspect' : 'up',
        ...(random(4) === 0 ? { capacity: random(5) } : {}),
      }));
      const members = [member('a'), ...others.map((more, index) => member(`b${index}`, more))];
      const load = 1 + random(6);
      const loadOf = (each: Member) => (each.name === 'a' ? load : each.load);
      const outlook = outlookOf(members, 'a', load);
      const node = betterNode(feed(), members, 'a', loadOf)?.node;
      if (better.has(outlook)) expect(node).toBe(better.get(outlook));
      better.set(outlook, node);
    }
    expect(better.size).toBeLessThan(2500);
  });
});

describe('obstacleOf', () => {
  const x = { role: 'x' };
  const labelled = feed({ placement: { strategy: 'spread', labels: { role: 'x', zone: 'a' } } });
  it.each<[string, Placeable, Member[], string | undefined]>([
    ['nobody is there', feed(), [], 'no node takes anything'],
    ['all are draining', feed(), [member('a', { state: 'draining' })], 'no node takes anything'],
    ['nobody has the class', feed({ type: 'Other' }), nodes(2), 'no node has the class Other'],
    ['nobody has a label', labelled, [member('a', { labels: x }), member('b')], 'no node has the label zone=a'],
    [
      'nobody has both labels',
      labelled,
      [member('a', { labels: x }), member('b', { labels: { zone: 'a' } })],
      'no node has the labels role=x and zone=a',
    ],
    [
      'all are full',
      feed(),
      [member('a', { capacity: 1, load: 1 }), member('b', { capacity: 0 })],
      'all nodes are full (a owns 1 of 1, b owns 0 of 0)',
    ],
    [
      'those that may are full',
      labelled,
      [member('a', { labels: { ...x, zone: 'a' }, capacity: 2, load: 2 }), member('b')],
      'the nodes that may run it are full (a owns 2 of 2)',
    ],
    [
      'three are full',
      feed(),
      nodes(3).map((each) => ({ ...each, capacity: 0 })),
      'all nodes are full (node-0 owns 0 of 0, node-1 owns 0 of 0, node-2 owns 0 of 0)',
    ],
    [
      'more are full than can be listed',
      feed(),
      nodes(4).map((each) => ({ ...each, capacity: 0 })),
      'all nodes are full (node-0 owns 0 of 0, node-1 owns 0 of 0, node-2 owns 0 of 0, …)',
    ],
    ['one may run it', feed(), [member('a', { capacity: 1, load: 1 }), member('b')], undefined],
    ['nobody is known to have the class of a call', feed({ declared: false, type: 'Other' }), nodes(1), undefined],
  ])('says why when %s', (_case, subject, members, reason) => {
    expect(obstacleOf(subject, members)).toBe(reason);
  });
});

describe('moves', () => {
  /** A generator with a seed: mulberry32. */
  const random = (seed: number) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  /**
   * A cluster in which nothing changes but by moves. In each round every node decides about all it owns before any move
   * is carried out, by loads of others that are up to three rounds old. A move is carried out when its target, which
   * knows what it owns and what it has promised in this round, does not refuse. As in the supervisor a node moves, and
   * takes, four at once at most, and what was moved for the load rests for longer than any view is old.
   *
   * @param legal whether each process begins on a node that may run it.
   */
  function settle(seed: number, strategies: readonly Placement['strategy'][], legal: boolean) {
    const next = random(seed);
    const below = (count: number): number => Math.floor(next() * count);
    const count = 2 + below(6);
    const members = nodes(count).map((each): Member => {
      const labels: Record<string, string> = next() < 0.5 ? { role: 'x' } : {};
      return { ...each, labels, ...(next() < 0.4 ? { capacity: below(12) } : {}) };
    });
    const owners = new Map<Placeable, string>();
    const loads = (): Map<string, number> => {
      const found = new Map(members.map(({ name }) => [name, 0]));
      for (const owner of owners.values()) found.set(owner, found.get(owner)! + 1);
      return found;
    };
    const seen = (at: Map<string, number>): Member[] => members.map((each) => ({ ...each, load: at.get(each.name)! }));
    for (const name of keys(below(30))) {
      const labels: Record<string, string> = next() < 0.3 ? { role: 'x' } : {};
      const subject = feed({ name, placement: { strategy: strategies[below(strategies.length)]!, labels } });
      const now = seen(loads());
      const allowed = legal ? now.filter((each) => exclusionOf(subject, each) === undefined) : now;
      // Most of them on the first ones, as in a rolling start.
      const owner = allowed[Math.min(below(count), below(count), allowed.length - 1)];
      if (owner !== undefined) owners.set(subject, owner.name);
    }
    const past = [loads()];
    let views: Member[][] = [];
    const view = (): Member[] => views[below(views.length)]!;
    const moves: { process: string; from: string; to: string }[] = [];
    const resting = new Map<Placeable, number>();
    const ROUNDS = 600;
    for (let [round, quiet] = [0, 0]; quiet < 12; round++) {
      if (round > ROUNDS)
        throw new Error(`Seed ${seed}: still moving after ${ROUNDS} rounds and ${moves.length} moves`);
      const exact = past.at(-1)!;
      views = past.slice(-3).map(seen);
      const leaving = new Map<string, number>();
      const promised = new Map<string, number>();
      const add = (counts: Map<string, number>, node: string) => counts.set(node, (counts.get(node) ?? 0) + 1);
      const isFree = (counts: Map<string, number>, node: string) => (counts.get(node) ?? 0) < 4;
      const asks = [...owners].flatMap(([subject, from]) => {
        const left = exact.get(from)! - (leaving.get(from) ?? 0);
        const better = betterNode(subject, view(), from, ({ name, load }) => (name === from ? left : load));
        if (better === undefined || !isFree(leaving, from)) return [];
        if (better.byLoad && (resting.get(subject) ?? 0) > round) return [];
        add(leaving, from);
        return [{ subject, from, to: better.node, limit: better.byLoad ? left - 1 : undefined }];
      });
      let moved = 0;
      for (const { subject, from, to, limit } of asks) {
        const target = members.find(({ name }) => name === to)!;
        const load = exact.get(to)! + (promised.get(to) ?? 0);
        const proposal = { limit, from, members: view() };
        if (!isFree(promised, to) || refusalOf(subject, target, load, proposal) !== undefined) continue;
        add(promised, to);
        moves.push({ process: subject.name, from, to });
        owners.set(subject, to);
        resting.set(subject, round + 10);
        moved += 1;
      }
      quiet = moved === 0 ? quiet + 1 : 0;
      past.push(loads());
    }
    return { members: seen(loads()), owners, moves };
  }

  const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);

  it.each<[string, Placement['strategy'][]]>([
    ['spread', ['spread']],
    ['hash', ['hash']],
    ['both', ['spread', 'hash']],
  ])('come to an end with %s, from any start, and then nothing moves', (_name, strategies) => {
    for (const seed of SEEDS) {
      const { members, owners, moves } = settle(seed, strategies, false);
      expect(moves.length).toBeLessThanOrEqual(owners.size * members.length);
      for (const [subject, owner] of owners) expect(betterNode(subject, members, owner)).toBeUndefined();
    }
  });

  it.each<[Placement['strategy']]>([['spread'], ['hash']])('are never undone with %s', (strategy) => {
    for (const seed of SEEDS) {
      const left = new Set<string>();
      for (const { process, from, to } of settle(seed, [strategy], true).moves) {
        expect([seed, process, left.has(`${process} ${to}`)]).toEqual([seed, process, false]);
        left.add(`${process} ${from}`);
      }
    }
  });

  it('leave a cluster without limits even: no node owns two more than another', () => {
    for (const seed of SEEDS) {
      const next = random(seed);
      const members = nodes(2 + Math.floor(next() * 6));
      const owner = new Map(keys(Math.floor(next() * 30)).map((name) => [name, members[0]!.name]));
      const load = (node: string) => [...owner.values()].filter((each) => each === node).length;
      for (let moved = true; moved;) {
        moved = false;
        for (const [name, node] of owner) {
          const now = members.map((each) => ({ ...each, load: load(each.name) }));
          const better = betterNode(feed({ name }), now, node);
          if (better === undefined) continue;
          owner.set(name, better.node);
          moved = true;
        }
      }
      const all = members.map(({ name }) => load(name));
      expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1);
    }
  });
});

describe('givesWay', () => {
  const moved = feed({ prefer: 'b' });
  const ask = (subject: Placeable, members: Member[], ageMs = 100, before?: string) =>
    givesWay(subject, members, { self: 'a', before, ageMs });

  it('leaves what was just moved to its target', () => {
    expect(ask(moved, [member('a'), member('b')])).toBe(true);
    expect(givesWay(moved, [member('a'), member('b')], { self: 'b', before: 'a', ageMs: 100 })).toBe(false);
    expect(ask(feed(), [member('a'), member('b')])).toBe(false);
    expect([3000, -3000].map((ageMs) => ask(moved, [member('a'), member('b')], ageMs))).toEqual([true, true]);
  });

  it('does not wait for a target that had it and lost it, though all still see it up', () => {
    expect(ask(moved, [member('a'), member('b')], 100, 'b')).toBe(false);
    expect(ask(moved, [member('a'), member('b')], 100, 'c')).toBe(true);
  });

  it('leaves it to a target that is said to be full: room may have been made there since', () => {
    expect(ask(moved, [member('a'), member('b', { capacity: 1, load: 1 })])).toBe(true);
  });

  it.each([
    ['comes from a clock that was ahead', moved, [member('a'), member('b')], -3001],
    ['is long ago', moved, [member('a'), member('b')], 3001],
    ['went to a node that is gone', moved, [member('a')], 100],
    ['went to a node that misses beats', moved, [member('a'), member('b', { state: 'suspect' })], 100],
    ['went to a node that drains', moved, [member('a'), member('b', { state: 'draining' })], 100],
    ['went to a node without the class', moved, [member('a'), member('b', { classes: [] })], 100],
    ['went to where it crashed since', feed({ prefer: 'b', avoid: 'b' }), [member('a'), member('b')], 100],
  ])('does not wait for a move that %s', (_case, subject, members, ageMs) => {
    expect(ask(subject, members, ageMs)).toBe(false);
  });
});

describe('rendezvous', () => {
  it('is a whole number from 0 to 2^32 − 1 and always the same', () => {
    for (const name of keys(500)) {
      const weight = rendezvous(name, 'node');
      expect(Number.isInteger(weight) && weight >= 0 && weight < 2 ** 32).toBe(true);
      expect(rendezvous(name, 'node')).toBe(weight);
    }
    // Written down, because nodes of two versions must agree.
    expect([rendezvous('price-feed', 'node-1'), rendezvous('é', '😀')]).toMatchInlineSnapshot(`
      [
        3536128360,
        3221628845,
      ]
    `);
  });

  it('keeps name and node apart', () => {
    expect(rendezvous('ab', 'c')).not.toBe(rendezvous('a', 'bc'));
  });

  it.each([3, 4, 5, 6, 7, 8, 9, 10])('spreads evenly over %i nodes', (count) => {
    const total = 10_000;
    const won = new Map<string, number>();
    for (const name of keys(total)) {
      const [first] = names(feed({ name, placement: HASH }), nodes(count));
      won.set(first!, (won.get(first!) ?? 0) + 1);
    }
    expect(won.size).toBe(count);
    const share = total / count;
    // Pearson's statistic against its 99.9 % quantile for count − 1 degrees of freedom (Wilson-Hilferty).
    const chi2 = [...won.values()].reduce((sum, wins) => sum + (wins - share) ** 2 / share, 0);
    const freedom = count - 1;
    const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
    expect(chi2).toBeLessThan(limit);
  });

  it.each(['orders', 'price-feed', 'a', 'käse', 'tenant-42'])(
    'moves little more than a fair share of the 64 partitions of %s from three nodes to four',
    (name) => {
      const slots = slotNames({ name, kind: 'partitioned', count: 64 }, 'node-0');
      const owners = (count: number) =>
        slots.map((slot) => rankMembers(feed({ name: slot, placement: HASH }), nodes(count))[0]!);
      const [before, after] = [owners(3), owners(4)];
      const moved = slots.filter((_, index) => before[index] !== after[index]);
      expect(moved.length).toBeGreaterThan(0);
      expect(moved.length / slots.length).toBeLessThanOrEqual(1.6 / 4);
      // What moves, moves to the node that came.
      expect(after.filter((node) => node === 'node-3')).toHaveLength(moved.length);
      for (const [owned, count] of [[before, 3] as const, [after, 4] as const]) {
        for (const { name: node } of nodes(count)) {
          const share = owned.filter((each) => each === node).length / slots.length;
          expect(share).toBeGreaterThan(0.4 / count);
          expect(share).toBeLessThanOrEqual(1.6 / count);
        }
      }
    },
  );

  it.each([3, 5, 10])('moves only what it must when one of %i nodes goes or comes', (count) => {
    const firsts = (members: Member[]) => keys(5000).map((name) => names(feed({ name, placement: HASH }), members)[0]!);
    const all = firsts(nodes(count));
    const fewer = firsts(nodes(count).slice(0, -1));
    const gone = `node-${count - 1}`;
    // Nothing moves that was not on the node that went, and the part that was is about its share.
    expect(all.filter((node, index) => node !== gone && fewer[index] !== node)).toEqual([]);
    const moved = all.filter((node, index) => fewer[index] !== node).length / all.length;
    expect(moved).toBeGreaterThan(0.8 / count);
    expect(moved).toBeLessThan(1.2 / count);
  });
});
