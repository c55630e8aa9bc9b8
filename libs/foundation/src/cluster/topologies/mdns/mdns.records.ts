/**
 * Pure: an announcement ⇄ the records of DNS-SD (RFC 6763) that carry it. What is read comes from anybody, so it is
 * checked. Called by `mdns.ts`. Names are boot ids, which always are one label; everything is said in the TXT record.
 */
import type { Answer, Question } from 'dns-packet';
import { type Announcement, readAnnouncement } from '../announce/announcement.js';

export const TYPE = '_foundation._tcp.local';
/** As RFC 6762 (10) has it for records that name a host, in seconds. */
const TTL = 120;
const LABEL = 63;

/** The records of a node; `leaving` takes them back. */
export function recordsOf({ leaving, ...announcement }: Announcement): Answer[] {
  const { boot, host = boot, address } = announcement;
  const [ttl, name] = [leaving === true ? 0 : TTL, `${boot}.${TYPE}`];
  const target = `${(host.split('.')[0] || boot).slice(0, LABEL)}.local`;
  const data = Object.entries(announcement).map(([key, text]) => `${key}=${text}`);
  return [
    { type: 'PTR', name: TYPE, ttl, data: name },
    { type: 'SRV', name, ttl, data: { target, port: Number(address?.split(':').at(-1) ?? 0), priority: 0, weight: 0 } },
    { type: 'TXT', name, ttl, data },
  ];
}

/** The announcements among records, and how many only look like one. */
export function announcementsIn(records: readonly Answer[]): { told: Announcement[]; malformed: number } {
  const texts = records.filter(({ type, name }) => type === 'TXT' && name.toLowerCase().endsWith(`.${TYPE}`));
  const told = texts.map(announcementIn).filter((each) => each !== undefined);
  return { told, malformed: texts.length - told.length };
}

/** True for a query for the nodes of Foundation. */
export function isAskedFor(questions: readonly Question[]): boolean {
  return questions.some(({ type, name }) => ['PTR', 'ANY'].includes(type) && name.toLowerCase() === TYPE);
}

function announcementIn(record: Answer): Announcement | undefined {
  if (record.type !== 'TXT') return undefined;
  const strings = [record.data].flat().map((each) => each.toString('utf8'));
  const pairs = strings.map((text): [string, string] => {
    const at = text.indexOf('=');
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  });
  const told = readAnnouncement(Object.fromEntries(pairs));
  return told !== undefined && record.ttl === 0 ? { ...told, leaving: true } : told;
}
