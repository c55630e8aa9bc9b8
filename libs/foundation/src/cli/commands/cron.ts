/**
 * `foundation cron`: the cluster-wide cron jobs, when they ran and run next. `foundation cron run JOB`: runs one now.
 * Called by `run.ts`; underneath `CronJobs`.
 */
import type { CronJobInfo } from '../../cron/cron.jobs.js';
import type { Command } from '../command.js';
import { duration } from '../format.js';
import { whileObserving } from '../observer.js';
import { paint, tell } from '../terminal.js';
import { type Column, drawTable } from '../text.table.js';

const COLUMNS: readonly Column[] = [
  { title: 'JOB', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'SCHEDULE', shrinks: true },
  { title: 'NEXT' },
  { title: 'LAST' },
  { title: 'TOOK', align: 'right' },
  { title: 'OUTCOME', shrinks: true },
  { title: 'MISSED', align: 'right' },
];

/** Exit code 1 when a job has no owner, and when one that is to run is not known or runs already. */
export const cron: Command = async (config, { args: [, name], json }, terminal) => {
  return whileObserving(config, async ({ cronJobs }) => {
    if (name !== undefined) {
      const answer = await cronJobs.runNow(name);
      const said = { started: 'has begun', queued: 'waits for the run before', skipped: 'runs already' }[answer];
      tell(terminal, json, { ok: answer !== 'skipped', job: name, answer }, `${name} ${said}`);
      return answer === 'skipped' ? 1 : 0;
    }
    const jobs = await cronJobs.list();
    const code = jobs.every(({ state }) => state === 'running') ? 0 : 1;
    if (json) terminal.out(JSON.stringify({ ok: code === 0, jobs }));
    else if (jobs.length === 0) terminal.out('No cron jobs.');
    else {
      const now = Date.now();
      const [titles = '', ...lines] = drawTable(
        COLUMNS,
        jobs.map((job) => cells(job, now)),
        terminal.width,
      );
      terminal.out(paint(terminal, 'dim', titles));
      lines.forEach((line, index) => terminal.out(paint(terminal, colorOf(jobs[index]!), line)));
    }
    return code;
  });
};

function cells(
  { name, node, state, expression, timeZone, next, run, last, counts }: CronJobInfo,
  now: number,
): string[] {
  const took = last?.ended === undefined ? '' : duration(last.ended - last.started);
  const outcome = run !== undefined ? 'running' : (last?.outcome ?? '');
  return [
    name,
    node ?? `(${state})`,
    `${expression} ${timeZone}`,
    next === undefined ? '' : `in ${duration(next - now)}`,
    last === undefined ? '' : `${duration(now - last.started)} ago`,
    took,
    last?.error === undefined || run !== undefined ? outcome : `${outcome}: ${last.error}`,
    String(counts.missed),
  ];
}

function colorOf({ state, last }: CronJobInfo): 'red' | 'yellow' | undefined {
  if (state !== 'running') return 'yellow';
  return last?.outcome === 'failed' || last?.outcome === 'interrupted' ? 'red' : undefined;
}
