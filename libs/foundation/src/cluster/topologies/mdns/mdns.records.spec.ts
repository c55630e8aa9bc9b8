import { describe, expect, it } from '@jest/globals';
import { type Answer, decode, encode } from 'dns-packet';
import { type Announcement, announcementOf, MAX_PACKET } from '../announce/announcement.js';
import { announcementsIn, isAskedFor, recordsOf, TYPE } from './mdns.records.js';

const TOLD: Announcement = {
  ...{ app: 'shop', node: 'n.1', boot: '0123456789abcdef', host: 'box.lan' },
  ...{ address: '10.0.0.1:7000', redis: 'redis://10.0.0.5:6379/0' },
};
/** As they come out at the other end. */
const sent = (records: Answer[]): Answer[] => decode(encode({ type: 'response', answers: records })).answers ?? [];
const text = (data: string[], name = `x.${TYPE}`): Answer => ({ type: 'TXT', name, ttl: 120, data });

describe('The records of mDNS', () => {
  it('carry an announcement, and that a node leaves', () => {
    expect(announcementsIn(sent(recordsOf(TOLD)))).toEqual({ told: [TOLD], malformed: 0 });
    const leaving = { ...TOLD, leaving: true } as const;
    expect(announcementsIn(sent(recordsOf(leaving)))).toEqual({ told: [leaving], malformed: 0 });
    const least = { app: 'a', node: 'n', boot: '0123456789abcdef' };
    expect(announcementsIn(sent(recordsOf(least))).told).toEqual([least]);
  });

  it('are those that browsers of DNS-SD look for', () => {
    expect(sent(recordsOf(TOLD)).map(({ type, name }) => `${type} ${name}`)).toEqual([
      ...['PTR _foundation._tcp.local', `SRV ${TOLD.boot}.${TYPE}`, `TXT ${TOLD.boot}.${TYPE}`],
    ]);
    expect(sent(recordsOf(TOLD))[1]).toMatchObject({ data: { target: 'box.local', port: 7000 } });
  });

  it('fit one packet', () => {
    const self = {
      appName: 'a'.repeat(128),
      node: 'n'.repeat(128),
      bootId: 'b'.repeat(63),
      host: 'h'.repeat(64),
      labels: {},
    };
    const most = announcementOf({
      ...self,
      ...{ address: `${'x'.repeat(122)}:65535`, redis: `rediss://${'r'.repeat(222)}:65535/15` },
    });
    expect(Object.keys(most)).toHaveLength(6);
    expect(encode({ type: 'response', answers: recordsOf(most) }).length).toBeLessThan(MAX_PACKET);
    expect(announcementsIn(sent(recordsOf(most))).told).toEqual([most]);
  });

  it.each<[string, string[]]>([
    ['nothing', []],
    ['no pairs', ['app', '=', '']],
    ['no node', ['app=shop', 'boot=0123456789abcdef']],
    ['control characters', ['app=shop', 'node=n\u001b[31m\nERROR forged', 'boot=0123456789abcdef']],
    ['a password', ['app=shop', 'node=n', 'boot=0123456789abcdef', 'redis=redis://:hunter2@10.0.0.1:6379/0']],
    ['a prototype', ['__proto__=x', 'constructor=y']],
  ])('are dropped with %s in them', (_what, data) => {
    expect(announcementsIn([text(data)])).toEqual({ told: [], malformed: 1 });
  });

  it('of others are passed over', () => {
    const others: Answer[] = [text(['app=shop'], '_foundation._tcp.local'), text(['a=b'], 'x._http._tcp.local')];
    expect(announcementsIn([...others, { type: 'A', name: `x.${TYPE}`, data: '10.0.0.1' }])).toEqual({
      ...{ told: [], malformed: 0 },
    });
  });

  it('are asked for by their type, in any case', () => {
    expect(
      isAskedFor([
        { type: 'A', name: 'x.local' },
        { type: 'PTR', name: '_Foundation._TCP.local' },
      ]),
    ).toBe(true);
    expect(
      isAskedFor([
        { type: 'PTR', name: '_http._tcp.local' },
        { type: 'A', name: TYPE },
      ]),
    ).toBe(false);
    expect(isAskedFor([])).toBe(false);
  });
});
