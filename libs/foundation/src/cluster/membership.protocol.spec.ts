import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { BeatAnswer, JoinAnswer, NodeRecord, NodeView } from '../backend/directory/directory.js';
import { resolve } from '../config/resolve.js';
import { DuplicateNodeError, NotReadyError } from '../errors/cluster.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import type { FoundationEvents } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import type { Hint } from '../wire/hint.js';
import { ClusterView } from './cluster.view.js';
import { LocalNode } from './local.node.js';
import { MembershipProtocol } from './membership.protocol.js';

const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
const other: NodeRecord = {
  ...{ name: 'n2', bootId: 'b2', host: 'h2', pid: 2, version: '0', state: 'up' as const },
  ...{ classes: ['Feed'], load: 3, lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 50 },
};

/** The directory as one node sees it; each answer can be replaced. */
class FakeNodes {
  records = new Map<string, NodeRecord>([['n2', other]]);
  version = 1;
  answer: Partial<BeatAnswer> = {};
  failing = false;
  left: string[] = [];
  beats: { update?: { record: NodeRecord; changed: boolean } }[] = [];
  joining: () => Promise<JoinAnswer> = () => Promise.resolve({ joined: true, now: 100 });

  join = async (record: NodeRecord): Promise<JoinAnswer> => {
    const answer = await this.joining();
    if (answer.joined) this.#set({ ...record, joinedAt: answer.now });
    return answer;
  };
  beat = async (
    _name: string,
    _bootId: string,
    update?: { record: NodeRecord; changed: boolean },
  ): Promise<BeatAnswer> => {
    this.beats.push(update === undefined ? {} : { update });
    if (this.failing) throw new Error('Command timed out');
    return {
      ...{ status: 'ok', viewVersion: this.version, tableVersion: 0, incarnation: 'life-1 5', now: 5000, late: [] },
      ...this.answer,
    };
  };
  leave = async (name: string): Promise<void> => {
    this.left.push(name);
    this.records.delete(name);
  };
  view = (): Promise<NodeView> => Promise.resolve({ version: this.version, members: [...this.records.values()] });
  reasons = (bootIds: readonly string[]) => Promise.resolve(bootIds.map(() => 'timeout' as const));

  #set(record: NodeRecord): void {
    this.records.set(record.name, record);
    this.version += 1;
  }
}

