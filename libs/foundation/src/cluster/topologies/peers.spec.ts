import { describe, expect, it } from '@jest/globals';
import type { Peer, PeerState } from '../../config/topology.strategy.js';
import { checkedPeers, expectedOf, mergePeers, PeerIndex } from './peers.js';

const peer = (id: string, state: PeerState = 'ready', more: Partial<Peer> = {}): Peer => ({ id, state, ...more });

describe('checkedPeers', () => {
  it('keeps what is known of good ones, and counts the others', () => {
    const good = { id: 'a', state: 'ready', node: 'n', host: 'h', address: '10.0.0.1:7000' };
    const bad = [
      ...[null, 5, 'a', [], {}, { id: 'b' }, { id: '', state: 'ready' }, { id: 5, state: 'ready' }],
      ...[
        { id: 'c', state: 'dead' },
        { id: 'x'.repeat(301), state: 'ready' },
        { id: 'd', state: 'constructor' },
      ],
    ];
    expect(checkedPeers([{ ...good, secret: 'x' }, ...bad])).toEqual({ peers: [good], dropped: bad.length });
  });

  it('leaves out properties that are not texts', () => {
    const value = [{ id: 'a', state: 'leaving', node: 5, host: '', address: {} }];
    expect(checkedPeers(value)).toEqual({ peers: [{ id: 'a', state: 'leaving' }], dropped: 0 });
  });

  it('takes the last of one id', () => {
    expect(checkedPeers([peer('a'), peer('a', 'leaving')]).peers).toEqual([peer('a', 'leaving')]);
  });

  it.each([undefined, null, {}, 'a', Array.from({ length: 10_001 }, (_, index) => peer(`p${index}`))])(
    'takes nothing of what is no list, or too long a one',
    (value) => expect(() => checkedPeers(value)).toThrow(/peers/),
  );
});

describe('mergePeers', () => {
  it('takes peers of two strategies for one node when they share name, host or address', () => {
    const first = [
      peer('1', 'ready', { node: 'a' }),
      peer('2', 'ready', { host: 'b' }),
      peer('3', 'ready', { address: 'c:1' }),
    ];
    const second = [
      peer('x', 'ready', { node: 'a', address: 'a:1' }),
      peer('y', 'ready', { host: 'b' }),
      peer('z', 'ready', { address: 'c:1' }),
      peer('w', 'ready', { node: 'd' }),
    ];
    expect(mergePeers([first, second])).toEqual([{ ...first[0], address: 'a:1' }, first[1], first[2], second[3]]);
    expect(expectedOf(mergePeers([first, second]))).toBe(4);
  });

  it('merges several peers of one strategy into one of another', () => {
    const second = [peer('x', 'terminated', { host: 'h' }), peer('y', 'leaving', { host: 'h', address: 'h:1' })];
    expect(mergePeers([[peer('1', 'terminated', { host: 'h' })], second])).toEqual([
      peer('1', 'leaving', { host: 'h', address: 'h:1' }),
    ]);
  });

  it('does not merge the peers of one strategy, nor those of which nothing is known', () => {
    const list = [peer('1', 'ready', { host: 'h' }), peer('2', 'ready', { host: 'h' })];
    expect(mergePeers([list])).toEqual(list);
    expect(mergePeers([[peer('1')], [peer('2')]])).toHaveLength(2);
  });

  it.each<[PeerState, PeerState, PeerState]>([
    ['terminated', 'ready', 'ready'],
    ['ready', 'terminated', 'ready'],
    ['terminated', 'leaving', 'leaving'],
    ['terminated', 'terminated', 'terminated'],
    ['leaving', 'not-ready', 'not-ready'],
  ])('%s and %s is %s: who still sees it outweighs who says it has ended', (a, b, merged) => {
    expect(mergePeers([[peer('1', a, { node: 'n' })], [peer('2', b, { node: 'n' })]])[0]?.state).toBe(merged);
  });
});

describe('expectedOf', () => {
  it('counts who is there or to come, not who goes or has gone', () => {
    const states: PeerState[] = ['ready', 'not-ready', 'leaving', 'terminated'];
    expect(expectedOf(states.map((state) => peer(state, state)))).toBe(2);
  });
});

describe('PeerIndex', () => {
  const idsOf = (peers: readonly Peer[], name: string, host: string) =>
    new PeerIndex(peers).of({ name, host }).map(({ id }) => id);

  it('goes by the name, and by the host only where there is no name', () => {
    const peers = [peer('1', 'ready', { node: 'a', host: 'h' }), peer('2', 'ready', { host: 'h' }), peer('3')];
    expect(idsOf(peers, 'a', 'x')).toEqual(['1']);
    expect(idsOf(peers, 'b', 'h')).toEqual(['2']);
    expect(idsOf(peers, 'h', 'x')).toEqual(['2']);
    expect(idsOf(peers, 'h', 'h')).toEqual(['2']);
    expect(idsOf(peers, 'b', 'x')).toEqual([]);
  });

  it('knows a pod by the first part of its full name, and no other host', () => {
    const peers = [peer('1', 'ready', { host: 'web-1' })];
    expect(idsOf(peers, 'n', 'web-1.shop.shop.svc.cluster.local')).toEqual(['1']);
    expect(idsOf(peers, 'n', 'web-1.example.org')).toEqual([]);
  });

  it('tells what is said of 2,400 members, and merges two lists of as many, by look-up', () => {
    const list = (by: string) =>
      Array.from({ length: 2400 }, (_, at) =>
        peer(`${by}${at}`, 'ready', { host: `h${at}`, address: `10.0.0.${at}:1` }),
      );
    const [first, second] = [list('a'), list('b')];
    const merged = mergePeers([first, second]);
    const index = new PeerIndex(merged);
    for (let at = 0; at < 2400; at++) expect(index.of({ name: `n${at}`, host: `h${at}` })).toHaveLength(1);
    expect(merged).toEqual(first);
  });
});
