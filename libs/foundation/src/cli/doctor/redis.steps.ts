/**
 * Can Redis be reached, and is it one that leases are safe on? With a quorum each server is tried.
 * Called by the doctor; underneath one plain connection per server.
 */
import { placeName } from '../../backend/redis/redis.endpoint.js';
import { type ServerFacts, serverFacts } from '../../backend/redis/redis.info.js';
import { openProbe, type RedisProbe } from '../../backend/redis/redis.probe.js';
import type { FoundationConfig } from '../../config/config.js';
import { describe } from '../../errors/describe.js';
import { findRedis } from '../../locator/redis.locator.js';
import { keysOf } from '../../wire/keys.js';
import { type Case, type Finding, ok, type Step } from './doctor.step.js';
import {
  clockFinding,
  durabilityFinding,
  latencyFinding,
  notReached,
  permissionFindings,
  policyFinding,
  versionFinding,
} from './redis.findings.js';

const SAMPLES = 10;

/** All steps about Redis, in their order. */
export const REDIS_STEPS: readonly Step[] = [
  {
    name: 'redis',
    needs: [],
    async run(patient) {
      patient.config = await findRedis(patient.config, patient.topologies);
      const { redis, quorum } = patient.config;
      const outcomes = await Promise.all([redis, ...quorum].map((endpoint) => reach(endpoint)));
      const probes = outcomes.flatMap(({ probe }) => (probe === undefined ? [] : [probe]));
      // Without the first one there are no tables to look at, and the others only have leases.
      if (outcomes[0]?.probe !== undefined) patient.probes = probes;
      else for (const probe of probes) probe.close();
      return outcomes.map(({ finding }) => finding);
    },
  },
  onEach('version', async (probe) => [versionFinding(await factsOf(probe))]),
  onEach('maxmemory-policy', async (probe) => [policyFinding(await factsOf(probe))]),
  onEach('durability', async (probe) => [durabilityFinding(await factsOf(probe))]),
  onEach('latency', async (probe, { lease }) => {
    const samples: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) samples.push((await probe.time()).tookMs);
    return [latencyFinding(samples, lease)];
  }),
  onEach('clock', async (probe) => {
    const { theirs, ours, tookMs } = await probe.time();
    // A clock that counts milliseconds is up to one behind.
    return [clockFinding(ours - theirs, tookMs / 2 + 1)];
  }),
  onEach('permissions', async (probe, { appName }) => {
    return permissionFindings(await probe.tryCommands(keysOf(appName).tag), probe, appName);
  }),
];

async function reach(endpoint: FoundationConfig['redis']): Promise<{ probe?: RedisProbe; finding: Finding }> {
  try {
    const probe = await openProbe(endpoint);
    return { probe, finding: ok(`connected to ${placeName(endpoint)}`) };
  } catch (error) {
    return { finding: notReached(placeName(endpoint), describe(error)) };
  }
}

async function factsOf(probe: RedisProbe): Promise<ServerFacts> {
  return serverFacts(await probe.info());
}

/** A step that tries the same on each server; where there are several, each finding says which. */
function onEach(name: string, examine: (probe: RedisProbe, config: FoundationConfig) => Promise<Finding[]>): Step {
  return {
    name,
    needs: ['probes'],
    async run({ probes = [], config }: Case) {
      const all = await Promise.all(
        probes.map(async (probe) => {
          const findings = await examine(probe, config);
          return findings.map((each) =>
            probes.length > 1 ? { ...each, text: `${probe.endpoint}: ${each.text}` } : each,
          );
        }),
      );
      return all.flat();
    },
  };
}
