// The dashboard in the browser: keeps the stream and the session, and has the parts of the page written.
import { closeDialog, toast } from './actions.js';
import { renderChannels } from './channels.js';
import { byId, tone, toneOf, write } from './dom.js';
import { addEvent, clearEvents, renderEvents } from './events.js';
import { duration } from './format.js';
import { renderJobs } from './jobs.js';
import { closeLook } from './look.js';
import { renderNodes } from './nodes.js';
import { renderProcesses } from './processes.js';
import { base, post } from './server.js';
import { renderServices } from './services.js';
import { addPoint, renderSummary } from './summary.js';
import { onToggle, toggle, words } from './tables.js';
import { showView } from './trace.js';
import { followTraces } from './traces.js';
import { followWork, renderWork } from './work.js';

const RECONNECT_MS = 1000;
const OLD = 3; // data is old after so many times the pace at which it should come
const SILENT = 10; // a stream that brings nothing for so many times the pace is closed and opened again

let overview;
let freshAt; // performance.now() when the overview last changed
let heardAt = 0;
let connection = 'connecting';
let source;

/** Milliseconds from one overview to the next; a large cluster is polled less often. */
const pace = () => Math.max(1000, 10 * (overview?.nodes.length ?? 0));

// -- writing ----------------------------------------------------------------------------------------------------------

let frame;

/** Once for all that changes until the next frame. */
function render() {
  frame ??= requestAnimationFrame(() => {
    frame = undefined;
    renderConnection();
    if (overview !== undefined) {
      renderSummary(overview);
      renderNodes(overview);
      const filter = words('filter');
      renderProcesses(overview, filter);
      renderJobs(overview, filter);
      renderServices(overview, filter);
      renderChannels(overview);
      renderWork();
    }
    renderEvents();
  });
}

function renderConnection() {
  const age = freshAt === undefined ? Infinity : performance.now() - freshAt;
  const isFresh = connection === 'live' && age < OLD * pace();
  const isOld = connection === 'live' && !isFresh;
  write(byId('connection'), isOld ? 'connected' : connection);
  tone(byId('connection'), toneOf(isOld ? 'old' : connection));
  const known = `data ${isFresh ? 'under ' : ''}${duration(isFresh ? OLD * pace() : age)} old`;
  write(byId('age'), age === Infinity ? '' : known);
  announce();
}

let announced;

/** For screen readers, and only when it changes. */
function announce() {
  if (overview === undefined) return;
  const now = `Cluster ${overview.health.status}, ${connection}`;
  if (now !== announced) write(byId('announcer'), now);
  announced = now;
}

// -- the stream -------------------------------------------------------------------------------------------------------

function show(view) {
  followTraces(view === 'dashboard');
  followWork(view === 'dashboard');
  showView(view === 'dashboard');
  byId('login').hidden = view !== 'login';
  byId('dashboard').hidden = view !== 'dashboard';
}

function retry() {
  source?.close();
  source = undefined;
  connection = 'reconnecting';
  render();
  setTimeout(connect, RECONNECT_MS);
}

/** An EventSource does not tell a refusal from a failure, so the session is checked first. */
async function connect() {
  const session = await fetch(`${base}/session`, { signal: AbortSignal.timeout(SILENT * 1000) }).catch(() => undefined);
  if (session?.status === 401) return signedOut();
  if (!session?.ok) return retry();
  const { role } = await session.json().catch(() => ({}));
  document.body.dataset.role = role === 'viewer' ? 'viewer' : 'operator';
  show('dashboard');
  heardAt = performance.now();
  const stream = new EventSource(`${base}/events`);
  source = stream;
  const hear = (event, use) =>
    stream.addEventListener(event, ({ data }) => {
      if (source !== stream) return;
      heardAt = performance.now();
      connection = 'live';
      use(JSON.parse(data));
      render();
    });
  hear('overview', (fresh) => {
    if (fresh.at !== overview?.at) freshAt = performance.now();
    overview = fresh;
    addPoint(fresh);
  });
  hear('happened', addEvent);
  stream.addEventListener('error', () => source === stream && retry());
}

// -- the session ------------------------------------------------------------------------------------------------------

const SESSION = `foundation-dashboard ${base}`;

/**
 * Only a session of the form can be ended here; the guard of an application has its own way. A browser may forbid to
 * keep that.
 */
function remember(isSignedIn) {
  byId('logout').hidden = !isSignedIn;
  try {
    localStorage.setItem(SESSION, isSignedIn ? 'signed in' : '');
  } catch {
    // Then the button is gone after a reload.
  }
}

function recall() {
  try {
    byId('logout').hidden = !localStorage.getItem(SESSION);
  } catch {
    // As above.
  }
}

function signedOut() {
  source?.close();
  source = undefined;
  connection = 'signed out';
  closeDialog();
  closeLook();
  if (byId('login').hidden) {
    show('login');
    byId('token').focus();
  }
}

async function login(event) {
  event.preventDefault();
  const failure = await post('login', { token: byId('token').value });
  byId('token').value = '';
  write(byId('login-error'), failure);
  byId('login-error').hidden = failure === undefined;
  if (failure !== undefined) return byId('token').focus();
  remember(true);
  connection = 'connecting';
  await connect();
}

async function logout() {
  const failure = await post('logout', {});
  if (failure !== undefined) return toast(failure);
  remember(false);
  overview = undefined;
  clearEvents();
  signedOut();
}

byId('login-form').addEventListener('submit', login);
byId('logout').addEventListener('click', logout);
for (const kind of ['node', 'process', 'work', 'job', 'service'])
  byId(`${kind}-more`).addEventListener('click', () => toggle(kind));
for (const id of ['filter', 'event-filter']) byId(id).addEventListener('input', render);
onToggle(render);
addEventListener('hashchange', () => showView(!byId('dashboard').hidden));
setInterval(() => {
  if (source !== undefined && performance.now() - heardAt > SILENT * pace()) retry();
  renderConnection();
}, 1000);
recall();
void connect();
