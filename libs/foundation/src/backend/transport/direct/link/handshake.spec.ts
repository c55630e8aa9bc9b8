import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSame, keyFor } from '../../../../security/signer.js';
import { encodeJson, FRAME, type Frame, FrameReader, HEAD } from '../stream/frames.js';
import { accept, dial, type Handshake, MAX_HANDSHAKE_PAYLOAD, type Party } from './handshake.js';
import { Rejected } from './link.end.js';

const COOKIE = 'the cookie of this spec';
const party = (bootId: string, more: Partial<Party> = {}): Party => ({
  app: 'shop',
  bootId,
  key: keyFor(COOKIE, 'shop', 'link'),
  binding: '',
  ...more,
});
const frameOf = (bytes: Buffer): Frame => [...new FrameReader(MAX_HANDSHAKE_PAYLOAD).push(bytes)][0]!;
const jsonOf = (bytes: Buffer) => JSON.parse(bytes.subarray(HEAD).toString()) as Record<string, unknown>;
const anyone = (): boolean => true;
const NONCES = { dialer: 'ab'.repeat(32), acceptor: 'cd'.repeat(32) };

/** Lets both sides talk until there is nothing to say; returns whom each has proven, and what was said. */
function talk(
  dialer: Handshake,
  acceptor: Handshake,
  tamper: (bytes: Buffer, step: number) => Buffer = (bytes) => bytes,
) {
  const said: Buffer[] = [];
  const proven: { dialer?: string; acceptor?: string } = {};
  const packs: boolean[] = [];
  let bytes = dialer.opening;
  for (let turn = 0; bytes !== undefined; turn += 1) {
    said.push(bytes);
    const [name, side] = turn % 2 === 0 ? (['acceptor', acceptor] as const) : (['dialer', dialer] as const);
    const step = side.receive(frameOf(tamper(bytes, turn)));
    if (step.proven !== undefined) {
      proven[name] = step.proven;
      packs.push(step.packs === true);
    }
    bytes = step.send;
  }
  return { said, proven, packs };
}

