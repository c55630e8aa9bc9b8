import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '../../../security/secret.js';
import { announcementOf, MAX_PACKET } from '../announce/announcement.js';
import { keyFrom, open, seal } from './gossip.packets.js';

const SECRET = new Secret('the secret of this test');
const CONTENT = { node: 'node-of-this-test', redis: 'redis://10.0.0.5:6379/0' };
type Key = Awaited<ReturnType<typeof keyFrom>>;

describe('A gossip packet', () => {
  let key: Key;
  let other: Key;
  beforeAll(async () => {
    [key, other] = await Promise.all([keyFrom(SECRET, 'shop'), keyFrom(new Secret('another secret of it'), 'shop')]);
  });

  it('is opened with the key it was made with, whichever of the keys that is', () => {
    const packet = seal(CONTENT, 'shop', key);
    expect(open(packet, 'shop', [key])).toEqual({ value: CONTENT });
    expect(open(packet, 'shop', [other, key])).toEqual({ value: CONTENT });
    expect(open(packet, 'shop', [other])).toEqual({ why: 'undecipherable' });
    expect(open(packet, 'bank', [key])).toEqual({ why: 'foreign' });
  });

  it('shows nothing of what is in it, and is another one each time', () => {
    const [one, two] = [seal(CONTENT, 'shop', key), seal(CONTENT, 'shop', key)];
    expect(one.equals(two)).toBe(false);
    expect(one.toString('latin1')).not.toMatch(/node-of|redis|secret/);
  });

  it('belongs to one application: another one with the same secret has another key', async () => {
    const bank = await keyFrom(SECRET, 'bank');
    expect(Buffer.from(bank as Buffer).equals(key as Buffer)).toBe(false);
    expect(Buffer.from((await keyFrom(SECRET, 'shop')) as Buffer).equals(key as Buffer)).toBe(true);
  });

  it('is not opened when any one of its bits was changed', () => {
    const packet = seal(CONTENT, 'shop', key);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const changed = Buffer.from(packet);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(open(changed, 'shop', [key, other])).toHaveProperty('why');
    }
  });

  it('is not opened when it was cut, lengthened or mixed', () => {
    const packet = seal(CONTENT, 'shop', key);
    for (let length = 0; length < packet.length; length++) {
      expect(open(packet.subarray(0, length), 'shop', [key])).toHaveProperty('why');
    }
    expect(open(Buffer.concat([packet, Buffer.alloc(1)]), 'shop', [key])).toEqual({ why: 'undecipherable' });
    const mixed = Buffer.concat([packet.subarray(0, 20), seal({ x: 1 }, 'shop', key).subarray(20)]);
    expect(open(mixed, 'shop', [key])).toEqual({ why: 'undecipherable' });
  });

  it('is distinguished from garbage of every size, without an error', () => {
    for (let size = 0; size < 1500; size += 7) {
      expect(open(randomBytes(size), 'shop', [key])).toEqual({ why: 'malformed' });
    }
    const tooLarge = seal({ text: 'x'.repeat(MAX_PACKET) }, 'shop', key);
    expect(open(tooLarge, 'shop', [key])).toEqual({ why: 'malformed' });
    const noObject = seal('no object' as unknown as object, 'shop', key);
    expect(open(noObject, 'shop', [key])).toEqual({ value: 'no object' });
  });

  it('has room for the largest announcement', () => {
    const announcement = announcementOf({
      ...{ appName: 'a'.repeat(128), node: 'n'.repeat(128), bootId: 'b'.repeat(64), host: 'h'.repeat(64), labels: {} },
      ...{ address: `${'x'.repeat(122)}:65535`, redis: `rediss://${'r'.repeat(222)}:65535/15` },
    });
    expect(Object.keys(announcement)).toEqual(['app', 'node', 'boot', 'host', 'address', 'redis']);
    const packet = seal({ ...announcement, leaving: true, at: Number.MAX_SAFE_INTEGER }, 'a'.repeat(128), key);
    expect(packet.length).toBeLessThan(MAX_PACKET);
  });
});
