import { describe, expect, it } from '@jest/globals';
import { isAbsent, peersAt, serverOf, srvIn } from './dns.answers.js';

const srv = (name: string, port = 6379, priority = 0) => ({ name, port, priority, weight: 0 });

describe('DNS answers', () => {
  it('are peers, one per place, in an order of their own', () => {
    const places = [{ host: '10.0.0.2' }, { host: '10.0.0.1' }, { host: '10.0.0.2' }, { host: '::1', port: 7 }];
    expect(peersAt(places)).toEqual(
      ['10.0.0.1', '10.0.0.2', '[::1]:7'].map((address) => ({ id: address, address, state: 'ready' })),
    );
    expect(peersAt([])).toEqual([]);
  });

  it('lose records without a target, a port or a proper name', () => {
    const bad = [
      srv('.'),
      srv(''),
      srv('a', 0),
      srv('a\nWARN forged'),
      srv('a b'),
      srv('x'.repeat(300)),
      srv('__proto__'),
    ];
    expect(srvIn([srv('a.b.'), ...bad])).toEqual([
      { host: 'a.b', port: 6379, priority: 0 },
      { host: '__proto__', port: 6379, priority: 0 },
    ]);
  });

  it('lead to the one Redis of the lowest priority, and to none where there are several', () => {
    const server = (...records: ReturnType<typeof srv>[]) => serverOf(srvIn(records));
    expect(server(srv('b', 1, 2), srv('a', 7, 1))).toEqual({ host: 'a', port: 7 });
    expect(server(srv('a'), srv('a'))).toEqual({ host: 'a', port: 6379 });
    expect(server(srv('a'), srv('b'))).toBeUndefined();
    expect(server()).toBeUndefined();
  });

  it('tell a name that is not there from a server that is not', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    expect(['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT'].map((code) => isAbsent(error(code)))).toEqual([
      ...[true, true, false, false],
    ]);
    expect(isAbsent('ENOTFOUND')).toBe(false);
  });
});
