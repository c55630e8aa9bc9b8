import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Authority } from '../../../../../../../test/support/certificates.js';
import { keyFor } from '../../../../security/signer.js';
import { eventually } from '../../../../testing/eventually.js';
import { encodeFrame, encodeJson, FRAME, type Frame, MAX_PAYLOAD } from '../stream/frames.js';
import type { Credentials } from './certificates.js';
import { accept, dial, type Party } from './handshake.js';
import { Link } from './link.js';
import { type Connected, dialTo, Listener, type StrangerLimits } from './sockets.js';

const HOST = '127.0.0.1';
const party = (bootId: string, binding = '', cookie = 'the cookie of this spec'): Party => ({
  ...{ app: 'shop', bootId, binding },
  key: keyFor(cookie, 'shop', 'link'),
});

class Side {
  link: Link | undefined;
  proven: string | undefined;
  closed: string | undefined;
  refused = false;
  readonly frames: Frame[] = [];

  take({ socket, remote, binding }: Connected, bootId: string, to?: string): void {
    const handshake = to === undefined ? accept(party(bootId, binding), () => true) : dial(party(bootId, binding), to);
    this.link = new Link(socket, handshake, remote, {
      proven: (_link, other) => void (this.proven = other),
      frame: (_link, frame) => this.frames.push({ type: frame.type, payload: Buffer.from(frame.payload) }),
      turn: () => undefined,
      closed: (_link, { reason, error, rejected }) => {
        [this.closed, this.refused] = [error === undefined ? reason : `${reason}: ${error}`, rejected !== undefined];
      },
    });
  }
}

const open: (() => void)[] = [];
afterEach(() => open.splice(0).forEach((close) => close()));

async function listen(
  limits: Partial<StrangerLimits> = {},
  credentials?: Credentials,
  isKnown: (host: string) => boolean = () => false,
) {
  const sides: Side[] = [];
  const refusals: string[] = [];
  const listener: Listener = new Listener(
    credentials,
    (connection) => {
      const side = new Side();
      sides.push(side);
      side.take(connection, 'b');
    },
    (_remote, reason) => refusals.push(reason),
    { proofMs: 3000, maxUnproven: 64, maxOfAddress: 8, ...limits },
    isKnown,
  );
  open.push(() => listener.close());
  const { port } = await listener.open(HOST, 0);
  return { listener, port, sides, refusals };
}

function stranger(port: number): Socket {
  const socket = connect({ host: HOST, port });
  socket.on('error', () => undefined).resume();
  open.push(() => socket.destroy());
  return socket;
}

function dialled(port: number, credentials?: Credentials): Side & { failure?: string } {
  const side: Side & { failure?: string } = new Side();
  const giveUp = dialTo(
    { host: HOST, port },
    credentials,
    (connection) => side.take(connection, 'a', 'b'),
    (reason, error) => void (side.failure = `${reason}: ${error}`),
  );
  open.push(giveUp);
  return side;
}

/** Not `once`, which rejects when the connection is reset. */
const gone = (socket: Socket): Promise<unknown> => eventually(() => socket.closed, { what: 'The end of a connection' });

const fromStranger = async (bytes: Buffer, limits?: Partial<StrangerLimits>) => {
  const { port, sides, refusals } = await listen(limits);
  const socket = stranger(port);
  socket.write(bytes);
  await gone(socket);
  return { side: sides[0]!, refusals };
};

