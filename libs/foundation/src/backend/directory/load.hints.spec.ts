import { describe, expect, it } from '@jest/globals';
import { Secret } from '../../security/secret.js';
import { createSigner } from '../../security/signer.js';
import { type Hint, parseHint } from '../../wire/hint.js';
import { Loads } from './load.hints.js';

type Load = Extract<Hint, { t: 'load' }>;
const NOW = 1_760_000_000_000;
const loads = (cookie?: string) =>
  new Loads(createSigner('shop', cookie === undefined ? undefined : new Secret(cookie)), 'hints', () => NOW);
const read = (text: string): Load => parseHint(text) as Load;
const COOKIE = 'the cookie of this spec';

describe('Loads', () => {
  it('says a load that others with the cookie believe, once', () => {
    const [writer, reader] = [loads(COOKIE), loads(COOKIE)];
    const first = read(writer.write('a', 3));
    expect(first).toMatchObject({ t: 'load', node: 'a', load: 3 });
    expect([reader.isTrue(first), reader.isTrue(first)]).toEqual([true, false]);
    const [second, third] = [read(writer.write('a', 4)), read(writer.write('a', 5))];
    expect([reader.isTrue(third), reader.isTrue(second)]).toEqual([true, false]);
  });

  it('believes nothing that is not signed, was changed, or is of another time', () => {
    const hint = read(loads(COOKIE).write('a', 3));
    const others: Load[] = [
      { t: 'load', node: 'a', load: 40 },
      { ...hint, load: 40 },
      { ...hint, node: 'b' },
      { ...hint, at: hint.at! + 1 },
      read(loads('another cookie of it').write('a', 3)),
      read(loads().write('a', 3)),
    ];
    const reader = loads(COOKIE);
    expect(others.map((each) => reader.isTrue(each))).toEqual(others.map(() => false));
    const later = new Loads(createSigner('shop', new Secret(COOKIE)), 'hints', () => NOW + 301_000);
    expect(later.isTrue(hint)).toBe(false);
  });

  it('takes clocks that differ by five minutes for right', () => {
    const hint = read(loads(COOKIE).write('a', 3));
    const later = new Loads(createSigner('shop', new Secret(COOKIE)), 'hints', () => NOW + 300_000);
    expect(later.isTrue(hint)).toBe(true);
  });

  it('remembers ten thousand nodes, and forgets the one that was silent the longest', () => {
    const [writer, reader] = [loads(COOKIE), loads(COOKIE)];
    const [busy, silent] = [read(writer.write('busy', 1)), read(writer.write('silent', 1))];
    for (const hint of [busy, silent]) reader.isTrue(hint);
    const again = read(writer.write('busy', 2));
    reader.isTrue(again);
    for (let node = 3; node <= 10_000; node++) reader.isTrue(read(writer.write(`node ${node}`, 1)));
    expect(reader.isTrue(silent)).toBe(false);
    reader.isTrue(read(writer.write('one too many', 1)));
    expect([reader.isTrue(again), reader.isTrue(silent)]).toEqual([false, true]);
  });

  it('without a cookie signs nothing', () => {
    expect(JSON.parse(loads().write('a', 3))).toEqual({ t: 'load', node: 'a', load: 3 });
  });

  it('believes what it reads without a cookie, as everything is then', () => {
    expect(loads().isTrue(read('{"t":"load","node":"a","load":3}'))).toBe(true);
  });
});

it.each(['-5', '1e300', '1e999', '0.5', '"3"', 'null', '1000001', '[3]'])('takes a load of %s for nothing', (load) => {
  expect(parseHint(`{"t":"load","node":"a","load":${load}}`)).toBeUndefined();
});
