import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { writtenTogether } from './written.together.js';

/** Counts writes as a socket does: what is written while it is corked is one. */
class FakeSocket {
  readonly writes: string[][] = [];
  #corked: string[] | undefined;

  cork(): void {
    this.#corked ??= [];
  }

  uncork(): void {
    if (this.#corked !== undefined) this.writes.push(this.#corked);
    this.#corked = undefined;
  }

  write(text: string): void {
    if (this.#corked === undefined) this.writes.push([text]);
    else this.#corked.push(text);
  }
}

describe('Commands that are written together', () => {
  let client: { stream: FakeSocket | undefined; isCluster: boolean; sendCommand: (text: string) => string };
  const send = (text: string) => (client as unknown as Redis).sendCommand(text as never);
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    client = {
      stream: new FakeSocket(),
      isCluster: false,
      sendCommand(text) {
        client.stream?.write(text);
        return text;
      },
    };
    writtenTogether(client as unknown as Redis);
  });

  it('leave in one write at the end of the turn, with those of promises that go on in it', async () => {
    send('a');
    const later = Promise.resolve().then(() => Promise.resolve().then(() => send('b')));
    send('c');
    expect(client.stream?.writes).toEqual([]);
    await later;
    await nextTurn();
    send('d');
    await nextTurn();
    expect(client.stream?.writes).toEqual([['a', 'c', 'b'], ['d']]);
  });

  it('leave on the connection that there is when they are sent, which may be another one in the same turn', async () => {
    const first = client.stream;
    send('a');
    const second = (client.stream = new FakeSocket());
    send('b');
    client.stream = undefined;
    expect(send('c')).toBe('c');
    await nextTurn();
    expect([first?.writes, second.writes]).toEqual([[['a']], [['b']]]);
    client.stream = first;
    send('d');
    await nextTurn();
    expect(first?.writes).toEqual([['a'], ['d']]);
  });
});
