import { describe, expect, it } from '@jest/globals';
import type { StreamEntry } from '../../backend/streams/streams.js';
import { MessageTurns } from './message.turns.js';

const entries = (...ids: string[]): StreamEntry[] => ids.map((id) => ({ id, text: '', deliveries: 1 }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Turns whose messages end when the test says so. */
function setUp(concurrency: number) {
  const begun: string[] = [];
  const ends = new Map<string, (isHandled: boolean) => void>();
  const turns = new MessageTurns(concurrency, ({ id }) => {
    begun.push(id);
    return new Promise((resolve) => ends.set(id, resolve));
  });
  const end = async (id: string, isHandled = true): Promise<void> => {
    ends.get(id)!(isHandled);
    await turn();
  };
  const told = (promise: Promise<unknown>): { isOver: boolean } => {
    const state = { isOver: false };
    void promise.then(() => (state.isOver = true));
    return state;
  };
  return { turns, begun, end, told };
}

describe('Turns of messages', () => {
  it('begin in order, so many at a time, over all batches', async () => {
    const { turns, begun, end, told } = setUp(2);
    const first = told(turns.take(entries('1', '2', '3')));
    const second = told(turns.take(entries('4')));
    expect(begun).toEqual(['1', '2']);
    await end('2');
    expect(begun).toEqual(['1', '2', '3']);
    await end('3');
    expect(begun).toEqual(['1', '2', '3', '4']);
    await end('4');
    expect([first.isOver, second.isOver]).toEqual([false, true]);
    await end('1');
    expect(first.isOver).toBe(true);
  });

  it('have room when one more would begin at once', async () => {
    const { turns, end, told } = setUp(2);
    const free = told(turns.room());
    await turn();
    expect(free.isOver).toBe(true);
    void turns.take(entries('1', '2', '3'));
    const room = told(turns.room());
    await end('1');
    expect(room.isOver).toBe(false);
    await end('2');
    expect(room.isOver).toBe(true);
  });

  it('tell of each batch what was not handled', async () => {
    const { turns, end } = setUp(3);
    const [one, other] = [turns.take(entries('1', '2')), turns.take(entries('3'))];
    await end('2', false);
    await end('3');
    await end('1');
    expect([await one, await other]).toEqual([entries('2'), []]);
  });

  it('drop what has not begun, for which its batch waits no longer', async () => {
    const { turns, begun, end } = setUp(1);
    const batch = turns.take(entries('1', '2', '3'));
    expect(turns.drop()).toEqual(entries('2', '3'));
    await end('1');
    expect([await batch, begun]).toEqual([[], ['1']]);
  });

  it('go on after one that throws', async () => {
    const begun: string[] = [];
    const turns = new MessageTurns(1, ({ id }) => {
      begun.push(id);
      return id === '1' ? Promise.reject(new Error('broken')) : Promise.resolve(true);
    });
    expect(await turns.take(entries('1', '2'))).toEqual([]);
    expect(begun).toEqual(['1', '2']);
  });
});