describe('a handshake', () => {
  it('proves each side to the other, and sends no cookie', () => {
    const { said, proven } = talk(dial(party('a'), 'b'), accept(party('b'), anyone));
    expect(proven).toEqual({ dialer: 'b', acceptor: 'a' });
    expect(said).toHaveLength(4);
    for (const bytes of said) {
      expect(bytes.length - HEAD).toBeLessThanOrEqual(MAX_HANDSHAKE_PAYLOAD);
      expect(bytes.toString()).not.toContain(COOKIE);
      expect(bytes.toString('hex')).not.toContain(party('a').key.toString('hex'));
    }
  });

  it('tells each side that the other reads what is packed', () => {
    expect(talk(dial(party('a'), 'b'), accept(party('b'), anyone)).packs).toEqual([true, true]);
  });

  it('links with a node of the version before, which says nothing of what it reads, and gets texts', () => {
    const [self, other] = [party('a'), party('b')];
    const said = (role: string, dialer: string, acceptor: string): string =>
      createHmac('sha256', self.key)
        .update(JSON.stringify([role, 1, 'shop', dialer, acceptor, NONCES.dialer, NONCES.acceptor, '']))
        .digest('hex');
    // It dials.
    const acceptor = accept(other, anyone);
    const hello = { v: 1, app: 'shop', from: 'a', to: 'b', nonce: NONCES.dialer };
    NONCES.acceptor = jsonOf(acceptor.receive(frameOf(encodeJson(FRAME.hello, hello))).send!)['nonce'] as string;
    const proof = encodeJson(FRAME.proof, { mac: said('dialer', 'a', 'b') });
    const step = acceptor.receive(frameOf(proof));
    expect(step).toMatchObject({ proven: 'a', packs: false });
    expect(jsonOf(step.send!)['mac']).toBe(said('acceptor', 'a', 'b'));
    // It is dialled.
    const dialer = dial(self, 'b');
    NONCES.dialer = jsonOf(dialer.opening!)['nonce'] as string;
    const given = dialer.receive(frameOf(encodeJson(FRAME.challenge, { nonce: NONCES.acceptor }))).send!;
    expect(jsonOf(given)['mac']).toBe(said('dialer', 'a', 'b'));
    const proved = encodeJson(FRAME.proved, { mac: said('acceptor', 'a', 'b') });
    expect(dialer.receive(frameOf(proved))).toEqual({ proven: 'b', packs: false });
  });

  it('answers a probe that it would be accepted, and accepts no peer', () => {
    const nobody = (): boolean => false;
    const { said, proven } = talk(dial(party('z'), 'b', { knocks: true }), accept(party('b'), nobody));
    expect(proven).toEqual({ dialer: 'b' });
    expect(said).toHaveLength(4);
  });

  it('refuses who only knocks with another cookie', () => {
    const stranger = party('z', { key: keyFor('another cookie, also long', 'shop', 'link') });
    expect(() => talk(dial(stranger, 'b', { knocks: true }), accept(party('b'), anyone))).toThrow('wrong cookie');
  });

  it('never says the same twice', () => {
    const nonces = Array.from({ length: 50 }, () => jsonOf(dial(party('a'), 'b').opening!)['nonce']);
    expect(new Set(nonces).size).toBe(50);
  });

  const other = keyFor('another cookie of this spec', 'shop', 'link');
  it.each<[string, Handshake, Handshake, string]>([
    [
      'another cookie on the dialling side',
      dial(party('a', { key: other }), 'b'),
      accept(party('b'), anyone),
      'wrong cookie',
    ],
    [
      'another cookie on the accepting side',
      dial(party('a'), 'b'),
      accept(party('b', { key: other }), anyone),
      'wrong cookie',
    ],
    ['another application', dial(party('a', { app: 'x' }), 'b'), accept(party('b'), anyone), 'another application'],
    ['another node at the address', dial(party('a'), 'c'), accept(party('b'), anyone), 'meant for another node'],
    ['a node that is not expected', dial(party('a'), 'b'), accept(party('b'), () => false), 'not its turn to dial'],
    [
      'someone between two TLS connections',
      dial(party('a', { binding: 'aa' }), 'b'),
      accept(party('b', { binding: 'bb' }), anyone),
      'wrong cookie',
    ],
  ])('refuses %s', (_name, dialer, acceptor, reason) => {
    expect(() => talk(dialer, acceptor)).toThrow(reason);
  });

  it('refuses an acceptor that does not know the cookie: the dialling side asks for a proof too', () => {
    const dialer = dial(party('a'), 'b');
    dialer.receive(frameOf(encodeJson(FRAME.challenge, { nonce: 'ab'.repeat(32) })));
    expect(() => dialer.receive(frameOf(encodeJson(FRAME.proved, { mac: 'ab'.repeat(32) })))).toThrow('wrong cookie');
  });

  it('refuses a recorded handshake that is played again', () => {
    const { said } = talk(dial(party('a'), 'b'), accept(party('b'), anyone));
    const acceptor = accept(party('b'), anyone);
    acceptor.receive(frameOf(said[0]!));
    expect(() => acceptor.receive(frameOf(said[2]!))).toThrow('wrong cookie');
    const dialer = dial(party('a'), 'b');
    dialer.receive(frameOf(said[1]!));
    expect(() => dialer.receive(frameOf(said[3]!))).toThrow('wrong cookie');
  });

  it('refuses its own proof when it is sent back', () => {
    const dialer = dial(party('a'), 'b');
    const { send } = dialer.receive(frameOf(encodeJson(FRAME.challenge, { nonce: jsonOf(dialer.opening!)['nonce'] })));
    expect(() => dialer.receive(frameOf(encodeJson(FRAME.proved, jsonOf(send!))))).toThrow('wrong cookie');
  });

  it('refuses it when any byte on the way is another one', () => {
    const lengths = talk(dial(party('a'), 'b'), accept(party('b'), anyone)).said.map(({ length }) => length);
    lengths.forEach((length, step) => {
      for (let at = HEAD - 1; at < length; at += 3) {
        const flip = (bytes: Buffer, turn: number): Buffer => {
          if (turn !== step) return bytes;
          const copy = Buffer.from(bytes);
          copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
          return copy;
        };
        expect(() => talk(dial(party('a'), 'b'), accept(party('b'), anyone), flip)).toThrow(Rejected);
      }
    });
  });

  it.each([
    ['another type', encodeJson(FRAME.data, {})],
    ['no JSON', Buffer.from('0000000101ff', 'hex')],
    ['null', encodeJson(FRAME.hello, null as never)],
    ['an array', encodeJson(FRAME.hello, [])],
    ['another version', encodeJson(FRAME.hello, { v: 2, app: 'shop', from: 'a', to: 'b', nonce: 'ab'.repeat(32) })],
    ['no nonce', encodeJson(FRAME.hello, { v: 1, app: 'shop', from: 'a', to: 'b' })],
    ['a short nonce', encodeJson(FRAME.hello, { v: 1, app: 'shop', from: 'a', to: 'b', nonce: 'ab' })],
    [
      'a sender that is no text',
      encodeJson(FRAME.hello, { v: 1, app: 'shop', from: 5, to: 'b', nonce: 'ab'.repeat(32) }),
    ],
    ['a proof first', encodeJson(FRAME.proof, { mac: 'ab'.repeat(32) })],
  ])('refuses %s', (_name, bytes) => {
    expect(() => accept(party('b'), anyone).receive(frameOf(bytes))).toThrow(Rejected);
  });
});

describe('keyFor', () => {
  it('gives each cookie, application and purpose a key of its own', () => {
    const keys = [
      keyFor(COOKIE, 'shop', 'link'),
      keyFor(COOKIE, 'shop', 'letter'),
      keyFor(COOKIE, 'bank', 'link'),
      keyFor(`${COOKIE}.`, 'shop', 'link'),
    ].map((key) => key.toString('hex'));
    expect(new Set(keys).size).toBe(4);
  });
});

describe('isSame', () => {
  it.each([
    ['abc', 'abc', true],
    ['abd', 'abc', false],
    ['ab', 'abc', false],
    ['', 'abc', false],
    ['é€', 'abc', false],
    ['abé', 'abc', false],
    [undefined, 'abc', false],
    [{ length: 3 }, 'abc', false],
  ])('%j and %j: %j', (one, other, same) => expect(isSame(one, other)).toBe(same));
});