describe('a link', () => {
  it('proves both sides, then carries frames of any size both ways', async () => {
    const { port, sides } = await listen();
    const mine = dialled(port);
    const theirs = await eventually(() => (sides[0]?.proven && mine.proven ? sides[0] : undefined));
    expect([mine.proven, theirs.proven]).toEqual(['b', 'a']);
    const sent = [Buffer.alloc(0), Buffer.alloc(MAX_PAYLOAD, 1), Buffer.from('x')];
    mine.link!.send(sent.map((payload) => encodeFrame(FRAME.data, payload)));
    theirs.link!.send([encodeFrame(99, Buffer.from('y'))]);
    await eventually(() => theirs.frames.length === 3 && mine.frames.length === 1);
    expect(theirs.frames.map(({ payload }) => payload)).toEqual(sent);
    theirs.link!.close('leaving');
    await eventually(() => mine.closed);
    expect([mine.closed, theirs.closed]).toEqual(['closed', 'leaving']);
  });

  it('ends with a frame that is too large, and with one that is not finished when the other side goes', async () => {
    const { port, sides } = await listen();
    const [one, two] = [dialled(port), dialled(port)];
    await eventually(() => one.proven && two.proven && sides.every(({ proven }) => proven));
    one.link!.send([Buffer.from('00010001', 'hex'), Buffer.from([6])]);
    two.link!.send([encodeFrame(FRAME.data, Buffer.alloc(1000)).subarray(0, 500)]);
    two.link!.close('left');
    await eventually(() => sides.every(({ closed }) => closed));
    expect(sides.map(({ closed }) => closed).sort()).toEqual([
      'closed',
      'malformed: a frame of 65537 bytes, more than 65536',
    ]);
    expect(sides.flatMap(({ frames }) => frames)).toEqual([]);
  });

  it('is kept alive while nothing is said, and ends when the other side is silent', async () => {
    const { port, sides } = await listen();
    const mine = dialled(port);
    const theirs = await eventually(() => (sides[0]?.proven && mine.proven ? sides[0] : undefined));
    const now = performance.now();
    mine.link!.tick(now + 1000);
    await eventually(() => theirs.frames.some(({ type }) => type === FRAME.alive));
    mine.link!.excuse(now + 60_000);
    mine.link!.tick(now + 61_000);
    expect(mine.closed).toBeUndefined();
    mine.link!.tick(now + 90_000);
    expect(mine.closed).toBe('silent');
  });

  it('reports whom it cannot reach', async () => {
    const { listener, port } = await listen();
    listener.close();
    const side = dialled(port);
    await eventually(() => side.failure);
    expect(side.failure).toMatch(/^unreachable: .*ECONNREFUSED/);
  });
});

