import { describe, expect, it } from '@jest/globals';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Member, MembershipListener } from '../../cluster/member.js';
import { KnownSenders } from './known.senders.js';

function setUp(state: ClusterView['state'] = 'up') {
  let listener!: MembershipListener;
  let members: Partial<Member>[] = [];
  let now = 100;
  let own: [bootId: string, joinedAt: number][] = [['me', 1]];
  const membership = {
    self: { name: 'me', bootId: 'me' },
    state,
    members: () => members,
    clusterNow: () => now,
    listen: (given: MembershipListener) => ((listener = given), () => undefined),
  } as unknown as ClusterView;
  const senders = new KnownSenders(membership);
  const see = (...seen: [bootId: string, joinedAt: number][]) => {
    members = [...own, ...seen].map(([bootId, joinedAt]) => ({ bootId, joinedAt }));
    listener.changed!();
  };
  const leave = () => void (own = []);
  return { senders, see, leave, at: (time: number) => void (now = time) };
}

describe('KnownSenders', () => {
  it('expects all messages of a node that joined after the subscription', () => {
    const { senders, see } = setUp();
    senders.listens('events');
    see(['early', 50], ['late', 150]);
    const beginnings = ['early', 'late', 'never seen'].map((bootId) => senders.beginningOf(bootId, 'events'));
    expect(beginnings).toEqual(['before', 'here', 'before']);
  });

  it('expects them also while Redis does not know this node', () => {
    const { senders, see, leave } = setUp();
    senders.listens('events');
    see(['early', 50]);
    leave();
    see(['early', 50], ['late', 150]);
    expect(['early', 'late'].map((bootId) => senders.beginningOf(bootId, 'events'))).toEqual(['before', 'here']);
  });

  it('remembers a node that was out of the view for a while', () => {
    const { senders, see } = setUp();
    const forgotten: boolean[] = [];
    senders.onGone((isGone) => forgotten.push(isGone('a')));
    senders.listens('events');
    see(['a', 50]);
    see();
    see(['a', 200]);
    expect(senders.beginningOf('a', 'events')).toBe('before');
    expect(forgotten).toEqual([]);
  });

  it('does not know the last message of an older node once the connection was cut', () => {
    const { senders, see, at } = setUp();
    senders.interrupted();
    at(110);
    senders.listens('events');
    see(['early', 50], ['other', 50]);
    expect(senders.beginningOf('early', 'events')).toBe('before');
    at(120);
    senders.interrupted('early');
    expect(['early', 'other'].map((bootId) => senders.beginningOf(bootId, 'events'))).toEqual(['unknown', 'before']);
    at(130);
    senders.listens('data');
    expect(senders.beginningOf('early', 'data')).toBe('before');
    senders.interrupted();
    see(['other', 50], ['late', 140]);
    expect(['early', 'other', 'late'].map((bootId) => senders.beginningOf(bootId, 'events'))).toEqual([
      'unknown',
      'unknown',
      'here',
    ]);
    expect([senders.mayHaveLost('x', 130), senders.mayHaveLost('x', 131)]).toEqual([true, false]);
  });

  it('expects them from its own join on, where the subscription was in place before', () => {
    const { senders, see } = setUp('joining');
    senders.listens('events');
    see(['early', 1], ['late', 2]);
    expect(['early', 'late'].map((bootId) => senders.beginningOf(bootId, 'events'))).toEqual(['before', 'here']);
  });

  it('expects none of what was sent, and takes nothing for lost, in the moment of the subscription', () => {
    const { senders, see } = setUp();
    senders.listens('events');
    senders.interrupted();
    see(['a', 100]);
    expect(senders.beginningOf('a', 'events')).toBe('before');
  });

  it('knows a node that joins again for what it was', () => {
    const { senders, see } = setUp();
    senders.listens('events');
    see(['a', 50]);
    see(['a', 200]);
    expect(senders.beginningOf('a', 'events')).toBe('before');
  });

  it('remembers that a node was cut off for as long as the node itself', () => {
    const { senders, see, at } = setUp();
    senders.listens('events');
    see(['a', 50]);
    at(120);
    senders.interrupted('a');
    see(['a', 50]);
    expect(senders.beginningOf('a', 'events')).toBe('unknown');
    see();
    expect(senders.beginningOf('a', 'events')).toBe('unknown');
    see(['a', 50]);
    expect(senders.beginningOf('a', 'events')).toBe('unknown');
    see();
    for (let number = 0; number <= 1000; number++) see([`b${number}`, 50]);
    see(['a', 50]);
    expect(senders.beginningOf('a', 'events')).toBe('before');
  });

  it('takes no interruption from before its join for a loss', () => {
    const { senders } = setUp('joining');
    senders.interrupted();
    senders.interrupted('a');
    expect(senders.mayHaveLost('a', 50)).toBe(false);
  });

  it('forgets no node that is back, and each that has gone once', () => {
    const { senders, see } = setUp();
    const forgets: ((bootId: string) => boolean)[] = [];
    senders.onGone((isGone) => forgets.push(isGone));
    see(['a', 50]);
    see();
    see(['a', 50]);
    for (let number = 0; number <= 1001; number++) see(['a', 50], [`b${number}`, 50]);
    expect(forgets.length).toBe(1);
    see(['a', 50], ['b1001', 50]);
    expect(forgets.map((isGone) => [isGone('a'), isGone('b0')])).toEqual([[false, true]]);
  });

  it('forgets a node once a thousand others have left after it', () => {
    const { senders, see } = setUp();
    let isForgotten = false;
    senders.onGone((isGone) => (isForgotten ||= isGone('a')));
    see(['a', 50]);
    for (let number = 0; number < 1000; number++) see([`b${number}`, 50]);
    expect(isForgotten).toBe(false);
    see();
    expect(isForgotten).toBe(true);
  });
});
