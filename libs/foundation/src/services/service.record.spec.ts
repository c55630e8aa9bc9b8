import { describe, expect, it } from '@jest/globals';
import { MAX_RECORD_BYTES, readRecord, type ServiceRecord, writeRecord } from './service.record.js';

const record: ServiceRecord = {
  name: 'payments',
  instanceId: 'b.1',
  node: 'n1',
  bootId: 'b',
  capabilities: ['charge'],
  metadata: { level: { of: 'high' } },
  url: 'http://127.0.0.1:1',
  process: 'till',
  registeredAt: 5,
  status: 'unhealthy',
};
const read = (change: object) =>
  readRecord({ key: 'b.1', version: 1, value: JSON.stringify({ ...JSON.parse(writeRecord(record)), ...change }) });

describe('a service record', () => {
  it('is read as it was written, under the key of its row', () => {
    expect(readRecord({ key: 'b.1', version: 1, value: writeRecord(record) })).toEqual(record);
    expect(writeRecord(record)).not.toContain('b.1');
  });

  it('is frozen through and through, because everybody shares it', () => {
    const { metadata, capabilities } = read({})!;
    expect([metadata, metadata['level'], capabilities].every((each) => Object.isFrozen(each))).toBe(true);
  });

  it.each<[string, object]>([
    ['name', { name: 7 }],
    ['name', { name: '' }],
    ['node', { node: null }],
    ['bootId', { bootId: undefined }],
    ['capabilities', { capabilities: 'x' }],
    ['capabilities', { capabilities: [1] }],
    ['metadata', { metadata: [] }],
    ['metadata', { metadata: null }],
    ['url', { url: 7 }],
    ['process', { process: {} }],
    ['registeredAt', { registeredAt: 'now' }],
    ['status', { status: 'fine' }],
  ])('is not usable with a bad %s', (_field, change) => {
    expect(read(change)).toBeUndefined();
  });

  it.each(['', '{', 'null', '7', '[]', '"x"', '{"__proto__":{"name":"x"}}'])('is not usable when it is %j', (value) => {
    expect(readRecord({ key: 'k', version: 1, value })).toBeUndefined();
  });

  it('is not read when it is too long', () => {
    expect(read({ metadata: { text: 'x'.repeat(MAX_RECORD_BYTES) } })).toBeUndefined();
  });
});
