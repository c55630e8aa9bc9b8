// Pure: turns the document of a run into tables. A cell is the median over the repetitions; a ratio is taken in each
// repetition first.
import { median, rate, spread } from './figures.mjs';

/** With more cores than this used by others, a figure was not taken on quiet cores. */
export const QUIET = 0.2;

const WHO = ['sender', 'receivers', 'broker'];
const COLUMNS = {
  rate: { title: 'per second', cell: (of) => whole(of((one) => rate(one))) },
  asked: { title: 'asked', cell: (of) => whole(of((one) => one.asked)) },
  avg: { title: 'avg ms', cell: (of) => precise(of((one) => one.latency?.avg)) },
  p50: { title: 'p50 ms', cell: (of) => precise(of((one) => one.latency?.p50)) },
  p99: { title: 'p99 ms', cell: (of) => precise(of((one) => one.latency?.p99)) },
  max: { title: 'max ms', cell: (of) => precise(of((one) => one.latency?.max)) },
  cpu: {
    title: 'CPU µs a message: sender / receivers / broker',
    cell: (of) => WHO.map((who) => precise(of((one) => one.cpu[who] / one.count))).join(' / '),
  },
  lost: { title: 'lost', cell: (_of, samples) => String(samples.reduce((sum, { lost }) => sum + lost, 0)) },
  rss: {
    title: 'MB: sender, receivers, broker',
    cell: (_of, [{ rss }]) => rss.first.map((mb, index) => `${whole(mb)} → ${whole(rss.last[index])}`).join(', '),
  },
  others: { title: 'cores used by others', cell: (of) => loudly(of((one) => one.others)) },
};

/** What a phase is judged by: a number of a sample. */
export function judged(better) {
  return better === 'rate' ? rate : ({ latency }) => latency?.[better];
}

/** The tables of a run, and what is missing in it. */
export function markdown(document) {
  const { phases, titles } = document;
  const measured = Object.keys(titles).filter((name) => phases.some(({ samples }) => samples[name]?.length > 0));
  const ours = measured.filter((name) => name.startsWith('foundation-') && !name.endsWith('-other'));
  return [
    ...phases.map((phase) => phaseTable(phase, titles)),
    ...ours.map((own) => ratios(phases, titles, measured, own)),
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** One sentence for each peer, phase or repetition that is not in the tables. */
export function missing({ skipped, failed, interrupted, phases, reps, titles }) {
  const out = new Set([...Object.keys(skipped), ...failed.map(({ peer }) => peer)]);
  const silent = phases.flatMap(({ key, samples }) =>
    Object.entries(samples)
      .filter(([name, list]) => list.length < reps && !out.has(name))
      .map(([name, list]) => `${titles[name]}: ${list.length} of ${reps} repetitions of ${key}.`),
  );
  return [
    ...Object.entries(skipped).map(([name, why]) => `${titles[name]} took no part: ${why}.`),
    ...failed.map(({ peer, phase, why }) => `${titles[peer]} failed in ${phase}: ${why}.`),
    ...(interrupted ? ['The run was interrupted.'] : []),
    ...silent,
  ];
}

/** The phases and peers whose figures were not taken on quiet cores. */
export function noisy({ phases, titles }) {
  return phases.flatMap(({ key, samples }) =>
    Object.entries(samples)
      .map(([name, list]) => ({ key, title: titles[name], others: median(list.map((one) => one.others)) }))
      .filter(({ others }) => others > QUIET),
  );
}

/** The samples of each phase as medians, with the least and the most of the repetitions, for the JSON. */
export function medians(samples) {
  const summary = (list, of) => {
    const each = (pick) => of(list.map(pick));
    const cpu = (one) => WHO.reduce((sum, who) => sum + (one.cpu[who] ?? 0), 0) / one.count;
    return {
      rate: each(rate),
      latency: Object.fromEntries(['avg', 'p50', 'p99', 'max'].map((key) => [key, each((one) => one.latency?.[key])])),
      cpu: {
        ...Object.fromEntries(WHO.map((who) => [who, each((one) => one.cpu[who] / one.count)])),
        all: each(cpu),
      },
      others: each((one) => one.others),
    };
  };
  return Object.fromEntries(
    Object.entries(samples)
      .filter(([, list]) => list.length > 0)
      .map(([name, list]) => [name, { ...summary(list, median), spread: summary(list, spread) }]),
  );
}

export function table(title, heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    ...(title === undefined ? [] : [`### ${title}\n`]),
    line(heads),
    line(heads.map((_, index) => (index === 0 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}

export function whole(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US').replaceAll(',', ' ') : '–';
}

export function precise(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '–';
}

/** Cores used by others; bold where that was too much. */
export function loudly(others) {
  if (others === undefined) return '–';
  const text = (Math.round(others * 10) / 10 + 0).toFixed(1);
  return others > QUIET ? `**${text}**` : text;
}

function phaseTable({ title, columns, better, samples }, titles) {
  const rows = Object.entries(samples).filter(([, list]) => list.length > 0);
  if (rows.length === 0) return `### ${title}\n\nNot measured.`;
  const isRepeated = rows.some(([, list]) => list.length > 1);
  const number = better === 'rate' ? whole : precise;
  const range = (list) =>
    spread(list.map(judged(better)))
      ?.map(number)
      .join(' to ') ?? '–';
  const heads = columns.map((column) => COLUMNS[column].title);
  // Beside what it is the spread of.
  const at = columns.indexOf(better) + 1;
  if (isRepeated) heads.splice(at, 0, 'least to most');
  return table(
    title,
    ['', ...heads],
    rows.map(([name, list]) => {
      const cells = columns.map((column) => COLUMNS[column].cell((of) => median(list.map(of)), list));
      if (isRepeated) cells.splice(at, 0, range(list));
      return [titles[name], ...cells];
    }),
  );
}

function ratios(phases, titles, measured, own) {
  const rows = measured
    .filter((name) => name !== own)
    .map((name) => [titles[name], ...phases.map((phase) => median(ratiosOf(phase, own, name))?.toFixed(2) ?? '–')]);
  if (rows.length === 0) return undefined;
  const heads = phases.map(
    ({ key, better }) => `${key} ${better === 'rate' ? '(rate)' : `(${better}, less is better)`}`,
  );
  return table(`${titles[own]}, as a multiple of the others`, ['', ...heads], rows);
}

/** Of each repetition that has both. */
export function ratiosOf({ samples, better }, own, name, of = judged(better)) {
  const others = samples[name] ?? [];
  return (samples[own] ?? []).slice(0, others.length).map((one, rep) => of(one) / of(others[rep]));
}
