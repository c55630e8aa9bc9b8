import { describe, expect, it } from '@jest/globals';
import { Callable } from '../calls/callable.decorator.js';
import { HandlerGoneError } from '../calls/handler.gone.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import { Inspections, MAX_STATE, MAX_STATE_VALUES, readInspection } from './inspection.js';

class Base {
  @Callable()
  pause(): void {
    // Its mark is what counts.
  }
}

class Feed extends Base {
  constructor(private readonly says: () => unknown) {
    super();
  }

  @Callable()
  add(): void {
    // Its mark is what counts.
  }

  hidden(): void {
    // Has no mark.
  }

  inspect(): unknown {
    return this.says();
  }
}

function inspecting(target: object | undefined, call = async <T>(work: () => T | Promise<T>): Promise<T> => work()) {
  const telemetry = new Telemetry();
  const failures: string[] = [];
  telemetry.attach('callback.failed', (_event, { callback }) => failures.push(callback));
  const inspections = new Inspections((name) => (name === 'feed' ? { target, call } : undefined), telemetry);
  return { inspections, failures };
}

const state = async (says: () => unknown) => (await inspecting(new Feed(says)).inspections.of('feed')).state;

describe('Inspections', () => {
  it('has what inspect() returns, as JSON, and the methods that can be called', async () => {
    const { inspections, failures } = inspecting(new Feed(() => Promise.resolve({ open: 3 })));
    expect(await inspections.of('feed')).toEqual({ methods: ['add', 'pause'], state: '{\n  "open": 3\n}' });
    expect(failures).toEqual([]);
    expect(await state(() => undefined)).toBe('undefined');
    expect(await state(() => 7)).toBe('7');
  });

  it('says what is not there', async () => {
    expect(await inspecting(new Base()).inspections.of('feed')).toMatchObject({
      problem: 'Its class has no inspect().',
    });
    const { inspections } = inspecting(undefined);
    for (const name of ['feed', 'other', '__proto__', ''])
      expect(await inspections.of(name)).toEqual({ methods: [], problem: 'It does not run on this node.' });
  });

  const ring: { ring?: unknown } = {};
  ring.ring = ring;
  const broken = {
    toJSON() {
      throw new Error('no JSON');
    },
  };
  it.each<[string, () => unknown]>([
    [
      'throws',
      () =>
        (() => {
          throw new Error('broken');
        })(),
    ],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what users do
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['returns a ring', () => ring],
    ['returns what throws when it is written', () => broken],
    ['returns a bigint', () => 1n],
    [
      'returns a revoked proxy',
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return { proxy };
      },
    ],
    ['returns too many values', () => Array<number>(MAX_STATE_VALUES + 1).fill(0)],
    ['returns too long a text', () => 'x'.repeat(MAX_STATE + 1)],
  ])('says why where it %s, and counts it', async (_what, says) => {
    const { inspections, failures } = inspecting(new Feed(says));
    const { state: none, problem, methods } = await inspections.of('feed');
    expect([none, methods]).toEqual([undefined, ['add', 'pause']]);
    expect(problem).toMatch(/^inspect\(\) failed: ./);
    expect(failures).toEqual(['inspect() of "feed"']);
  });

  it('does not throw for a getter that does, and waits no longer than two seconds', async () => {
    const getter = Object.defineProperty(new Base(), 'inspect', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(await inspecting(getter).inspections.of('feed')).toMatchObject({ problem: 'Its class has no inspect().' });
    const { inspections } = inspecting(new Feed(() => new Promise(() => undefined)));
    expect((await inspections.of('feed')).problem).toBe('inspect() did not answer in 2000 ms.');
  });

  it('calls it once for all that ask meanwhile, and again after that', async () => {
    let [called, answer] = [0, () => undefined as void];
    const { inspections } = inspecting(
      new Feed(() => new Promise<number>((resolve) => (answer = () => resolve(++called)))),
    );
    const all = [inspections.of('feed'), inspections.of('feed')];
    await eventually(() => (answer(), called === 1));
    expect((await Promise.all(all)).map(({ state: text }) => text)).toEqual(['1', '1']);
    const next = inspections.of('feed');
    await eventually(() => (answer(), called === 2));
    expect((await next).state).toBe('2');
  });

  it('says that the instance has ended, when it has', async () => {
    const gone = () => Promise.reject(new HandlerGoneError('process "feed"'));
    const { problem } = await inspecting(new Feed(() => 1), gone).inspections.of('feed');
    expect(problem).toMatch(/^inspect\(\) failed: /);
  });
});

describe('an inspection of another node', () => {
  it.each([
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { methods: 'x' },
    { methods: [], state: 7 },
    { methods: [], state: 'x'.repeat(MAX_STATE + 1) },
  ])('is refused where it is none (%#)', (value) => expect(readInspection(value)).toBeUndefined());

  it('is read as far as it is right', () =>
    expect(readInspection({ methods: ['a', 7, ''], state: '1', more: 1 })).toEqual({ methods: ['a'], state: '1' }));
});
