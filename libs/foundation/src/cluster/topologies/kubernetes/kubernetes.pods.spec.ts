import { describe, expect, it } from '@jest/globals';
import { isGone, peerOf, versionOf } from './kubernetes.pods.js';

const pod = (status: object = {}, metadata: object = {}, spec: object = {}) => ({
  metadata: { uid: 'u1', name: 'shop-1', ...metadata },
  spec,
  status,
});
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

describe('peerOf', () => {
  it.each<[string, object, string]>([
    ['without a status', pod(), 'not-ready'],
    ['pending', pod({ phase: 'Pending' }), 'not-ready'],
    ['running and ready', pod({ phase: 'Running', ...ready }), 'ready'],
    ['running and not ready', pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }), 'not-ready'],
    ['of a lost machine', pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'Unknown' }] }), 'not-ready'],
    ['of phase Unknown', pod({ phase: 'Unknown' }), 'not-ready'],
    ['being deleted', pod({ phase: 'Running', ...ready }, { deletionTimestamp: new Date(0) }), 'leaving'],
    ['succeeded', pod({ phase: 'Succeeded' }), 'terminated'],
    ['failed while being deleted', pod({ phase: 'Failed' }, { deletionTimestamp: 'x' }), 'terminated'],
    [
      'whose container ended and will be started again',
      pod({ phase: 'Running', containerStatuses: [{}] }),
      'not-ready',
    ],
  ])('a pod %s', (_what, value, state) => expect(peerOf(value)?.state).toBe(state));

  it('has the name of its host, as the pod itself sees it, and an address', () => {
    expect(peerOf(pod({ podIP: '10.1.0.1' }))).toMatchObject({ id: 'u1', host: 'shop-1', address: '10.1.0.1' });
    expect(peerOf(pod({}, {}, { hostname: 'web' }))?.host).toBe('web');
    expect(peerOf(pod({}, { name: `${'x'.repeat(62)}-y` }))?.host).toBe('x'.repeat(62));
    expect(peerOf(pod({ podIP: '' }, {}, { hostNetwork: true, hostname: 'web' }))).toEqual({
      ...{ id: 'u1', state: 'not-ready', host: 'shop-1' },
    });
  });

  it.each([null, 5, 'x', [], {}, { metadata: null }, { metadata: { uid: 5 } }, { metadata: { uid: '' } }])(
    'makes nothing of %j',
    (value) => expect(peerOf(value)).toBeUndefined(),
  );
});

describe('versionOf and isGone', () => {
  it('read what they are for and nothing else', () => {
    expect(versionOf({ metadata: { resourceVersion: '7' } })).toBe('7');
    for (const bad of [
      null,
      {},
      { metadata: {} },
      { metadata: { resourceVersion: 7 } },
      { metadata: { resourceVersion: '' } },
    ]) {
      expect(versionOf(bad)).toBeUndefined();
    }
    expect([{ code: 410 }, Object.assign(new Error('Gone'), { statusCode: 410 })].map(isGone)).toEqual([true, true]);
    expect([null, undefined, {}, { code: 500 }, '410'].map(isGone)).toEqual([false, false, false, false, false]);
  });
});
