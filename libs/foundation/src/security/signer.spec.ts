import { describe, expect, it } from '@jest/globals';
import { Secret } from './secret.js';
import { createSigner, isSame } from './signer.js';

const cookie = new Secret('the cookie of this spec');
const seal = createSigner('shop', cookie);

describe('Seal', () => {
  it('opens what another node with the same cookie signed, and shows what it says to everybody', () => {
    const text = '{"a":"ü\u2028"}';
    const sealed = seal.sign('topic', text);
    expect(sealed.endsWith(text)).toBe(true);
    expect(sealed).not.toContain(cookie.reveal());
    expect(createSigner('shop', new Secret(cookie.reveal())).open('topic', sealed)).toBe(text);
    expect(seal.open('topic', seal.sign('topic', ''))).toBe('');
  });

  it('opens nothing that was changed, moved, signed with another cookie, for another application, or not at all', () => {
    const sealed = seal.sign('topic', '{"amount":1}');
    const strangers = [
      sealed.replace('1}', '9}'),
      `${sealed} `,
      sealed.slice(1),
      sealed.slice(0, 20),
      `~${'A'.repeat(43)}{"amount":1}`,
      createSigner('shop', new Secret('another cookie entirely')).sign('topic', '{"amount":1}'),
      createSigner('mall', cookie).sign('topic', '{"amount":1}'),
      '{"amount":1}',
      '~',
      '',
    ];
    for (const each of strangers) expect(seal.open('topic', each)).toBeUndefined();
    expect(seal.open('other', sealed)).toBeUndefined();
    // Where the place ends and the text begins is part of what is signed.
    expect(seal.open('a', createSigner('shop', cookie).sign('a\nb', 'c'))).toBeUndefined();
  });

  it('signs bytes as it signs the text that they are', () => {
    const [head, rest] = ['boot 1 ', '{"a":"ü"}'];
    const sealed = seal.signBytes('topic', head, Buffer.from(rest));
    expect(sealed.toString()).toBe(seal.sign('topic', head + rest));
    expect(seal.openBytes('topic', sealed)?.toString()).toBe(head + rest);
    for (const [place, bytes] of [
      ['other', sealed],
      ['topic', sealed.subarray(1)],
      ['topic', Buffer.alloc(0)],
      ['topic', Buffer.concat([sealed, Buffer.of(0)])],
    ] as const) {
      expect(seal.openBytes(place, bytes)).toBeUndefined();
    }
    const open = createSigner('shop', undefined);
    expect(open.openBytes('topic', open.signBytes('topic', '', Buffer.of(1, 2)))).toEqual(Buffer.of(1, 2));
    expect(open.openBytes('topic', sealed)).toBeUndefined();
  });

  it('without a cookie leaves texts as they are, and refuses those that are signed', () => {
    const open = createSigner('shop', undefined);
    expect(open.sign('topic', '[1]')).toBe('[1]');
    expect(open.open('topic', '[1]')).toBe('[1]');
    expect(open.open('topic', seal.sign('topic', '[1]'))).toBeUndefined();
  });

  it('has a fingerprint for each cookie, which is not that of another application', () => {
    const prints = [
      seal,
      createSigner('shop', new Secret('another cookie entirely')),
      createSigner('mall', cookie),
      createSigner('shop', undefined),
    ].map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).toBe(4);
    expect(createSigner('shop', cookie).fingerprint).toBe(prints[0]);
  });

  it('shows a part of the fingerprint only, as much as tells cookies apart', () => {
    expect(seal.fingerprint).toMatch(/^[\w-]{16}$/);
  });
});

describe('Comparing signatures', () => {
  it('takes the same for the same, and nothing else', () => {
    expect(isSame('mac', 'mac')).toBe(true);
    for (const other of ['mac2', 'ma', '', 'Mac']) expect(isSame(other, 'mac')).toBe(false);
  });

  it.each([[undefined], [null], [123], [['m', 'a', 'c']], [{ length: 3 }]])('takes %j for none', (other) => {
    expect(isSame(other, 'mac')).toBe(false);
  });

  it('refuses a text of as many characters that has more bytes', () => {
    expect(isSame('mäc', 'mac')).toBe(false);
  });
});
