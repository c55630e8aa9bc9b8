import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { keyFor } from '../../../security/signer.js';
import { Rejected } from './link/link.end.js';
import { seal, unseal } from './relay.js';
import { encodeFrame, encodePartHead, FRAME } from './stream/frames.js';
import { decodeState, encodeState } from './stream/stream.state.js';

const COOKIE = 'the cookie of this spec';
const key = keyFor(COOKIE, 'shop', 'letter');
const state = { stream: 5, base: 2, otherStream: 7, received: 3 };
const bytes = Buffer.from('héllo');
const part = { seq: 2, lane: 'low', kind: 'text', first: true, last: true, bytes } as const;
const frames = [encodePartHead(part), bytes];
const written = seal(key, 'a', 'b', state, frames);

describe('a letter', () => {
  it('brings the sender, the state and the parts', () => {
    expect(unseal(key, 'b', written)).toEqual({ from: 'a', state, parts: [part] });
    expect(unseal(key, 'b', seal(key, 'a', 'b', state, []))).toEqual({ from: 'a', state, parts: [] });
  });

  it('holds no cookie and no key', () => {
    expect(written).not.toContain(COOKIE);
    expect(written).not.toContain(key.toString('hex'));
  });

  it('passes over frames that belong on a link, or to another version', () => {
    const others = [FRAME.hello, FRAME.state, FRAME.ack, 200].map((type) => encodeFrame(type, Buffer.from('x')));
    expect(unseal(key, 'b', seal(key, 'a', 'b', state, [...others, ...frames])).parts).toHaveLength(1);
  });

  it.each([
    ['another cookie', seal(keyFor('another cookie of this spec', 'shop', 'letter'), 'a', 'b', state, frames)],
    ['another application', seal(keyFor(COOKIE, 'bank', 'letter'), 'a', 'b', state, frames)],
    ['the key of the links', seal(keyFor(COOKIE, 'shop', 'link'), 'a', 'b', state, frames)],
    ['another receiver', seal(key, 'a', 'c', state, frames)],
    ['nothing', ''],
    ['no signature', written.slice(written.indexOf('\n') + 1)],
    ['nonsense', '\n\n\n'],
  ])('of %s is refused', (_name, text) => {
    expect(() => unseal(key, 'b', text)).toThrow(new Rejected('wrong-cookie'));
  });

  it('is refused when any character on the way is another one', () => {
    for (let at = 0; at < written.length; at += 1) {
      const changed = written.slice(0, at) + (written[at] === 'x' ? 'y' : 'x') + written.slice(at + 1);
      expect(() => unseal(key, 'b', changed)).toThrow(Rejected);
    }
  });

  it.each([
    ['a frame that is too large', [Buffer.from('ffffffff06', 'hex')]],
    ['a part that is too short', [encodeFrame(FRAME.data, Buffer.from('x'))]],
  ])('that is signed and holds %s is refused', (_name, broken) => {
    expect(() => unseal(key, 'b', seal(key, 'a', 'b', state, broken))).toThrow(new Rejected('malformed'));
  });

  const signed = (...lines: string[]): string => {
    const body = lines.join('\n');
    return `${createHmac('sha256', key).update(`b\n${body}`).digest('hex')}\n${body}`;
  };
  it.each([
    ['nothing but a sender', ['a']],
    ['no frames', ['a', encodeState(state)]],
    ['no state that can be read', ['a', '[0]', '']],
    ['a line too many', ['a', encodeState(state), '', '']],
    ['a sender that is too long', ['a'.repeat(201), encodeState(state), '']],
  ])('that is signed and has %s is refused', (_what, lines) => {
    expect(() => unseal(key, 'b', signed(...lines))).toThrow(new Rejected('malformed'));
  });

  it('may have a sender of 200 characters', () => {
    const from = 'a'.repeat(200);
    expect(unseal(key, 'b', signed(from, encodeState(state), ''))).toEqual({ from, state, parts: [] });
  });

  it('that is signed and has no sender or no state is refused', () => {
    expect(() => unseal(key, 'b', seal(key, '', 'b', state, frames))).toThrow('malformed');
    expect(() => unseal(key, 'b', seal(key, 'a\nx', 'b', state, frames))).toThrow('malformed');
  });
});

describe('a state', () => {
  it('comes out as it went in', () => expect(decodeState(encodeState(state))).toEqual(state));

  it.each([
    '',
    'x',
    '{}',
    'null',
    '[1,2,3]',
    '[1,2,3,4,5]',
    '[0,1,0,0]',
    '[1,0,0,0]',
    '[1,1,-1,0]',
    '[1,1,0,1.5]',
    '["1",1,0,0]',
  ])('rejects %j', (text) => expect(decodeState(text)).toBeUndefined());
});