describe('a stranger', () => {
  const hello = encodeJson(FRAME.hello, { v: 1, app: 'shop', from: 'a', to: 'b', nonce: 'ab'.repeat(32) });

  it.each([
    ['speaks HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['sends a large frame', Buffer.from('0000040101', 'hex')],
    ['sends data first', encodeFrame(FRAME.data, Buffer.alloc(20))],
    ['sends zeros', Buffer.alloc(20_000)],
    ['says hello and sends a wrong proof', Buffer.concat([hello, encodeJson(FRAME.proof, { mac: 'ab'.repeat(32) })])],
    ['says hello twice', Buffer.concat([hello, hello])],
  ])('that %s is let go, and nothing of it is told', async (_name, bytes) => {
    const { side } = await fromStranger(bytes);
    expect(side).toMatchObject({ proven: undefined, frames: [], refused: true });
  });

  it('that drips its bytes, or says nothing at all, is let go when its time is over', async () => {
    const { port, sides, refusals } = await listen({ proofMs: 200 });
    const [dripping, mute] = [stranger(port), stranger(port)];
    let at = 0;
    const drip = setInterval(() => dripping.write(hello.subarray(at, (at += 1))), 10);
    await Promise.all([gone(dripping), gone(mute)]);
    clearInterval(drip);
    expect(refusals).toEqual(['no-proof', 'no-proof']);
    expect(sides.map(({ proven }) => proven)).toEqual([undefined, undefined]);
  });

  it('keeps no node out: of one address the oldest that has proven nothing makes room', async () => {
    const { port, sides, refusals } = await listen({ maxOfAddress: 2 });
    const strangers = [stranger(port), stranger(port)];
    await eventually(() => sides.length === 2);
    const mine = dialled(port);
    await eventually(() => mine.proven, { lastSeen: () => refusals });
    await gone(strangers[0]!);
    expect(strangers[1]!.closed).toBe(false);
    expect(refusals).toEqual(['too-many-of-address']);
  });

  it('has its share beside those of other addresses, and members come before strangers', async () => {
    const { port, sides, refusals } = await listen(
      { maxUnproven: 4, maxOfAddress: 2 },
      undefined,
      (host) => host === HOST,
    );
    const from = (localAddress: string): Socket => {
      const socket = connect({ host: HOST, port, localAddress });
      socket.on('error', () => undefined).resume();
      open.push(() => socket.destroy());
      return socket;
    };
    const member = from(HOST);
    await eventually(() => sides.length === 1);
    const strangers = ['127.0.0.2', '127.0.0.3', '127.0.0.4'].map(from);
    await eventually(() => sides.length === 4);
    // All places are taken: the oldest stranger goes, for a stranger as for a node, and the member stays.
    from('127.0.0.5');
    await gone(strangers[0]!);
    const mine = dialled(port);
    await eventually(() => mine.proven, { lastSeen: () => refusals });
    await gone(strangers[1]!);
    expect([member.closed, strangers[2]!.closed]).toEqual([false, false]);
    expect(refusals).toEqual(Array(2).fill('too-many-connections'));
  });

  it('takes no place for longer than it is there', async () => {
    const { listener, port, sides, refusals } = await listen({ maxUnproven: 2 }, undefined, (host) => host === '::2');
    const strangers = [stranger(port), stranger(port)];
    await eventually(() => sides.length === 2);
    strangers[0]!.destroy();
    await eventually(() => sides.filter(({ closed }) => closed).length === 1);
    // One who has proven itself takes no place.
    const mine = dialled(port);
    await eventually(() => mine.proven);
    listener.proven(
      `${HOST}:${(await eventually(() => sides.find(({ proven }) => proven))).link!.remote.split(':')[1]}`,
    );
    const last = dialled(port);
    await eventually(() => last.proven);
    expect(refusals).toEqual([]);
  });
});

describe('with TLS', () => {
  const credentials = (name: string): Credentials => {
    const authority = new Authority(name);
    const { cert, key } = authority.issue();
    return { cert: Buffer.from(cert), key: Buffer.from(key), ca: Buffer.from(authority.cert) };
  };
  const [ours, others] = [credentials('ours'), credentials('others')];

  it('links nodes of one authority', async () => {
    const { port, sides } = await listen({}, ours);
    const mine = dialled(port, ours);
    await eventually(() => mine.proven && sides[0]?.proven, { lastSeen: () => mine });
    mine.link!.send([encodeFrame(FRAME.data, Buffer.from('secret'))]);
    await eventually(() => sides[0]!.frames.length === 1);
  });

  it('rejects peers of another authority, and is rejected by them', async () => {
    const { port, sides, refusals } = await listen({}, ours);
    const mine = dialled(port, others);
    await eventually(() => mine.failure);
    const anonymous = connectTls({ host: HOST, port, rejectUnauthorized: false });
    anonymous.on('error', () => undefined).resume();
    await gone(anonymous);
    const plain = stranger(port);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await gone(plain);
    await eventually(() => refusals.length >= 2, { lastSeen: () => refusals });
    for (const reason of refusals) expect(reason).toBe('tls');
    expect(sides.flatMap(({ proven }) => proven ?? [])).toEqual([]);
    expect(mine.proven).toBeUndefined();
  });

  it('lets go of one who does not finish', async () => {
    const { port, refusals } = await listen({ proofMs: 200 }, ours);
    await gone(stranger(port));
    await eventually(() => refusals.length > 0);
  });

  it('takes nodes of another authority once it has new certificates, and goes on with those it has', async () => {
    const { listener, port, sides } = await listen({}, ours);
    const before = dialled(port, ours);
    await eventually(() => before.proven && sides[0]?.proven);
    listener.renew(others);
    const after = dialled(port, others);
    await eventually(() => after.proven, { lastSeen: () => after });
    const late = dialled(port, ours);
    await eventually(() => late.failure);
    before.link!.send([encodeFrame(FRAME.data, Buffer.from('x'))]);
    await eventually(() => sides[0]!.frames.length === 1);
    expect(before.closed).toBeUndefined();
  });
});
