// The table of the cluster-wide cron jobs; hidden where there are none.
import { askRun } from './actions.js';
import { badge, byId, keyed, write } from './dom.js';
import { duration, lag, number } from './format.js';
import { shown } from './tables.js';

const textOf = ({ name, expression, timeZone, node, last }) =>
  [name, expression, timeZone, node, last?.outcome, last?.error].join(' ');

export function renderJobs({ jobs, jobsLeftOut, at }, filter) {
  byId('jobs').hidden = jobs.length === 0;
  keyed(
    byId('job-list'),
    shown('job', jobs, textOf, filter, jobsLeftOut),
    ({ name }) => name,
    'job-row',
    (row, { name, expression, timeZone, node, next, run, last, missed }) => {
      write(row.name, name);
      write(row.schedule, `${expression} ${timeZone}`);
      badge(row.outcome, run === undefined ? (last?.outcome ?? 'none yet') : 'runs');
      write(row.error, run === undefined ? last?.error : undefined);
      write(row.node, node ?? '–');
      write(row.next, next === undefined ? '–' : duration(next - at));
      write(row.last, last === undefined ? '–' : duration(at - last.started));
      write(row.took, last?.ended === undefined ? '–' : lag(last.ended - last.started));
      write(row.missed, number(missed));
      row.missed.classList.toggle('bad', missed > 0);
      row.run.setAttribute('aria-label', `Run ${name} now`);
    },
    (row) => row.run.addEventListener('click', () => askRun(row.item)),
  );
}
