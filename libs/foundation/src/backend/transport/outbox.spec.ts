import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../testing/eventually.js';
import type { Lane } from '../../wire/lane.js';
import { Outbox } from './outbox.js';
import type { Transport } from './transport.js';

function setUp(publish?: (topic: string, text: string) => Promise<number | undefined>) {
  const sent: { topic: string; messages: unknown[] }[] = [];
  const transport: Transport = {
    publish: async (topic, text) => {
      sent.push({ topic, messages: JSON.parse(String(text)) as unknown[] });
      return publish?.(topic, String(text));
    },
    subscribe: () => Promise.reject(new Error('not used')),
    onInterrupted: () => () => undefined,
  };
  return { outbox: new Outbox(transport), sent, transport };
}

describe('Outbox', () => {
  it('sends what one turn adds as one text for each topic, in order', async () => {
    const { outbox, sent } = setUp();
    const all = [outbox.add('a', '1'), outbox.add('b', '2'), outbox.add('a', '3')];
    expect(sent).toEqual([]);
    await Promise.all(all);
    expect(sent).toEqual([
      { topic: 'a', messages: [1, 3] },
      { topic: 'b', messages: [2] },
    ]);
  });

  it('sends what a later turn adds as another text', async () => {
    const { outbox, sent } = setUp();
    await outbox.add('a', '1');
    await outbox.add('a', '2');
    expect(sent.map(({ messages }) => messages)).toEqual([[1], [2]]);
  });

  it('cuts a bundle that grows too large, and hands one over in each turn, in order', async () => {
    const { outbox, sent } = setUp();
    const large = JSON.stringify('x'.repeat(30 * 1024));
    const all = Array.from({ length: 7 }, () => outbox.add('a', large));
    const perTurn = [sent.length];
    for (let turns = 0; turns < 4; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(sent.length);
    }
    expect(perTurn).toEqual([1, 2, 3, 3, 3]);
    await Promise.all(all);
    expect(sent.map(({ messages }) => messages.length)).toEqual([3, 3, 1]);
  });

  it('cuts a bundle that has many messages, which a receiver works through in one go', async () => {
    const { outbox, sent } = setUp();
    await Promise.all(Array.from({ length: 2500 }, () => outbox.add('a', '1')));
    expect(sent.map(({ messages }) => messages.length)).toEqual([1000, 1000, 500]);
  });

  it('sends the first of high in the very call, and others of the same turn together', async () => {
    const { outbox, sent } = setUp();
    const large = JSON.stringify('x'.repeat(100 * 1024));
    const all = [outbox.add('data', large), outbox.add('data', large)];
    const urgent = ['1', '2', '3'].map((text) => outbox.add('control', text, 'high'));
    expect(sent.map(({ topic }) => topic)).toEqual(['data', 'control']);
    await Promise.all(urgent);
    expect(sent.filter(({ topic }) => topic === 'control').map(({ messages }) => messages)).toEqual([[1], [2, 3]]);
    await Promise.all(all);
    await outbox.add('control', '4', 'high');
    expect(sent.at(-1)).toEqual({ topic: 'control', messages: [4] });
  });

  it('sends the first of a turn in the very call where it is prompt, unless something is on its way', async () => {
    const confirm: (() => void)[] = [];
    const { sent, transport } = setUp(() => new Promise((resolve) => confirm.push(() => resolve(1))));
    const outbox = new Outbox(transport, { isPrompt: true, linger: 60_000 });
    for (const text of ['1', '2', '3']) void outbox.add('a', text);
    const messages = () => sent.map((each) => each.messages);
    expect(messages()).toEqual([[1]]);
    await new Promise((resolve) => setImmediate(resolve));
    void outbox.add('a', '4');
    expect(messages()).toEqual([[1]]);
    confirm.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
    expect(messages()).toEqual([[1], [2, 3, 4]]);
  });

  it('sends nothing by itself where several left together last: more will come', async () => {
    const { sent, transport } = setUp();
    const outbox = new Outbox(transport, { isPrompt: true, company: 0 });
    const messages = () => sent.map((each) => each.messages);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (const text of ['1', '2', '3']) void outbox.add('a', text);
    expect(messages()).toEqual([[1]]);
    await turn();
    for (const text of ['4', '5']) void outbox.add('a', text);
    expect(messages()).toEqual([[1], [2, 3]]);
    await turn();
    void outbox.add('a', '6');
    await turn();
    expect(messages()).toEqual([[1], [2, 3], [4, 5], [6]]);
    // A caller that sends one at a time is held up no more.
    void outbox.add('a', '7');
    expect(messages().at(-1)).toEqual([7]);
  });

  it('sends no more than one by itself in a turn, where the transport confirms at once', async () => {
    const { sent, transport } = setUp();
    const outbox = new Outbox(transport, { isPrompt: true, text: 4 });
    const all = [];
    for (const text of ['1', '22', '22', '3', '3']) {
      all.push(outbox.add('a', text));
      await Promise.resolve();
    }
    await Promise.all(all);
    expect(sent.map(({ messages }) => messages)).toEqual([[1], [22, 22], [3, 3]]);
  });

  it('sends one message that is larger than a bundle may be', async () => {
    const { outbox, sent } = setUp();
    await outbox.add('a', JSON.stringify('x'.repeat(1024 * 1024)));
    expect(sent).toHaveLength(1);
  });

  it('rejects every message of a bundle that failed, and no other', async () => {
    const error = new Error('Connection is closed.');
    let failing = true;
    const { outbox } = setUp(() => (failing ? Promise.reject(error) : Promise.resolve(undefined)));
    const results = await Promise.allSettled([outbox.add('a', '1'), outbox.add('a', '2')]);
    expect(results).toEqual(Array(2).fill({ status: 'rejected', reason: error }));
    failing = false;
    await expect(outbox.add('a', '3')).resolves.toBeUndefined();
  });

  it('resolves only once the transport has taken the text', async () => {
    let taken!: () => void;
    const { outbox } = setUp(() => new Promise((resolve) => (taken = () => resolve(undefined))));
    let done = false;
    const sent = outbox.add('a', '1').then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.resolve();
    expect(done).toBe(false);
    taken();
    await sent;
  });

  it('tells everyone in a bundle how many nodes it went to', async () => {
    const { outbox } = setUp((topic) => Promise.resolve(topic === 'a' ? 3 : 0));
    await expect(Promise.all([outbox.add('a', '1'), outbox.add('b', '2'), outbox.add('a', '3')])).resolves.toEqual([
      3, 0, 3,
    ]);
  });

  it('flushes at once, waits for it, and does not send twice', async () => {
    const { outbox, sent } = setUp();
    const all = [outbox.add('a', '1'), outbox.add('b', '2')];
    const flushed = outbox.flush();
    expect(sent).toHaveLength(2);
    await flushed;
    await Promise.all(all);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(2);
  });

  it('does not reject from flush, and has nothing to do without messages', async () => {
    const { outbox } = setUp(() => Promise.reject(new Error('gone')));
    const added = outbox.add('a', '1');
    added.catch(() => undefined);
    await expect(outbox.flush()).resolves.toBeUndefined();
    await expect(outbox.flush()).resolves.toBeUndefined();
    await expect(added).rejects.toThrow('gone');
  });

  it('begins each bundle with what its head writes', async () => {
    const { outbox, sent } = setUp();
    let heads = 0;
    const head = () => String(++heads * 100);
    const large = JSON.stringify('x'.repeat(300 * 1024));
    await Promise.all([outbox.add('a', '1', 'normal', head), outbox.add('a', large, 'normal', head)]);
    await outbox.add('a', '3', 'normal', head);
    expect(sent.map(({ messages }) => [messages[0], messages.length])).toEqual([
      [100, 3],
      [200, 2],
    ]);
  });

  it('sends high before normal before low, apart from one another', async () => {
    const { outbox, sent } = setUp();
    await Promise.all((['low', 'normal', 'high'] as const).map((lane) => outbox.add('a', `"${lane}"`, lane)));
    expect(sent.map(({ messages }) => messages)).toEqual([['high'], ['normal'], ['low']]);
  });

  describe('when each turn brings one message', () => {
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const setUpWith = (limits: { company: number; few?: number }) => {
      const { transport, sent } = setUp();
      return { outbox: new Outbox(transport, limits), sent, all: [] as Promise<unknown>[] };
    };

    it('sends the first with its turn, and the next ones together once a turn brings none', async () => {
      const { outbox, sent, all } = setUpWith({ company: 60_000 });
      for (let count = 1; count <= 6; count++) {
        all.push(outbox.add('a', String(count), count === 3 ? 'low' : 'normal'));
        await turn();
      }
      expect(sent.map(({ messages }) => messages)).toEqual([[1]]);
      await turn();
      expect(sent.map(({ messages }) => messages)).toEqual([[1], [2, 4, 5, 6], [3]]);
      await Promise.all(all);
    });

    it('does not hold up what is high', async () => {
      const { outbox, sent } = setUpWith({ company: 60_000 });
      await outbox.add('a', '1');
      const waits = outbox.add('a', '2');
      await outbox.add('a', '3', 'high');
      expect(sent.map(({ messages }) => messages)).toEqual([[1], [3]]);
      await waits;
    });

    it('holds up a caller that waits for each of its messages for one turn', async () => {
      const { outbox, sent } = setUpWith({ company: 60_000 });
      for (let count = 1; count <= 3; count++) {
        const added = outbox.add('a', String(count));
        await turn();
        await turn();
        expect(sent).toHaveLength(count);
        await added;
      }
    });

    it('does not wait with more than a few', async () => {
      const { outbox, sent } = setUpWith({ company: 60_000, few: 10 });
      await outbox.add('a', '1');
      for (const text of ['22222', '33333']) {
        void outbox.add('a', text);
        await turn();
      }
      expect(sent.map(({ messages }) => messages)).toEqual([[1], [22222, 33333]]);
    });

    it('sends with its turn what comes after a pause', async () => {
      const { outbox, sent } = setUpWith({ company: 1 });
      await outbox.add('a', '1');
      const leftBy = performance.now();
      await eventually(() => performance.now() - leftBy > 1);
      void outbox.add('a', '2');
      await turn();
      expect(sent).toHaveLength(2);
    });
  });

  describe('while the transport is slow', () => {
    const answers: (() => void)[] = [];
    const slow = (limits: { inFlight: number; waiting: number; linger?: number }) => {
      answers.length = 0;
      const sent: string[] = [];
      const texts: string[][] = [];
      const publish = (_topic: string, text: string) => {
        const words = (JSON.parse(text) as string[]).map((word) => word.trim());
        texts.push(words);
        sent.push(words[0]!);
        return new Promise<undefined>((resolve) => answers.push(() => resolve(undefined)));
      };
      const transport = {
        publish,
        subscribe: () => Promise.reject(new Error('not used')),
        onInterrupted: () => () => undefined,
      };
      const outbox = new Outbox(transport, { linger: 0, company: 0, ...limits });
      const add = async (word: string, lane: Lane) => {
        const added = outbox.add('a', `"${word}${' '.repeat(98 - word.length)}"`, lane);
        added.catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
        return { added };
      };
      return { sent, texts, add };
    };

    it('sends what several turns add together once it confirms, and high at once', async () => {
      const { sent, texts, add } = slow({ inFlight: 10_000, waiting: 10_000, linger: 60_000 });
      await add('first', 'normal');
      for (const word of ['second', 'third']) await add(word, 'normal');
      await add('urgent', 'high');
      expect(sent).toEqual(['first', 'urgent']);
      for (const answer of answers) answer();
      await new Promise((resolve) => setImmediate(resolve));
      expect(texts.map((words) => words.length)).toEqual([1, 1, 2]);
      await add('fourth', 'normal');
      await add('fifth', 'normal');
      expect(texts).toHaveLength(3);
      answers[2]!();
      await new Promise((resolve) => setImmediate(resolve));
      expect(texts[3]).toEqual(['fourth', 'fifth']);
    });

    it('sends nothing late that was added after all was confirmed', async () => {
      const { sent, add } = slow({ inFlight: 10_000, waiting: 10_000, linger: 60_000 });
      for (const [index, word] of ['first', 'second', 'third'].entries()) {
        const { added } = await add(word, 'normal');
        expect(sent[index]).toBe(word);
        answers[index]!();
        await added;
      }
    });

    it('does not wait longer than it may for a confirmation', async () => {
      const { sent, add } = slow({ inFlight: 10_000, waiting: 10_000, linger: 1 });
      await add('first', 'normal');
      await add('second', 'normal');
      await eventually(() => sent.length === 2, { lastSeen: () => sent });
    });

    it('keeps what waits by lane and in order; high does not wait', async () => {
      const { sent, add } = slow({ inFlight: 100, waiting: 1000 });
      for (const [index, lane] of (['normal', 'low', 'normal', 'high', 'low', 'normal'] as const).entries()) {
        await add(`${lane} ${index}`, lane);
      }
      expect(sent).toEqual(['normal 0', 'high 3']);
      for (let answered = 0; answered < 6; answered++) {
        answers[answered]!();
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(sent).toEqual(['normal 0', 'high 3', 'normal 2', 'normal 5', 'low 1', 'low 4']);
    });

    it('refuses what is high while too much of it is not confirmed, and takes it again later', async () => {
      const { sent, add } = slow({ inFlight: 100, waiting: 300 });
      const outcomes: Promise<unknown>[] = [];
      for (const word of ['h1', 'h2', 'h3', 'h4', 'h5']) outcomes.push((await add(word, 'high')).added);
      for (const refused of outcomes.slice(3)) {
        await expect(refused).rejects.toThrow('300 characters wait for the transport. The message was not sent.');
      }
      expect(sent).toEqual(['h1', 'h2', 'h3']);
      answers[0]!();
      await outcomes[0];
      await add('h6', 'high');
      expect(sent).toEqual(['h1', 'h2', 'h3', 'h6']);
    });

    it('sends one of high whatever its size, when nothing else is under way', async () => {
      const { sent, add } = slow({ inFlight: 10, waiting: 50 });
      await add('large', 'high');
      expect(sent).toEqual(['large']);
    });

    it('refuses the oldest of low first, then the newest of normal', async () => {
      const { add } = slow({ inFlight: 100, waiting: 300 });
      await add('in flight', 'normal');
      const waiting: Record<string, Promise<unknown>> = {};
      for (const [word, lane] of [
        ['l1', 'low'],
        ['l2', 'low'],
        ['n1', 'normal'],
        ['n2', 'normal'],
        ['n3', 'normal'],
        ['n4', 'normal'],
      ] as const) {
        waiting[word] = (await add(word, lane)).added;
      }
      const state = async (promise: Promise<unknown>) =>
        Promise.race([
          promise.then(
            () => 'sent',
            (error: Error) => error.name,
          ),
          new Promise((resolve) => setImmediate(resolve, 'waits')),
        ]);
      expect(await Promise.all(Object.values(waiting).map(state))).toEqual([
        'OverloadedError',
        'OverloadedError',
        ...['waits', 'waits', 'waits'],
        'OverloadedError',
      ]);
    });
  });
});
