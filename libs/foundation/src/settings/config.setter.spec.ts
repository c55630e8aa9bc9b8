import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { LocalTable } from '../backend/tables/local.table.js';
import { TableReplica } from '../backend/tables/table.replica.js';
import type { Gathered } from '../calls/gathering.js';
import type { AskLimits } from '../channels/gatherer.js';
import { LimitError } from '../errors/limit.errors.js';
import { ConfigConflictError, ConfigOutcomeError, ConfigQuorumError } from '../errors/settings.errors.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import { MAX_WAITING_CHANGES } from './change.turns.js';
import { type ConfigRow, nextContent, readRow, writeRow } from './config.row.js';
import { ConfigSetter } from './config.setter.js';
import { SharedDocument } from './shared.document.js';

const schema = z.object({ a: z.number(), b: z.number() });
const yes = { ok: true };

let table: LocalTable;
let replica: TableReplica<ConfigRow>;
let document: SharedDocument;
let ask: jest.Mock<(channel: string, message: unknown, limits: AskLimits) => Promise<Gathered>>;
let setter: ConfigSetter;

/** All nodes answer so, one after the other, as long as somebody waits. */
const answering = (verdicts: unknown[]) => {
  ask.mockImplementation((_channel, _message, { asked, isEnough }) => {
    asked!(verdicts.length);
    const answers: Gathered['answers'] = [];
    const missing: Gathered['missing'] = [];
    let isOver = false;
    verdicts.forEach((value, index) => {
      const node = `n${index}`;
      if (isOver || value === undefined) missing.push({ node, reason: isOver ? 'not-awaited' : 'timeout' });
      else {
        answers.push({ node, value });
        isOver = isEnough!(answers);
      }
    });
    return Promise.resolve({ answers, missing, complete: missing.length === 0 });
  });
};

beforeEach(async () => {
  Logger.overrideLogger(false);
  table = new LocalTable(
    () => undefined,
    () => 1000,
  );
  document = await SharedDocument.open({ name: 'app', schema, defaults: { a: 1, b: 2 } }, new Telemetry());
  replica = new TableReplica<ConfigRow>(table, {
    what: 'configuration table',
    read: readRow,
    write: writeRow,
    changed: (_key, row) => row && document.follow(row),
  });
  ask = jest.fn();
  answering([yes, yes, yes]);
  setter = new ConfigSetter({
    backend: { endpoint: 'redis', settings: table },
    membership: {
      requireConnected: () => undefined,
      awaitReady: () => Promise.resolve(),
      state: 'up',
      self: { name: 'n0', bootId: 'b' },
    },
    channels: { gatherer: { ask } as never },
    ...{ document, replica, channel: '#config:app', timeout: 1000, commands: { issued: () => undefined } },
  });
});

/** Another node writes past this one's replica. */
async function overtake(path: string, value: unknown): Promise<void> {
  const other = new TableReplica<ConfigRow>(table, { what: 'other', read: readRow });
  await other.sync();
  await other.change('app', (row) => writeRow(nextContent(row, { path, value, id: `of ${path}`, node: 'other' })));
}

