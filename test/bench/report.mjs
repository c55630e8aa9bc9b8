// Turns samples into tables. A cell is the median over the repetitions; a ratio is taken in each repetition first.
import { median } from './figures.mjs';

const COLUMNS = {
  rate: { title: 'per second', cell: (of) => whole(of((one) => rate(one))) },
  asked: { title: 'asked', cell: (of) => whole(of((one) => one.asked)) },
  avg: { title: 'avg ms', cell: (of) => precise(of((one) => one.latency?.avg)) },
  p50: { title: 'p50 ms', cell: (of) => precise(of((one) => one.latency?.p50)) },
  p99: { title: 'p99 ms', cell: (of) => precise(of((one) => one.latency?.p99)) },
  max: { title: 'max ms', cell: (of) => precise(of((one) => one.latency?.max)) },
  cpu: {
    title: 'CPU µs a message: sender / receivers / broker',
    cell: (of) =>
      ['sender', 'receivers', 'broker'].map((who) => precise(of((one) => one.cpu[who] / one.count))).join(' / '),
  },
  lost: { title: 'lost', cell: (of, samples) => String(samples.reduce((sum, { lost }) => sum + lost, 0)) },
  rss: {
    title: 'MB: sender, receivers, broker',
    cell: (_of, [{ rss }]) => rss.first.map((mb, index) => `${whole(mb)} → ${whole(rss.last[index])}`).join(', '),
  },
  others: { title: 'cores used by others', cell: (of) => of((one) => one.others)?.toFixed(1) ?? '–' },
};

/** `phases` with their samples by name of the peer; `titles` by name of the peer. */
export function markdown(phases, titles) {
  const tables = phases.map(({ title, columns, samples }) =>
    table(
      title,
      ['', ...columns.map((column) => COLUMNS[column].title)],
      Object.entries(samples)
        .filter(([, list]) => list.length > 0)
        .map(([name, list]) => [
          titles[name],
          ...columns.map((column) => COLUMNS[column].cell((of) => median(list.map(of)), list)),
        ]),
    ),
  );
  const ours = Object.keys(titles).filter((name) => /^foundation-(?!.*-other$)/.test(name));
  return [...tables, ...ours.map((name) => ratios(phases, titles, name))].filter(Boolean).join('\n\n');
}

/** The samples of each phase as medians, for the JSON. */
export function medians(samples) {
  const summary = (list) => ({
    rate: median(list.map(rate)),
    latency: Object.fromEntries(
      ['avg', 'p50', 'p99'].map((key) => [key, median(list.map((one) => one.latency?.[key]))]),
    ),
    cpu: Object.fromEntries(
      ['sender', 'receivers', 'broker'].map((who) => [who, median(list.map((one) => one.cpu[who] / one.count))]),
    ),
    others: median(list.map((one) => one.others)),
  });
  return Object.fromEntries(
    Object.entries(samples)
      .filter(([, list]) => list.length > 0)
      .map(([name, list]) => [name, summary(list)]),
  );
}

function ratios(phases, titles, own) {
  const rows = Object.keys(titles)
    .filter((name) => name !== own)
    .map((name) => [titles[name], ...phases.map((phase) => ratio(phase, own, name))]);
  if (rows.length === 0) return undefined;
  const heads = phases.map(
    ({ key, better }) => `${key} ${better === 'rate' ? '(rate)' : `(${better}, less is better)`}`,
  );
  return table(`${titles[own]}, as a multiple of the others`, ['', ...heads], rows);
}

function ratio({ samples, better }, own, name) {
  const of = better === 'rate' ? rate : ({ latency }) => latency?.[better];
  const each = samples[own].map((one, rep) => samples[name][rep] && of(one) / of(samples[name][rep]));
  return median(each)?.toFixed(2) ?? '–';
}

function rate({ count, micros }) {
  return (count / micros) * 1e6;
}

function table(title, heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    `### ${title}\n`,
    line(heads),
    line(heads.map((_, index) => (index === 0 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}

function whole(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US').replaceAll(',', ' ') : '–';
}

function precise(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '–';
}
