import { describe, expect, it } from '@jest/globals';
import { announcementOf, readAnnouncement } from './announcement.js';

const SELF = {
  ...{ appName: 'shop', node: 'n1', bootId: '0123456789abcdef', host: 'box', labels: {} },
  ...{ address: '10.0.0.1:7000', redis: 'redis://10.0.0.5:6379/0' },
};
const TOLD = {
  ...{ app: 'shop', node: 'n1', boot: '0123456789abcdef', host: 'box' },
  ...{ address: '10.0.0.1:7000', redis: 'redis://10.0.0.5:6379/0' },
};

describe('An announcement', () => {
  it('says what is known of a node, and arrives as it was', () => {
    expect(announcementOf(SELF)).toEqual(TOLD);
    expect(readAnnouncement(JSON.parse(JSON.stringify(TOLD)))).toEqual(TOLD);
    const { redis: _redis, address: _address, ...known } = SELF;
    expect(announcementOf(known)).toEqual({ app: 'shop', node: 'n1', boot: SELF.bootId, host: 'box' });
    expect(readAnnouncement({ ...TOLD, leaving: true })).toEqual({ ...TOLD, leaving: true });
    expect(announcementOf({ ...SELF, observes: true })).toEqual({ ...TOLD, asks: true });
  });

  it.each([
    ['redis', 'redis://user:hunter2@10.0.0.5:6379/0'],
    ['redis', 'redis://10.0.0.5:6379/0?password=hunter2'],
    ['redis', `redis://${'a'.repeat(250)}:6379/0`],
    ['host', 'a host\nWARN forged'],
    ['address', 'x:0'],
  ])('leaves out a %s that others would not take: %j', (key, value) => {
    expect(announcementOf({ ...SELF, [key]: value })).not.toHaveProperty(key);
  });

  it.each<[string, unknown]>([
    ['no object', 'text'],
    ['nothing', null],
    ['a list', []],
    ['no node', { ...TOLD, node: undefined }],
    ['a name with control characters', { ...TOLD, node: 'n1\u001b[31m\nERROR forged' }],
    ['a name that ends with a line break', { ...TOLD, node: 'n1\n' }],
    ['a name that is too long', { ...TOLD, node: 'n'.repeat(129) }],
    ['a name that is none', { ...TOLD, app: { toString: () => 'shop' } }],
    ['a Redis with a password', { ...TOLD, redis: 'redis://:hunter2@10.0.0.5:6379/0' }],
    ['a Redis that is a file', { ...TOLD, redis: 'unix:///tmp/redis.sock' }],
    ['an address without a port', { ...TOLD, address: '10.0.0.1' }],
    ['properties of its prototype', Object.create(TOLD)],
    ['properties of a prototype that was sent', JSON.parse(`{"__proto__":${JSON.stringify(TOLD)}}`)],
  ])('is not read from %s', (_what, value) => {
    expect(readAnnouncement(value)).toBeUndefined();
  });

  it('has no property that is not known', () => {
    expect(readAnnouncement({ ...TOLD, constructor: 'x', more: 1, leaving: 'yes' })).toEqual(TOLD);
  });
});