describe('Setting a cluster-wide value', () => {
  it('waits after a loss of data until other nodes have restored what they know', async () => {
    const other = new TableReplica<ConfigRow>(table, { what: 'other', read: readRow, write: writeRow });
    await setter.set('a', 5);
    await other.sync();
    // This node has not heard of it when the data are lost.
    await other.change('app', (row) => writeRow(nextContent(row, { path: 'b', value: 7, id: 'of b', node: 'other' })));
    table.lose();
    const setting = setter.set('a', 6, { timeout: '10s' });
    await eventually(() => replica.sinceLoss() < Infinity);
    await other.lost();
    await setting;
    expect(document.get()).toEqual({ a: 6, b: 7 });
  });

  it('rejects at once where its time is over before they can have', async () => {
    await setter.set('a', 5);
    table.lose();
    await replica.lost();
    await expect(setter.set('a', 6)).rejects.toThrow(
      'Redis at redis answers and does not do this now (setting "a": it has lost its data)',
    );
    expect(document.get(['a'])).toBe(5);
  });

  it('keeps to its time, whatever schema, other nodes and earlier changes do', async () => {
    ask.mockImplementation(() => new Promise(() => undefined));
    const hangs = setter.set('a', 5, { timeout: 200 });
    hangs.catch(() => undefined);
    const waits = setter.set('a', 6, { timeout: 20 });
    await expect(waits).rejects.toThrow(
      'was accepted by 0 of the 1 nodes that its quorum asks for (n0: an earlier change took all of the time)',
    );
    const slow = { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => judge(value) } } as const;
    let judge: (value: unknown) => Promise<{ value: unknown }> = (value) => Promise.resolve({ value });
    const slowDocument = await SharedDocument.open({ name: 'app', schema: slow, defaults: { a: 1 } }, new Telemetry());
    judge = () => new Promise(() => undefined);
    const late = await slowDocument.check([{ path: 'a', value: 2 }], 20);
    expect(late.errors).toEqual([expect.stringContaining('the schema took more than 20 ms')]);
  });

  it('is written once a majority has accepted it, and waits for no more', async () => {
    answering([yes, undefined, yes, yes, yes]);
    const commit = await setter.set('a', 5);
    expect(commit.accepted).toEqual(['n0', 'n2', 'n3']);
    expect(commit.missing.map(({ reason }) => reason)).toEqual(['timeout', 'not-awaited']);
    expect(document.get(['a'])).toBe(5);
  });

  it.each([
    ['majority', 2, [yes, { ok: false, errors: ['no'] }, undefined]],
    ['all', 3, [yes, yes, undefined]],
    [3, 3, [yes, yes, { ok: false }]],
    [4, 4, [yes, yes, yes]],
    ['majority', 3, [yes, yes, undefined, undefined]],
    ['majority', 2, [yes, 'yes', null]],
    ['majority', 2, [{ ok: 'true' }, { ok: 1 }, yes]],
  ] as const)('writes nothing where the quorum %s is not there', async (quorum, needed, verdicts) => {
    answering([...verdicts]);
    const setting = setter.set('a', 5, { quorum });
    await expect(setting).rejects.toBeInstanceOf(ConfigQuorumError);
    await expect(setting).rejects.toMatchObject({ needed });
    expect(document.get(['a'])).toBe(1);
    expect((await table.since(0)).rows).toEqual([]);
  });

  it('is given up where another node has changed the same value first', async () => {
    await setter.set('a', 4);
    ask.mockImplementationOnce(async (_channel, _message, { asked }) => {
      asked!(1);
      await overtake('a', 9);
      return { answers: [{ node: 'n0', value: yes }], missing: [], complete: true };
    });
    const setting = setter.set('a', 5);
    await expect(setting).rejects.toBeInstanceOf(ConfigConflictError);
    await expect(setting).rejects.toMatchObject({ node: 'other' });
    await document.settled();
    expect(document.get(['a'])).toBe(9);
  });

  it('is proposed again where another value was changed, with that in it', async () => {
    ask.mockImplementationOnce(async (_channel, _message, { asked }) => {
      asked!(1);
      await overtake('b', 9);
      return { answers: [{ node: 'n0', value: yes }], missing: [], complete: true };
    });
    await setter.set('a', 5);
    expect(document.get()).toEqual({ a: 5, b: 9 });
    expect(ask).toHaveBeenCalledTimes(2);
    expect(ask.mock.calls[1]![1]).toMatchObject({
      values: [
        { path: 'b', value: 9 },
        { path: 'a', value: 5 },
      ],
    });
  });

  it('is written once where Redis has taken it and did not answer', async () => {
    const put = table.put.bind(table);
    jest.spyOn(table, 'put').mockImplementationOnce(async (writes) => {
      await put(writes);
      throw new Error('Connection is closed.');
    });
    await setter.set('a', 5);
    expect(document.get(['a'])).toBe(5);
    const [row] = (await table.since(0)).rows;
    expect(readRow(row!)!.changes).toHaveLength(1);
  });

  it('is written where an operator has removed the row', async () => {
    await setter.set('a', 4);
    const put = table.put.bind(table);
    // As Redis answers: the version is known, and there is no row.
    jest.spyOn(table, 'put').mockImplementation((writes) => {
      const [write] = writes as [(typeof writes)[0]];
      const isRemoved = write.expected !== 0;
      return isRemoved
        ? Promise.resolve({ versions: [undefined], life: '1' })
        : put([{ ...write, expected: replica.versionOf('app') }]);
    });
    await setter.set('b', 5, { timeout: '10s' });
    expect(document.get()).toEqual({ a: 4, b: 5 });
  });

  it('was refused where Redis says so each time: nothing is unknown then', async () => {
    const refusal = Object.assign(new Error('WRONGTYPE Operation against a key holding the wrong kind of value'), {
      name: 'ReplyError',
    });
    jest.spyOn(table, 'put').mockRejectedValue(refusal);
    const setting = setter.set('a', 5, { timeout: 150 });
    await expect(setting).rejects.toMatchObject({ code: 'FOUNDATION_REDIS_REFUSED' });
    expect(document.get(['a'])).toBe(1);
  });

  it('says so where Redis never answers', async () => {
    jest.spyOn(table, 'put').mockImplementation(() => new Promise(() => undefined));
    await expect(setter.set('a', 5, { timeout: 100 })).rejects.toBeInstanceOf(ConfigOutcomeError);
    expect(document.get(['a'])).toBe(1);
  });

  it('goes on after a change that failed, and takes so many at a time', async () => {
    answering([]);
    await expect(setter.set('a', 5)).rejects.toBeInstanceOf(ConfigQuorumError);
    answering([yes]);
    const many = Array.from({ length: MAX_WAITING_CHANGES }, (_, index) => setter.set('a', index, { timeout: 60_000 }));
    await expect(setter.set('a', 7)).rejects.toBeInstanceOf(LimitError);
    await Promise.all(many);
    expect(document.get(['a'])).toBe(MAX_WAITING_CHANGES - 1);
  });
});
