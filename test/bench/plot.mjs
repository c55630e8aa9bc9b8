// Pure: a line plot on logarithmic axes as SVG. Readable on light and dark pages, because it brings its own ground.
const SIZE = { width: 560, height: 340, left: 72, right: 24, top: 44, bottom: 78 };
const COLORS = ['#1f6feb', '#d1242f', '#1a7f37', '#8250df'];

/** `series` are `{ name, points: [x, y][] }`; points that are no positive numbers are left out. */
export function plot({ title, x, y, series }) {
  const lines = series.map(({ name, points }) => ({ name, points: points.filter(isPositive) }));
  const all = lines.flatMap(({ points }) => points);
  if (all.length === 0) return frame(title, '');
  const [xs, ys] = [0, 1].map((axis) => scaleOf(all.map((point) => point[axis])));
  const { width, height, left, right, top, bottom } = SIZE;
  const toX = (value) => left + xs.share(value) * (width - left - right);
  const toY = (value) => height - bottom - ys.share(value) * (height - top - bottom);
  const marks = [
    ...ys.ticks.map(
      (tick) => grid(left, toY(tick), width - right, toY(tick)) + text(left - 8, toY(tick) + 4, short(tick), 'end'),
    ),
    ...xs.ticks.map(
      (tick) =>
        grid(toX(tick), top, toX(tick), height - bottom) + text(toX(tick), height - bottom + 18, short(tick), 'middle'),
    ),
    text((left + width - right) / 2, height - bottom + 36, x, 'middle'),
    `<text x="16" y="${(top + height - bottom) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(top + height - bottom) / 2})">${escaped(y)}</text>`,
    ...lines.map(({ name, points }, index) => line(name, points, index)),
  ];
  return frame(title, marks.join('\n'));

  function line(name, points, index) {
    const color = COLORS[index % COLORS.length];
    const at = points.map(([px, py]) => `${round(toX(px))},${round(toY(py))}`);
    const dots = at.map(
      (each) => `<circle cx="${each.split(',')[0]}" cy="${each.split(',')[1]}" r="3.5" fill="${color}"/>`,
    );
    const legend = left + index * ((width - left - right) / lines.length);
    return [
      `<polyline points="${at.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`,
      ...dots,
      `<rect x="${round(legend)}" y="${height - 26}" width="12" height="12" rx="2" fill="${color}"/>`,
      text(legend + 18, height - 16, name, 'start'),
    ].join('\n');
  }
}

function frame(title, inside) {
  const { width, height } = SIZE;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2328">
<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>
<text x="${width / 2}" y="24" text-anchor="middle" font-size="14" font-weight="600">${escaped(title)}</text>
${inside}
</svg>
`;
}

/** From a power of ten to one, with all between as ticks. */
function scaleOf(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    share: (value) => (Math.log10(value) - low) / (high - low),
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
  };
}

function isPositive([x, y]) {
  return Number.isFinite(x) && Number.isFinite(y) && x > 0 && y > 0;
}

function grid(x1, y1, x2, y2) {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#d1d9e0"/>`;
}

function text(x, y, words, anchor) {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function short(value) {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(1)));
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function escaped(words) {
  return String(words).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
