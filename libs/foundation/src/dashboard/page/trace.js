// The view of one trace, as a time-line: a line for each span, below the one that it belongs to.
import { badge, byId, keyed, title, tone, write } from './dom.js';
import { number, plural } from './format.js';
import { isHistory, showHistory } from './history.js';
import { get } from './server.js';
import { scaleOf, ticksOf, took, treeOf } from './timeline.js';
import { stateOf } from './traces.js';

const EVERY_MS = 2000;
/** Colours of nodes; more nodes share them, so each line has the name of its node, too. */
const COLOURS = 8;
/** Steps to the right, however deep a span is. */
const MAX_DEPTH = 10;

const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const opened = new Set();
let wanted;
let timer;

/** The id in the address, if it is that of a trace. */
const idOfHash = () => /^#trace\/([0-9a-f]{32})$/.exec(location.hash)?.[1];

/** Shows what the address says: a trace, or the cluster. */
export function showView(isSignedIn) {
  clearTimeout(timer);
  const id = isSignedIn ? idOfHash() : undefined;
  byId('trace').hidden = id === undefined;
  const hasHistory = isSignedIn && isHistory();
  showHistory(hasHistory);
  byId('cluster').hidden = id !== undefined || hasHistory;
  if (id === wanted && id !== undefined) return void follow(id);
  wanted = id;
  if (id === undefined) return;
  opened.clear();
  write(byId('trace-id'), id);
  badge(byId('trace-state'), 'loading');
  write(byId('trace-facts'), '');
  byId('trace-reasons').hidden = byId('trace-lines').hidden = byId('trace-error').hidden = true;
  byId('trace').focus({ preventScroll: true });
  void follow(id);
}

async function follow(id) {
  const { status, body } = await get(`traces/${id}`);
  if (id !== wanted) return;
  if (status === 200) renderTrace(body);
  else {
    badge(byId('trace-state'), status === 404 ? 'not known' : 'failed');
    write(byId('trace-error'), body?.message ?? 'The server cannot be reached.');
  }
  byId('trace-error').hidden = status === 200;
  clearTimeout(timer);
  if (id === wanted && status !== 401) timer = setTimeout(follow, EVERY_MS, id);
}

function renderTrace({ startedAt, nodes, spans, complete, reasons = [], leftOut }) {
  badge(byId('trace-state'), stateOf(complete));
  const names = [...new Set([...nodes, ...spans.map(({ node }) => node)])].sort();
  const facts = [clock.format(startedAt), plural(spans.length + leftOut, 'span'), plural(names.length, 'node')];
  byId('trace-reasons').hidden = reasons.length === 0;
  keyed(
    byId('trace-reason-list'),
    reasons,
    (reason) => reason,
    'trace-reason',
    ({ root }, reason) => write(root, reason),
  );
  byId('trace-lines').hidden = false;
  byId('trace-drawing').hidden = spans.length === 0;
  const foot = leftOut > 0 ? `and ${number(leftOut)} more that are not shown` : '';
  write(byId('trace-foot'), spans.length === 0 ? 'No span has been collected' : foot);
  if (spans.length > 0) {
    const scale = scaleOf(spans);
    facts.splice(1, 0, took(scale.end - scale.start));
    renderScale(scale);
    renderSpans(spans, scale, (node) => String((names.indexOf(node) % COLOURS) + 1));
  }
  write(byId('trace-facts'), facts.join(' · '));
}

function renderScale(scale) {
  keyed(
    byId('trace-ticks'),
    ticksOf(scale),
    ({ left, text }) => `${left} ${text}`,
    'trace-tick',
    ({ root }, { left, text, isFirst, isNear }) => {
      write(root, text);
      root.style.left = `${left}%`;
      root.toggleAttribute('data-first', isFirst);
      root.toggleAttribute('data-near', isNear);
    },
  );
  keyed(
    byId('trace-pauses'),
    scale.pauses,
    ({ from }) => from,
    'trace-pause',
    ({ root }, { from, to, left, width }) => {
      root.style.left = `${left}%`;
      root.style.width = `${width}%`;
      title(root, `Nothing for ${took(to - from)}`);
    },
  );
}

function renderSpans(spans, scale, colourOf) {
  const known = new Set(spans.map(({ id }) => id));
  keyed(
    byId('span-list'),
    treeOf(spans),
    ({ span }) => `${span.node} ${span.id}`,
    'span-line',
    (row, { span, depth }) => {
      const { node, name, kind, start, end, error } = span;
      const isOpen = end === undefined;
      const [left, right] = [scale.at(start), scale.at(isOpen ? scale.end : end)];
      row.root.dataset.colour = colourOf(node);
      row.root.toggleAttribute('data-open', isOpen);
      row.root.toggleAttribute('data-failed', error !== undefined);
      row.label.style.paddingLeft = `${Math.min(depth, MAX_DEPTH) * 14}px`;
      write(row.name, name);
      title(row.name, name);
      write(row.node, node);
      write(row.kind, kind);
      row.bar.style.left = `${left}%`;
      row.bar.style.width = `${Math.max(0, right - left)}%`;
      const words = [isOpen ? 'not ended' : took(end - start)];
      if (error !== undefined) words.push('failed');
      write(row.took, words.join(' · '));
      // Behind the bar; before it where the right edge is near, and inside where the left one is, too.
      const isLate = right > 80;
      const isInside = isLate && left < 20;
      row.took.style.left = isLate ? '' : `${right}%`;
      row.took.style.right = isLate ? `${100 - (isInside ? right : left)}%` : '';
      row.took.toggleAttribute('data-inside', isInside);
      renderDetails(row, span, { after: start - scale.start, isOrphan: depth === 0 && !known.has(span.parent) });
    },
    (row) => row.toggle.addEventListener('click', () => toggle(row)),
  );
}

function toggle(row) {
  const { span } = row.item;
  if (!opened.delete(span.id)) opened.add(span.id);
  showDetails(row, span);
}

function showDetails(row, { id }) {
  row.details.hidden = !opened.has(id);
  row.toggle.setAttribute('aria-expanded', String(opened.has(id)));
}

function renderDetails(row, span, { after, isOrphan }) {
  const { id, parent, start, end, error, attributes = {} } = span;
  const parentText = isOrphan && parent !== undefined ? `${parent} (not in this list)` : parent;
  const facts = [
    ['Error', error],
    ['Begins', `${took(after)} after the first span, ${clock.format(start)}`],
    ['Takes', end === undefined ? 'not ended' : took(end - start)],
    ...Object.entries(attributes),
    ['Span', id],
    ['Parent', parentText],
  ].filter(([, value]) => value !== undefined);
  keyed(
    row.facts,
    facts,
    ([name]) => name,
    'span-fact',
    (fact, [name, value]) => {
      write(fact.name, name);
      write(fact.value, value);
      tone(fact.value, name === 'Error' ? 'bad' : 'idle');
    },
  );
  showDetails(row, span);
}
