/**
 * `foundation doctor`: checks what the configuration needs, step by step, and says what is wrong.
 * Called by `run.ts`; changes nothing in the cluster.
 */
import { databaseOf, endpointName, placeName } from '../../backend/redis/redis.endpoint.js';
import { LocalNode } from '../../cluster/local.node.js';
import { TopologyRunner } from '../../cluster/topologies/topology.runner.js';
import type { FoundationConfig } from '../../config/config.js';
import { hasPlace } from '../../config/resolve.endpoint.js';
import { describe } from '../../errors/describe.js';
import { keysOf } from '../../wire/keys.js';
import { complaint } from '../format.js';
import { type Color, paint, printable, type Terminal } from '../terminal.js';
import { wrap } from '../text.table.js';
import { CLUSTER_STEPS } from './cluster.steps.js';
import { type Case, failed, type Finding, ok, skipped, type Step, type Verdict } from './doctor.step.js';
import { REDIS_STEPS } from './redis.steps.js';
import { TOPOLOGY_STEPS } from './topology.steps.js';

const STEPS: readonly Step[] = [...REDIS_STEPS, TOPOLOGY_STEPS.strategies, ...CLUSTER_STEPS, TOPOLOGY_STEPS.peers];

/** A finding and the step that made it. */
export interface Examined extends Finding {
  step: string;
}

/** Runs all steps; `settings` may throw, which is the first finding. Never rejects. */
export async function examine(
  settings: () => FoundationConfig,
  found: (one: Examined) => void,
  looked: (config: FoundationConfig) => void = () => undefined,
): Promise<Verdict> {
  const note = (step: string, findings: readonly Finding[]): void => {
    for (const finding of findings) {
      if (finding.verdict === 'failed') worst = 'failed';
      else if (finding.verdict === 'warning' && worst === 'ok') worst = 'warning';
      found({ step, ...finding });
    }
  };
  let worst: Verdict = 'ok';
  let config: FoundationConfig;
  try {
    config = settings();
    note('configuration', [ok(summary(config))]);
  } catch (error) {
    note('configuration', [failed(describe(error))]);
    return worst;
  }
  const patient: Case = { config, topologies: new TopologyRunner(config, new LocalNode(config)) };
  try {
    for (const step of STEPS) note(step.name, await take(step, patient));
  } finally {
    for (const probe of patient.probes ?? []) probe.close();
    await patient.topologies.stop();
    await patient.cluster?.backend.close().catch(() => undefined);
    looked(patient.config);
  }
  return worst;
}

async function take(step: Step, patient: Case): Promise<Finding[]> {
  const missing = step.needs.find((need) => patient[need] === undefined);
  if (missing !== undefined) return [skipped(`skipped, because of what failed above`)];
  try {
    return await step.run(patient);
  } catch (error) {
    const [text = '', ...block] = complaint(error).split('\n');
    return [failed(text, block.length === 0 ? undefined : ['', ...block].join('\n'))];
  }
}

function summary({ appName, redis, quorum, transport, strategy }: FoundationConfig): string {
  const place = hasPlace(redis) ? `Redis at ${[redis, ...quorum].map(placeName).join(' and ')}` : 'Redis to be found';
  return `app "${appName}", keys ${keysOf(appName).tag}:*, ${place}, strategy ${strategy}, transport ${transport.kind}`;
}

/** What was looked at, for programs; no Redis where none was found. */
function whereOf({ appName, redis, quorum }: FoundationConfig): object {
  const servers = hasPlace(redis) ? [redis, ...quorum] : [];
  return {
    ...{ app: appName, keys: `${keysOf(appName).tag}:*` },
    redis: servers.map((each) => ({ endpoint: endpointName(each), database: databaseOf(each) })),
  };
}

const COLORS: Record<Verdict, Color> = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' };
const VERDICT_WIDTH = 9;
const STEP_WIDTH = 18;

/** A finding as lines. */
export function findingLines(
  { verdict, step, text, advice = '' }: Examined,
  terminal: Pick<Terminal, 'width' | 'hasColor'>,
): string[] {
  const indent = ' '.repeat(VERDICT_WIDTH + STEP_WIDTH);
  const room = terminal.width === undefined ? undefined : Math.max(20, terminal.width - indent.length);
  const [first = '', ...rest] = wrap(text, room);
  const [what = '', ...block] = advice.split('\n');
  return [
    paint(terminal, COLORS[verdict], verdict.padEnd(VERDICT_WIDTH)) + step.padEnd(STEP_WIDTH) + first,
    ...rest.map((line) => indent + line),
    ...(what === '' ? [] : wrap(`→ ${what}`, room).map((line) => indent + line)),
    // From the left edge, so that it can be copied as it is.
    ...block.map(printable),
  ];
}

/** The command; resolves with the exit code. */
export async function doctor(settings: () => FoundationConfig, json: boolean, terminal: Terminal): Promise<number> {
  const all: Examined[] = [];
  let where: object = {};
  const tell = (one: Examined): void => {
    all.push(one);
    if (!json) for (const line of findingLines(one, terminal)) terminal.out(line);
  };
  const worst = await examine(settings, tell, (config) => (where = whereOf(config)));
  const counts = Object.fromEntries(
    (['failed', 'warning', 'ok', 'skipped'] as const).map((each) => [
      each,
      all.filter((one) => one.verdict === each).length,
    ]),
  ) as Record<Verdict, number>;
  if (json) terminal.out(JSON.stringify({ ok: worst !== 'failed', ...where, counts, findings: all }, undefined, 2));
  else
    terminal.out(
      `${counts.failed} failed, ${counts.warning} ${counts.warning === 1 ? 'warning' : 'warnings'}, ${counts.ok} ok, ${counts.skipped} skipped`,
    );
  return worst === 'failed' ? 1 : 0;
}
