// Charts over time. Underneath uPlot, which is loaded with the first of them.
import { byId } from './dom.js';

const HEIGHT = 160;
/** What a chart shows in seconds: an hour, or less where there is less. */
const LONGEST = 3600;
const SHORTEST = 300;
const charts = new Map();

const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Draws `data` into an element, or again: a list of times in seconds, and one of values for each line. */
export async function draw(element, data, lines, format) {
  const { uPlot } = await import('./uplot.js');
  const known = charts.get(element);
  // What is hidden has no width.
  const width = element.clientWidth;
  if (width === 0) return;
  if (known !== undefined) {
    known.range = rangeOf(data);
    if (known.plot.width !== width) known.plot.setSize({ width, height: HEIGHT });
    return known.plot.setData(data);
  }
  const chart = { range: rangeOf(data) };
  charts.set(element, chart);
  chart.plot = new uPlot(optionsOf(chart, lines, format, width), data, element);
}

function rangeOf([times]) {
  const now = Date.now() / 1000;
  const from = Math.min(now - SHORTEST, Math.max(now - LONGEST, times[0] ?? now));
  return [from, now];
}

function optionsOf(chart, lines, format, width) {
  const axis = { stroke: styleOf('--muted'), font: '11px system-ui', grid: { stroke: styleOf('--line'), width: 1 } };
  const quiet = { ...axis, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    legend: { live: true, markers: { width: 2 } },
    cursor: { y: false, points: { size: 5 } },
    scales: {
      x: { time: true, range: () => chart.range },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    axes: [quiet, { ...quiet, size: 64, values: (_, ticks) => ticks.map((tick) => format(tick)) }],
    series: [
      { value: (_, seconds) => (seconds === null ? '–' : new Date(seconds * 1000).toLocaleTimeString()) },
      ...lines.map(({ label, color }) => ({
        label,
        stroke: styleOf(color),
        width: 1.5,
        spanGaps: false,
        points: { size: 3 },
        value: (_, value) => (value === null || value === undefined ? '–' : format(value)),
      })),
    ],
  };
}

/** With the colours that the page has now. */
function drawAgain() {
  for (const [element, { plot }] of charts) {
    plot.destroy();
    element.replaceChildren();
  }
  charts.clear();
}

dark.addEventListener('change', drawAgain);
byId('work-close').addEventListener('click', drawAgain);