describe('the membership protocol', () => {
  let nodes: FakeNodes;
  let telemetry: Telemetry;
  let events: { event: string; payload: unknown }[];
  let membership: ClusterView;
  let protocol: MembershipProtocol;
  let hint: (hint: Hint) => void;
  const held = 0;
  /** How much later it is than the timers think. */
  let skew: number;

  beforeEach(() => {
    jest.useFakeTimers();
    Logger.overrideLogger(false);
    skew = 0;
    nodes = new FakeNodes();
    telemetry = new Telemetry();
    events = [];
    telemetry.attach('*', (event, payload) => events.push({ event, payload }));
    const leases = { held: () => held };
    const backend = {
      directory: nodes,
      leases,
      onHint: (listener: (hint: Hint) => void) => (hint = listener),
    } as unknown as Backend;
    const now = () => performance.now() + skew;
    membership = new ClusterView(new LocalNode(config), config, backend, telemetry, now);
    protocol = new MembershipProtocol(membership, config, backend, telemetry, now);
  });
  afterEach(async () => {
    nodes.failing = false;
    await protocol.leave();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const payloads = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);

  it('says where others reach it and on which servers its leases are, as far as its backend has that', async () => {
    const where = { address: 'h:7001', leaseNames: 'b:6379, c:6379' };
    const leases = { held: () => 0 };
    const backend = { directory: nodes, leases, onHint: () => undefined, ...where } as unknown as Backend;
    const view = new ClusterView(new LocalNode(config), config, backend, telemetry, () => performance.now());
    await protocol.join([]);
    expect(nodes.records.get('n1')).not.toHaveProperty('leaseNames');
    const there = new MembershipProtocol(view, config, backend, telemetry);
    await there.join([]);
    expect(nodes.records.get('n1')).toMatchObject(where);
    await there.leave();
  });

  it('joins, becomes ready, and sees the members by name', async () => {
    const ready = membership.awaitReady();
    expect(membership.state).toBe('joining');
    await protocol.join(['Feed']);
    await ready;
    await membership.awaitReady();
    expect(membership.state).toBe('up');
    expect(membership.members()).toEqual([
      expect.objectContaining({ name: 'n1', self: true, state: 'up', load: 0, classes: ['Feed'] }),
      expect.objectContaining({ name: 'n2', self: false, state: 'up', load: 3, bootId: 'b2' }),
    ]);
    expect(
      payloads('cluster.node_joined')
        .map(({ node }) => node)
        .sort(),
    ).toEqual(['n1', 'n2']);
  });

  it('is up once the others know it, and only then says what it may have missed', async () => {
    let greeted!: (tell: () => void) => void;
    const greet = () => new Promise<() => void>((resolve) => (greeted = resolve));
    const backend = { directory: nodes, leases: { held: () => 0 }, onHint: () => undefined, greet };
    const there = new MembershipProtocol(membership, config, backend as unknown as Backend, telemetry);
    const joined = there.join([]);
    await pass(100);
    expect([membership.state, payloads('cluster.view_changed').length]).toEqual(['joining', 1]);
    const told: string[] = [];
    greeted(() => told.push(membership.state));
    await joined;
    expect([membership.state, told]).toEqual(['up', ['up']]);
    await there.leave();
  });

  it('does not come back when it leaves while the others get to know it', async () => {
    let greeted!: (tell: () => void) => void;
    const greet = () => new Promise<() => void>((resolve) => (greeted = resolve));
    const backend = { directory: nodes, leases: { held: () => 0 }, onHint: () => undefined, greet };
    const there = new MembershipProtocol(membership, config, backend as unknown as Backend, telemetry);
    const joined = expect(there.join([])).rejects.toMatchObject({ constructor: NotReadyError, state: 'left' });
    await pass(100);
    await there.leave();
    nodes.answer = { status: 'gone' };
    greeted(() => undefined);
    await joined;
    await pass(3000);
    expect([...nodes.records.keys()]).toEqual(['n2']);
    expect(nodes.beats).toEqual([]);
  });

  it('rejects whenReady with the state and the time', async () => {
    const ready = expect(membership.awaitReady({ timeout: 500 })).rejects.toMatchObject({
      constructor: NotReadyError,
      message: expect.stringMatching(/"n1".*"joining" after 500 ms/),
    });
    await pass(500);
    await ready;
  });

  it('says in the error of whenReady what the last attempt to join failed at', async () => {
    protocol.joinFailed("NOPERM User node has no permissions to run 'hset'");
    const ready = expect(membership.awaitReady({ timeout: 500 })).rejects.toThrow(
      'state "joining" after 500 ms; last of all: NOPERM',
    );
    await pass(500);
    await ready;
  });

  it('is ready once there are as many nodes as are waited for, and says how many there are when there are not', async () => {
    await protocol.join(['Feed']);
    await membership.awaitReady({ minNodes: 2 });
    const three = membership.awaitReady({ minNodes: 3 });
    const late = expect(membership.awaitReady({ minNodes: 4, timeout: 5000 })).rejects.toMatchObject({
      constructor: NotReadyError,
      message: expect.stringMatching(/"n1" waited 5000 ms for 4 nodes and sees 3/),
    });
    nodes.records.set('n3', { ...other, name: 'n3', bootId: 'b3' });
    nodes.version += 1;
    nodes.answer = {};
    await pass(1500);
    await three;
    await pass(4000);
    await late;
  });

  it('says how late it is once between two regular beats, however often it beats', async () => {
    await protocol.join(['Feed']);
    nodes.beats.length = 0;
    for (const [load, late] of [250, 450, 300].entries()) {
      membership.record.setLoad(load + 1);
      skew += late;
      await pass(60);
    }
    const said = nodes.beats.map(({ update }) => [update?.changed, update?.record.lag]);
    expect(said).toEqual([
      [true, expect.closeTo(250, -2)],
      [false, expect.closeTo(250, -2)],
      [true, expect.closeTo(450, -2)],
    ]);
  });

  it('does not count a node that drains', async () => {
    nodes.records.set('n2', { ...other, state: 'draining' });
    await protocol.join(['Feed']);
    const two = expect(membership.awaitReady({ minNodes: 2, timeout: 100 })).rejects.toThrow('nodes and sees 1.');
    await pass(100);
    await two;
  });

  it.each([
    [{ minNodes: 0 }],
    [{ minNodes: 1.5 }],
    [{ minNodes: '3' as never }],
    [{ timeout: -1 }],
    [{ timeout: NaN }],
  ])('refuses to wait for %j', async (options) => {
    await expect(membership.awaitReady(options)).rejects.toThrow(ArgumentError);
  });

  it('waits for a namesake that does not beat, and joins once its time is over', async () => {
    let time = 0;
    nodes.joining = () =>
      Promise.resolve(++time < 4 ? { joined: false, otherBootId: 'dead', beatAt: 7 } : { joined: true, now: 100 });
    const joined = protocol.join([]);
    await pass(1000);
    await joined;
    expect(membership.state).toBe('up');
  });

  it.each([
    ['whose beat was moved once', 'dead', (time: number) => (time < 3 ? 7 : 9)],
    ['that older data names again', '', () => 7],
  ])('waits for a namesake %s', async (_what, boot, beatAt) => {
    let time = 0;
    nodes.joining = () => {
      const otherBootId = boot || (++time < 3 ? 'dead' : 'older');
      if (boot !== '') time += 1;
      return Promise.resolve(
        time < 5 ? { joined: false, otherBootId, beatAt: beatAt(time) } : { joined: true, now: 100 },
      );
    };
    const joined = protocol.join([]);
    await pass(1500);
    await joined;
    expect(membership.state).toBe('up');
  });

  it.each([
    ['beats', 'alive', 1],
    ['was replaced by another one', '', 0],
  ])('refuses a name whose owner %s', async (_what, boot, step) => {
    let time = 0;
    nodes.joining = () => {
      time += 1;
      return Promise.resolve({ joined: false, otherBootId: boot || `boot-${time}`, beatAt: 7 + time * step });
    };
    const joined = expect(protocol.join([])).rejects.toBeInstanceOf(DuplicateNodeError);
    await pass(1000);
    await joined;
    expect(membership.state).toBe('joining');
  });

  it('observes: follows the members without being one, and cannot be cut off', async () => {
    await protocol.observe();
    expect(membership.state).toBe('observing');
    expect(membership.members().map(({ name }) => name)).toEqual(['n2']);
    nodes.records.delete('n2');
    nodes.version += 1;
    await pass(1100);
    expect(membership.members()).toEqual([]);
    nodes.failing = true;
    await pass(10_000);
    expect(membership.state).toBe('observing');
    await protocol.leave();
    expect(nodes.left).toEqual([]);
  });

  it('beats about once a second and tells what it heard', async () => {
    await protocol.join([]);
    const beat = jest.fn();
    membership.listen({ beat });
    nodes.beats = [];
    await pass(10_000);
    expect(nodes.beats.length).toBeGreaterThanOrEqual(9);
    expect(nodes.beats.length).toBeLessThanOrEqual(11);
    expect(beat).toHaveBeenCalledTimes(nodes.beats.length);
  });

  it('goes on beating while the view, which comes over another connection, is not answered', async () => {
    await protocol.join([]);
    let asked = 0;
    const { view } = nodes;
    nodes.view = () => {
      asked += 1;
      return new Promise<NodeView>(() => undefined);
    };
    nodes.version += 1;
    const before = nodes.beats.length;
    await jest.advanceTimersByTimeAsync(5 * 1100);
    expect(asked).toBe(1);
    expect(nodes.beats.length).toBeGreaterThanOrEqual(before + 4);
    nodes.view = view;
  });

  it('fetches a view again that it did not get', async () => {
    await protocol.join([]);
    const { view } = nodes;
    nodes.view = () => Promise.reject(new Error('Command timed out'));
    nodes.version += 1;
    await jest.advanceTimersByTimeAsync(1200);
    nodes.view = view;
    await jest.advanceTimersByTimeAsync(1200);
    expect(membership.version).toBe(nodes.version);
  });

  it('is isolated once Redis was silent for as long as a lease lasts, and back with the first answer', async () => {
    await protocol.join([]);
    await pass(1200);
    const changed = jest.fn();
    membership.listen({ changed });
    nodes.failing = true;
    await pass(700);
    expect(membership.state).toBe('up');
    await pass(2000);
    expect(membership.state).toBe('isolated');
    expect(payloads('cluster.isolated')).toHaveLength(1);
    expect(membership.members()).toHaveLength(2);
    nodes.failing = false;
    await pass(500);
    expect(membership.state).toBe('up');
    expect(payloads('cluster.rejoined')).toHaveLength(1);
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('joins again when Redis no longer knows it', async () => {
    await protocol.join([]);
    nodes.answer = { status: 'gone' };
    const joining = jest.spyOn(nodes, 'join');
    await pass(1200);
    expect(joining).toHaveBeenCalled();
    nodes.answer = {};
    await pass(1200);
    expect(membership.state).toBe('up');
  });

  it('tells that its name was taken, once, and is isolated until it is free again', async () => {
    await protocol.join([]);
    const replaced = jest.fn();
    membership.listen({ replaced });
    nodes.answer = { status: 'replaced', otherBootId: 'thief' };
    nodes.joining = () => Promise.resolve({ joined: false, otherBootId: 'thief', beatAt: 1 });
    await pass(4000);
    expect(replaced).toHaveBeenCalled();
    expect(membership.state).toBe('isolated');
    expect(payloads('cluster.name_taken')).toEqual([
      { node: 'n1', bootId: membership.self.bootId, otherBootId: 'thief' },
    ]);
    nodes.joining = () => Promise.resolve({ joined: true, now: 200 });
    nodes.answer = {};
    await pass(1500);
    expect(membership.state).toBe('up');
  });

  it('tells of lost data when the life of Redis changes, and only then', async () => {
    await protocol.join([]);
    const dataLoss = jest.fn();
    membership.listen({ dataLoss });
    await pass(2500);
    expect(dataLoss).not.toHaveBeenCalled();
    nodes.answer = { incarnation: 'life-2 9' };
    await pass(3500);
    expect(dataLoss).toHaveBeenCalledTimes(1);
    expect(payloads('cluster.data_loss')).toEqual([{ node: 'n1', incarnation: 'life-2 9' }]);
  });

  it('does not take the others for gone because Redis lost them, and lets go of those that do not come back', async () => {
    await protocol.join([]);
    nodes.records.clear();
    nodes.version += 1;
    hint({ t: 'view' });
    await pass(0);
    expect(membership.members().map(({ name }) => name)).toContain('n2');
    expect(payloads('cluster.node_left')).toEqual([]);
    nodes.answer = { status: 'gone', incarnation: 'life-2 9' };
    await pass(1200);
    nodes.answer = { incarnation: 'life-2 9' };
    expect(membership.members().map(({ name }) => name)).toContain('n2');
    await pass(config.membership.ttl + 1500);
    expect(membership.members().map(({ name }) => name)).not.toContain('n2');
    expect(payloads('cluster.node_left')).toEqual([
      { node: 'n2', bootId: 'b2', joinedAt: expect.any(Number), reason: 'timeout' },
    ]);
  });

  it('does not join others that lease on another number of servers', async () => {
    nodes.records.set('n2', { ...other, leaseServers: 3 });
    await expect(protocol.join([])).rejects.toThrow(/stop all nodes first/);
    expect(nodes.left).toHaveLength(1);
    expect(membership.state).toBe('joining');
  });

  it('shows late members as suspect and back', async () => {
    await protocol.join([]);
    nodes.answer = { late: ['n2', 'n1'] };
    await pass(1200);
    expect(membership.members().map(({ state }) => state)).toEqual(['up', 'suspect']);
    nodes.answer = {};
    await pass(1200);
    expect(membership.members()[1]!.state).toBe('up');
    expect(payloads('cluster.node_suspect')).toEqual([
      { node: 'n2', bootId: 'b2', suspect: true },
      { node: 'n2', bootId: 'b2', suspect: false },
    ]);
  });

  it('does not take a late member that was removed for one that was heard again', async () => {
    await protocol.join([]);
    nodes.answer = { late: ['n2'] };
    await pass(1200);
    // The heartbeat of another node removed it: this node's next one names it no longer, and comes before the view.
    nodes.records.delete('n2');
    nodes.version += 1;
    nodes.answer = {};
    await pass(2400);
    expect(membership.members().map(({ name }) => name)).toEqual(['n1']);
    expect(payloads('cluster.node_suspect')).toEqual([{ node: 'n2', bootId: 'b2', suspect: true }]);
    expect(payloads('cluster.node_left')).toHaveLength(1);
  });

  it('sees a late member that is heard again while another one leaves', async () => {
    nodes.records.set('n3', { ...other, name: 'n3', bootId: 'b3' });
    await protocol.join([]);
    nodes.answer = { late: ['n2', 'n3'] };
    await pass(1200);
    nodes.records.delete('n3');
    nodes.version += 1;
    nodes.answer = {};
    await pass(1200);
    expect(membership.members().map(({ name, state }) => `${name} ${state}`)).toEqual(['n1 up', 'n2 up']);
    expect(payloads('cluster.node_suspect').filter(({ suspect }) => !suspect)).toEqual([
      { node: 'n2', bootId: 'b2', suspect: false },
    ]);
  });

  it('reads the view once for many hints, however fast they come, and the last change is in it', async () => {
    await protocol.join(['Feed']);
    let read = 0;
    const view = nodes.view;
    nodes.view = () => {
      read += 1;
      return view();
    };
    for (let change = 0; change < 50; change++) {
      nodes.records.set(`m${change}`, { ...other, name: `m${change}`, bootId: `boot-${change}` });
      nodes.version += 1;
      hint({ t: 'view' });
      await pass(0);
    }
    await pass(200);
    expect(read).toBeLessThanOrEqual(2);
    expect(membership.members()).toHaveLength(52);
  });

  it('reads the view after a hint, and reports who left', async () => {
    await protocol.join([]);
    nodes.records.delete('n2');
    nodes.version += 1;
    hint({ t: 'view' });
    await pass(10);
    expect(membership.members().map(({ name }) => name)).toEqual(['n1']);
    expect(payloads('cluster.node_left')).toEqual([
      { node: 'n2', bootId: 'b2', joinedAt: expect.any(Number), reason: 'timeout' },
    ]);
  });

  it('notes the load of others from hints, and of itself from itself', async () => {
    await protocol.join([]);
    hint({ t: 'load', node: 'n2', load: 9 });
    hint({ t: 'load', node: 'n1', load: 9 });
    hint({ t: 'load', node: 'unknown', load: 9 });
    membership.record.setLoad(2);
    expect(membership.members().map(({ load }) => load)).toEqual([2, 9]);
    nodes.beats = [];
    await pass(100);
    expect(nodes.beats).toEqual([{ update: { record: expect.objectContaining({ load: 2 }), changed: false } }]);
  });

  it('does not beat for a load that is what it was again', async () => {
    await protocol.join([]);
    await pass(10);
    nodes.beats = [];
    for (let job = 0; job < 5; job++) {
      membership.record.setLoad(1);
      await pass(20);
      membership.record.setLoad(0);
      await pass(60);
    }
    expect(nodes.beats).toEqual([]);
    membership.record.setLoad(1);
    await pass(60);
    expect(nodes.beats.map(({ update }) => update?.record.load)).toEqual([1]);
    // It beats as often as ever.
    membership.record.setLoad(2);
    membership.record.setLoad(1);
    await pass(1200);
    expect(nodes.beats.length).toBeGreaterThanOrEqual(2);
  });

  it('tells a load again of which it is not certain that it was heard', async () => {
    await protocol.join([]);
    await pass(10);
    membership.record.setLoad(1);
    nodes.failing = true;
    await pass(100);
    nodes.failing = false;
    membership.record.setLoad(0);
    nodes.beats = [];
    await pass(400);
    expect(nodes.beats[0]?.update?.record.load).toBe(0);
  });

  it('sends an update again that may not have arrived', async () => {
    await protocol.join([]);
    membership.record.setLoad(2);
    nodes.failing = true;
    await pass(100);
    nodes.failing = false;
    nodes.beats = [];
    await pass(400);
    expect(nodes.beats[0]?.update?.record.load).toBe(2);
  });

  it('knows the Redis clock as of the last beat, and before the join goes by the clock of the machine', async () => {
    expect(Math.abs(membership.clusterNow() - membership.clock.wall())).toBeLessThan(5);
    const times: number[] = [];
    const changed = (): unknown => membership.state === 'up' && times.push(membership.clusterNow());
    membership.listen({ changed });
    await protocol.join([]);
    // What the join said, and not yet what the first heartbeat says.
    expect(times[0]).toBeLessThan(1000);
    const before = membership.clusterNow();
    expect(before).toBeGreaterThanOrEqual(5000);
    await pass(100);
    expect(membership.clusterNow() - before).toBeCloseTo(100, 0);
  });

  it('drains, then leaves, and does not beat any more', async () => {
    await protocol.join([]);
    nodes.beats = [];
    await protocol.drain();
    expect(membership.state).toBe('draining');
    expect(nodes.beats.at(-1)?.update).toMatchObject({ record: { state: 'draining' }, changed: true });
    await protocol.leave();
    expect(membership.state).toBe('left');
    expect(nodes.left).toEqual(['n1']);
    nodes.beats = [];
    await pass(10_000);
    expect(nodes.beats).toEqual([]);
  });

  it('stays draining while Redis is silent, and does not join again', async () => {
    await protocol.join([]);
    await protocol.drain();
    nodes.answer = { status: 'gone' };
    const joining = jest.spyOn(nodes, 'join');
    await pass(5000);
    expect(membership.state).toBe('draining');
    expect(joining).not.toHaveBeenCalled();
  });

  it('leaves without a word when it had not joined', async () => {
    await protocol.drain();
    await protocol.leave();
    expect(nodes.left).toEqual([]);
  });

  it('takes its record back when the join came through while it was leaving', async () => {
    let answer!: (answer: JoinAnswer) => void;
    nodes.joining = () => new Promise((resolve) => (answer = resolve));
    const joined = protocol.join([]).catch(() => undefined);
    await pass(0);
    const left = protocol.leave();
    answer({ joined: true, now: 100 });
    await joined;
    await left;
    await pass(1000);
    expect([...nodes.records.keys()]).toEqual(['n2']);
  });

  it('stops waiting for a namesake once it leaves', async () => {
    nodes.joining = () => Promise.resolve({ joined: false, otherBootId: 'dead', beatAt: 7 });
    let ended = false;
    void protocol.join([]).then(
      () => (ended = true),
      () => (ended = true),
    );
    await pass(100);
    await protocol.leave();
    // The pause between two attempts is one of Node.js, which goes by in real time.
    await eventually(() => ended, { what: 'The end of the join' });
  });
});
