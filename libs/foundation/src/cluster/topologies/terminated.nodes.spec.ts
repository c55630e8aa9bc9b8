import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Peer } from '../../config/topology.strategy.js';
import type { Member } from '../member.js';
import { TerminatedNodes } from './terminated.nodes.js';

const member = (name: string, joinedAt: number, more: Partial<Member> = {}): Member => ({
  ...{
    name,
    bootId: `${name}@${joinedAt}`,
    host: `host-${name}`,
    pid: 1,
    version: '0',
    state: 'up',
    load: 0,
    lag: 0,
    labels: {},
  },
  ...{ replicas: {}, listens: {}, classes: [], joinedAt, self: false, ...more },
});

describe('SecondOpinion', () => {
  let members: Member[];
  let peers: Peer[];
  let now: number;
  let left: string[];
  let report: () => void;
  let fails: boolean;

  beforeEach(() => {
    Logger.overrideLogger(false);
    [members, peers, now, left, fails] = [[member('a', 100), member('b', 100)], [], 1000, [], false];
    let listener = (): void => undefined;
    report = () => listener();
    const opinion = new TerminatedNodes(
      { members: () => members, clusterNow: () => now },
      { peers: () => peers, listen: (each) => ((listener = each), () => (listener = () => undefined)) },
      {
        leave: (name, bootId, reason) => {
          left.push(`${name} ${bootId} ${reason}`);
          return fails ? Promise.reject(new Error('away')) : Promise.resolve();
        },
      },
    );
    opinion.open();
    opinion.open();
  });

  it('ends a node that has ended, once, by its name or by its host', () => {
    peers = [
      { id: '1', node: 'a', state: 'terminated' },
      { id: '2', host: 'host-b', state: 'terminated' },
    ];
    report();
    report();
    expect(left).toEqual(['a a@100 terminated', 'b b@100 terminated']);
  });

  it.each(['ready', 'not-ready', 'leaving'] as const)('lets a node be that is %s', (state) => {
    peers = [{ id: '1', node: 'a', state }];
    report();
    expect(left).toEqual([]);
  });

  it('lets a node be of which nothing is said, and one of which one pod has ended and another one lives', () => {
    peers = [
      { id: '1', host: 'host-a', state: 'terminated' },
      { id: '2', host: 'host-a', state: 'ready' },
      { id: '3', node: 'c', state: 'terminated' },
      { id: '4', state: 'terminated' },
    ];
    report();
    expect(left).toEqual([]);
  });

  it('says nothing about a node that joined under the same name after the end was known', () => {
    members = [];
    peers = [{ id: '1', node: 'a', state: 'terminated' }];
    report();
    members = [member('a', 1500)];
    now = 2000;
    report();
    expect(left).toEqual([]);
    peers = [{ id: '2', node: 'a', state: 'terminated' }];
    report();
    expect(left).toEqual(['a a@1500 terminated']);
  });

  it('never ends its own node, nor does it fall over a Redis that is away', async () => {
    fails = true;
    members = [member('a', 100, { self: true }), member('b', 100)];
    peers = members.map(({ name }) => ({ id: name, node: name, state: 'terminated' }));
    report();
    await Promise.resolve();
    expect(left).toEqual(['b b@100 terminated']);
  });
});
