// Writes into the page. What comes from the cluster is text and only ever set as text. Rows are kept by key, so focus,
// selection and scroll survive each second.

const TONES = new Map([
  ...['up', 'running', 'healthy', 'live', 'runs', 'done', 'complete'].map((word) => [word, 'good']),
  ...['silent', 'suspect', 'draining', 'starting', 'waiting', 'backing-off', 'orphaned'].map((word) => [word, 'warn']),
  ...['degraded', 'reconnecting', 'old', 'interrupted', 'incomplete'].map((word) => [word, 'warn']),
  ...['escalated', 'failed', 'lost', 'unhealthy', 'critical'].map((word) => [word, 'bad']),
]);

export const byId = (id) => document.getElementById(id);

/** The tone of a state: `good`, `warn`, `bad`, or `idle` for one that says neither. */
export const toneOf = (word) => TONES.get(word) ?? 'idle';

export function write(element, value) {
  const text = value === undefined || value === null ? '' : String(value);
  if (element.textContent !== text) element.textContent = text;
  if (element.dataset.label !== undefined) element.toggleAttribute('data-empty', text === '' || text === '–');
}

export function tone(element, name) {
  if (element.dataset.tone !== name) element.dataset.tone = name;
}

/** A state as its word, in its tone. */
export function badge(element, word) {
  write(element, word);
  tone(element, toneOf(word));
}

export function title(element, text) {
  if (element.title !== text) element.title = text;
}

/** A copy of the template's only child as `root`, and each of its parts by the name in `data-part`. */
function fromTemplate(id) {
  const root = byId(id).content.firstElementChild.cloneNode(true);
  const row = { root };
  for (const part of root.querySelectorAll('[data-part]')) row[part.dataset.part] = part;
  return row;
}

const rowsOf = new WeakMap();

/** Makes the children of `parent` those of `items`, in this order: known ones are updated where they are. */
export function keyed(parent, items, keyOf, template, update, created) {
  const before = rowsOf.get(parent) ?? new Map();
  const wanted = new Map();
  for (const item of items) {
    let key = `${keyOf(item)}`;
    while (wanted.has(key)) key += ' again';
    wanted.set(key, item);
  }
  const focused = document.activeElement;
  for (const [key, row] of before) if (!wanted.has(key)) row.root.remove();
  const after = new Map();
  let next = parent.querySelector(':scope > [data-keyed]');
  for (const [key, item] of wanted) {
    let row = before.get(key);
    if (row === undefined) {
      row = fromTemplate(template);
      row.root.dataset.keyed = '';
      created?.(row);
    }
    row.item = item;
    after.set(key, row);
    update(row, item);
    if (row.root === next) next = next.nextElementSibling;
    else parent.insertBefore(row.root, next);
  }
  rowsOf.set(parent, after);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

/** A list of short texts; hidden while there are none. */
export function chips(list, texts) {
  keyed(
    list,
    texts.map((text, index) => ({ text, index })),
    ({ index }) => index,
    'chip',
    ({ root }, { text }) => write(root, text),
  );
  list.hidden = texts.length === 0;
}
