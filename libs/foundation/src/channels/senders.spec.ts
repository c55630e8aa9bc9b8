import { describe, expect, it } from '@jest/globals';
import type { Member, Membership, MembershipListener } from '../cluster/membership.js';
import { Senders } from './senders.js';

function setUp() {
  let listener!: MembershipListener;
  let members: Partial<Member>[] = [];
  const membership = {
    self: { name: 'me', bootId: 'me' },
    state: 'up',
    members: () => members,
    clusterNow: () => 100,
    listen: (given: MembershipListener) => ((listener = given), () => undefined),
  } as unknown as Membership;
  const senders = new Senders(membership);
  const see = (...seen: [bootId: string, joinedAt: number][]) => {
    members = [['me', 1] as const, ...seen].map(([bootId, joinedAt]) => ({ bootId, joinedAt }));
    listener.changed!();
  };
  return { senders, see };
}

describe('Senders', () => {
  it('begin here when they joined after this node listened', () => {
    const { senders, see } = setUp();
    senders.listens('events');
    see(['early', 50], ['late', 150]);
    const startsHere = ['early', 'late', 'unknown'].map((bootId) => senders.startsHere(bootId, 'events'));
    expect(startsHere).toEqual([false, true, false]);
  });

  it('that were out of the view for a while have sent before, and are not forgotten', () => {
    const { senders, see } = setUp();
    const forgotten: boolean[] = [];
    senders.onGone((isGone) => forgotten.push(isGone('a')));
    senders.listens('events');
    see(['a', 50]);
    see();
    see(['a', 200]);
    expect(senders.startsHere('a', 'events')).toBe(false);
    expect(forgotten).toEqual([]);
  });

  it('are forgotten once a thousand others have left after them', () => {
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
