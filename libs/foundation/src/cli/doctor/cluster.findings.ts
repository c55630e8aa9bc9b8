/**
 * Pure: what the directory of nodes says → what to say about it.
 * Called by the steps about the cluster.
 */
import type { DirectorySnapshot, NodeRecord } from '../../backend/directory/directory.js';
import { latenessOf } from '../../backend/observer.backend.js';
import type { KnockOutcome } from '../../backend/transport/direct/link/link.probe.js';
import { describeDifference, differencesOf } from '../../cluster/compatibility.js';
import { count, duration } from '../format.js';
import { failed, type Finding, ok, skipped, warning } from './doctor.step.js';

/** Three periods of the sweep, as in the health report. */
const SWEEP_LATE_MS = 15_000;

/** Where no node was found, and where there are some. */
export interface Nobody {
  app: string;
  /** The Redis and its database. */
  place: string;
  /** The clusters that have nodes there, where that can be known. */
  clusters: readonly string[];
  /** Numbers of the databases of this Redis that hold keys. */
  databases: readonly number[];
}

/** A name that is misspelt and a database that is not that of the nodes look like an outage. */
export function nobodyFinding({ app, place, clusters, databases }: Nobody): Finding {
  const others = databases.filter((number) => !place.endsWith(` database ${number}`));
  const [s, numbers] = [others.length > 1 ? 's' : '', others.join(', ')];
  const advice = [
    'Start a node, or check --app and the Redis.',
    ...(clusters.length > 0 ? [`Here are nodes of: ${clusters.join(', ')}.`] : []),
    ...(others.length > 0 ? [`Its database${s} ${numbers} ${others.length > 1 ? 'hold' : 'holds'} keys, too.`] : []),
  ];
  return warning(`no node of "${app}" is in ${place}`, advice.join(' '));
}

/** A name may hold blanks, so it is quoted for a shell where that is needed. */
const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** So many are named; one release leaves few. */
const SHOWN_ORPHANS = 20;

/** `names`: processes that a release declared and no node declares any longer. */
export function orphanFindings(names: readonly string[], app: string): Finding[] {
  if (names.length === 0) return [ok('a node declares each of the declared processes')];
  const more = names.length > SHOWN_ORPHANS ? ` and ${names.length - SHOWN_ORPHANS} more` : '';
  const shown = names.slice(0, SHOWN_ORPHANS);
  const commands = shown.map((name) => `npx foundation forget ${shellWord(name)} --app ${shellWord(app)}`);
  return [
    warning(
      `no node declares ${shown.map((name) => `"${name}"`).join(', ')}${more} any longer`,
      [
        'A node that declares it brings it back; it is forgotten after forgetOrphansAfter, or at once by:',
        ...commands,
      ].join('\n'),
    ),
  ];
}

/** One finding for all that beat in time, one for each of the others, and one for each thing they disagree about. */
export function memberFindings(
  members: readonly NodeRecord[],
  { now, beats }: Pick<DirectorySnapshot, 'now' | 'beats'>,
  expected: number | undefined,
): Finding[] {
  const silent = ({ name }: NodeRecord): number | undefined => {
    const beat = beats.get(name);
    return beat === undefined ? undefined : now - beat;
  };
  const inTime = members.filter((each) => latenessOf(each, silent(each)) === 'in time');
  const late = members.filter((each) => latenessOf(each, silent(each)) !== 'in time');
  const findings: Finding[] = [];
  if (inTime.length > 0) {
    const worst = Math.max(...inTime.map((each) => silent(each) ?? 0));
    const draining = inTime.filter(({ state }) => state === 'draining').length;
    const drains = draining === 0 ? '' : `, ${draining} of them draining`;
    const versions = distinct(inTime.map(({ version }) => version)).join(', ');
    const said = `${count(inTime.length, 'node')} of Foundation ${versions} in time${drains}`;
    findings.push(ok(`${said}; the oldest beat is ${duration(worst)} old`));
  }
  for (const each of late) {
    const age = silent(each);
    const text = `node "${each.name}" (${each.host}, pid ${each.pid}) ${age === undefined ? 'has no beat' : `last beat ${duration(age)} ago`}`;
    findings.push(failed(text, 'Look whether it runs, reaches Redis, and has a free event loop.'));
  }
  if (expected !== undefined && members.length < expected) {
    findings.push(failed(`only ${members.length} of ${expected} expected nodes (FOUNDATION_EXPECTED_NODES) are there`));
  }
  return [...findings, ...disagreements(members)];
}

/** Nothing where it is as it should be: that the members are seen says so. */
export function cookieFindings(hasCookie: boolean, { isCookieShared, beats }: DirectorySnapshot): Finding[] {
  if (isCookieShared !== false || beats.size === 0) return [];
  const text = hasCookie
    ? 'the nodes have a different cookie, or none: none of them is seen, and a node with this one is rejected'
    : 'the nodes have a cookie, and here is none: none of them is seen';
  return [failed(text, 'Give all of them, and this command, the same FOUNDATION_COOKIE.')];
}

function disagreements(members: readonly NodeRecord[]): Finding[] {
  const servers = distinct(members.map(({ leaseServers }) => String(leaseServers)));
  return [
    ...differencesOf(members)
      .filter(({ setting }) => setting !== 'redis.quorum')
      .map((each) => warning(`the nodes do not agree about ${describeDifference(each)}`)),
    ...(servers.length > 1
      ? [
          failed(
            `the nodes have leases on different numbers of Redis servers: ${servers.join(', ')}`,
            'Give all the same "redis.quorum".',
          ),
        ]
      : []),
  ];
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

/** `sweepLateMs`: `undefined` when no sweep is planned. */
export function sweepFinding(sweepLateMs: number | undefined, members: number): Finding {
  if (sweepLateMs === undefined) {
    if (members === 0) return skipped('no node is there to plan it');
    return warning(
      'no sweep is planned',
      'Look whether the nodes reach BullMQ, or have a queue of their own ("queue").',
    );
  }
  if (sweepLateMs <= SWEEP_LATE_MS) return ok('in time');
  const text = `${duration(sweepLateMs)} overdue, so restarts after crashes may be late, too`;
  return members === 0
    ? warning(text)
    : failed(text, 'Look at the queue "supervision" in a BullMQ board, and at the logs of the nodes.');
}

/** `secure`: certificates are configured here. */
export function knockFinding({ name, address }: NodeRecord, outcome: KnockOutcome, isSecure: boolean): Finding {
  const who = `node "${name}" at ${address}`;
  if (outcome.outcome === 'ok') return ok(`${who} is heard and takes the cookie (${outcome.ms} ms)`);
  if (outcome.outcome === 'unreachable') {
    return failed(
      `${who} cannot be reached: ${outcome.reason}`,
      'Open its port to this machine, or set "transport.advertise". Until then it is reached through Redis, if the nodes see the same.',
    );
  }
  return failed(
    `${who} does not take the cookie: ${outcome.reason}`,
    `Give all nodes, and this command, the same FOUNDATION_COOKIE${isSecure ? '' : '; where they use security.tls, it can only be tried with a program of theirs'}.`,
  );
}
