/**
 * Pure: what was measured of a Redis server → what to say about it.
 * Called by the steps about Redis.
 */
import { aclRule } from '../../backend/redis/redis.acl.js';
import { isAtLeast, OLDEST, OLDEST_WITH_WAITAOF, type ServerFacts } from '../../backend/redis/redis.info.js';
import type { RedisProbe, Refused } from '../../backend/redis/redis.probe.js';
import type { LeaseTimes } from '../../config/config.js';
import { refusalIn } from '../../errors/refusal.js';
import { keysOf } from '../../wire/keys.js';
import { duration } from '../format.js';
import { failed, type Finding, ok, warning } from './doctor.step.js';

/** Nodes plan restarts by their own clocks; a second is felt. */
const CLOCK_MS = 1000;

/** Why no connection came about. */
export function notReached(endpoint: string, error: string): Finding {
  const refusal = refusalIn(error);
  if (refusal !== undefined) return failed(`${endpoint} refused the connection: ${refusal.reply}`, refusal.advice);
  return failed(
    `${endpoint} cannot be reached: ${error}`,
    'Check that Redis runs there, and that --redis or FOUNDATION_REDIS_URL names it.',
  );
}

export function versionFinding({ version, isSupported, isImitation }: ServerFacts): Finding {
  if (isImitation === true) {
    return warning('js-redis-server, an imitation for development only', 'Name a real one in FOUNDATION_REDIS_URL.');
  }
  if (version === undefined) return warning('the server does not say its version', `It must be ${OLDEST} or newer.`);
  return isSupported ? ok(version) : failed(`${version} is too old`, `Use Redis ${OLDEST} or newer, or Valkey.`);
}

export function policyFinding({ policy, hasLimit }: ServerFacts): Finding {
  if (policy === undefined) return warning('the server does not say its maxmemory-policy', 'It must be noeviction.');
  if (policy === 'noeviction') return ok('noeviction');
  const advice = 'redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its configuration file';
  if (hasLimit) return failed(`${policy}: Redis may evict leases, and then two owners are possible`, advice);
  return warning(`${policy}, which evicts leases once maxmemory is set; it is not now`, advice);
}

/** What `acknowledge` of a durable channel may say here. It is no fault when that is `memory` alone. */
export function durabilityFinding({ version, appendsToFile, replicas = 0 }: ServerFacts): Finding {
  const isOld = version !== undefined && !isAtLeast(version, OLDEST_WITH_WAITAOF);
  const why = isOld
    ? `Redis ${version} is older than ${OLDEST_WITH_WAITAOF}`
    : appendsToFile
      ? undefined
      : 'appendonly is not yes';
  const disk = why === undefined ? `'fsync'` : `not 'fsync' (${why})`;
  const copies = replicas === 0 ? 'no { replicas } (none is connected)' : `{ replicas: ${replicas} } at most`;
  return ok(`durable channels can acknowledge: 'memory', ${disk}, ${copies}`);
}

/** `samples`: how long each of several answers took, in milliseconds. */
export function latencyFinding(
  samples: readonly number[],
  { commandTimeout }: Pick<LeaseTimes, 'commandTimeout'>,
): Finding {
  const sorted = [...samples].sort((a, b) => a - b);
  const [median = 0, worst = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  const text = `median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms of ${sorted.length}`;
  const limit = `lease.commandTimeout is ${commandTimeout} ms`;
  if (median >= commandTimeout) {
    return failed(`${text}; ${limit}, so renewals fail`, 'Bring Redis nearer, or raise the times in "lease".');
  }
  return worst >= commandTimeout / 2
    ? warning(`${text}; ${limit}`, 'Look at the network and at SLOWLOG GET.')
    : ok(text);
}

/** `offsetMs`: by how much the clock here is ahead; `errorMs`: how exactly that is known. */
export function clockFinding(offsetMs: number, errorMs: number): Finding {
  const size = `${duration(Math.abs(offsetMs))} ${offsetMs < 0 ? 'behind' : 'ahead of'} that of Redis`;
  const text = `this machine's clock is ${size} (± ${duration(errorMs)})`;
  if (Math.abs(offsetMs) - errorMs <= CLOCK_MS) return ok(text);
  return warning(
    text,
    'Leases and membership go by the clock of Redis alone, but restarts after a crash are planned by that of a node: ' +
      'they come early or late. Use NTP.',
  );
}

export function permissionFindings(
  refused: readonly Refused[],
  { user, isCluster }: Pick<RedisProbe, 'user' | 'isCluster'>,
  appName: string,
): Finding[] {
  const { tag } = keysOf(appName);
  const denied = refused.filter(({ reply }) => reply.includes('NOPERM'));
  const others = refused.filter(({ reply }) => !reply.includes('NOPERM'));
  const findings: Finding[] = [];
  if (denied.length > 0) {
    const commands = [...new Set(denied.map(({ command }) => command))].join(', ');
    findings.push(
      failed(
        `user "${user}" may not use ${commands} on ${tag}:*`,
        `give it what a node needs:\nredis-cli ACL SETUSER ${user} ${quoted(aclRule(appName, { isCluster }))}`,
      ),
    );
  }
  if (others.length > 0) {
    const [first] = others;
    const more = others.length > 1 ? ` (and ${others.length - 1} more)` : '';
    findings.push(
      failed(`${first!.command} failed: ${first!.reply}${more}`, 'A node needs a Redis that it can write to.'),
    );
  }
  return findings.length > 0 ? findings : [ok(`user "${user}" may use what Foundation and BullMQ need on ${tag}:*`)];
}

/** For a shell, to which braces, `&` and `*` mean something. */
function quoted(rule: readonly string[]): string {
  return rule.map((part) => (part.startsWith('+') && !part.includes('|') ? part : `'${part}'`)).join(' ');
}
