// The dashboard in the browser: reads the stream, writes what changed into the page. What comes from the cluster is
// text and only ever set as text. Rows are kept by key, so focus, selection and scroll survive each second.
(() => {
  'use strict';

  const base = location.pathname.replace(/\/+$/, '');
  const RECONNECT_MS = 1000;
  const OLD = 3; // data is old after so many times the pace at which it should come
  const SILENT = 10; // an open stream that says nothing for so long is cut and opened anew
  const ROWS = 24; // of a table, until asked for all
  const EVENTS = 1000;
  const EVENTS_SHOWN = 200;

  const TONES = new Map([
    ...['up', 'running', 'healthy', 'live'].map((word) => [word, 'good']),
    ...[
      'silent',
      'suspect',
      'draining',
      'joining',
      'starting',
      'stopping',
      'waiting',
      'restarting',
      'backing-off',
      'observing',
    ].map((word) => [word, 'warn']),
    ...['degraded', 'reconnecting', 'warning', 'old'].map((word) => [word, 'warn']),
    ...['down', 'isolated', 'escalated', 'crashed', 'failed', 'lost', 'unhealthy', 'critical'].map((word) => [
      word,
      'bad',
    ]),
  ]);
  const BAD_EVENT = /escalat|crash|fail|lost|isolat|dead|invalid|unhealthy|refused|violat/;
  const WARN_EVENT = /left|suspect|gap|drop|stall|drain|degrad|warn|expired|stopped|deregister/;

  const byId = (id) => document.getElementById(id);
  const number = (value, digits = 0) =>
    Number.isFinite(value) ? value.toLocaleString('en', { maximumFractionDigits: digits }) : '–';
  const rate = (value) => number(value, value < 10 ? 1 : 0);
  const lag = (ms) => (ms >= 10_000 ? duration(ms) : `${number(ms, ms < 10 ? 1 : 0)} ms`);
  const plural = (count, word, more = `${word}s`) => `${number(count)} ${count === 1 ? word : more}`;
  const capital = (word) => `${String(word).charAt(0).toUpperCase()}${String(word).slice(1)}`;
  const sum = (items, of) => items.reduce((total, item) => total + (Number(of(item)) || 0), 0);

  function duration(ms) {
    if (!Number.isFinite(ms)) return '–';
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }

  // -- writing into the page
  // --------------------------------------------------------------------------------------------

  function write(element, value) {
    const text = value === undefined || value === null ? '' : String(value);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.label !== undefined) element.toggleAttribute('data-empty', text === '' || text === '–');
  }

  function tone(element, word, name = TONES.get(word) ?? 'idle') {
    if (element.dataset.tone !== name) element.dataset.tone = name;
  }

  function badge(element, word) {
    write(element, word);
    tone(element, word);
  }

  function title(element, text) {
    if (element.title !== text) element.title = text;
  }

  function fromTemplate(id) {
    const root = byId(id).content.firstElementChild.cloneNode(true);
    const row = { root };
    for (const part of root.querySelectorAll('[data-part]')) row[part.dataset.part] = part;
    return row;
  }

  const rowsOf = new WeakMap();

  /** Makes the children of `parent` those of `items`, in this order: known ones are updated where they are. */
  function keyed(parent, items, keyOf, template, update, created) {
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

  function chips(list, texts) {
    keyed(
      list,
      texts.map((text, index) => ({ text, index })),
      ({ index }) => index,
      'chip',
      ({ root }, { text }) => write(root, text),
    );
    list.hidden = texts.length === 0;
  }

  // -- what is known
  // ----------------------------------------------------------------------------------------------------

  let overview;
  let freshAt; // performance.now() when the overview last moved on
  let heardAt = 0;
  let connection = 'connecting';
  let source;
  const happenings = new Map();
  const sentLately = [];
  const opened = new Set(); // tables shown whole, channels shown by node
  let frame;

  /** Milliseconds from one overview to the next; a large cluster is asked less often. */
  const pace = () => Math.max(1000, 10 * (overview?.nodes.length ?? 0));

  function render() {
    frame ??= requestAnimationFrame(() => {
      frame = undefined;
      renderConnection();
      if (overview !== undefined) renderOverview();
      renderEvents();
    });
  }

  const words = (id) => byId(id).value.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = (items, filter, textOf) =>
    filter.length === 0
      ? items
      : items.filter((item) => {
          const text = textOf(item).toLowerCase();
          return filter.every((word) => text.includes(word));
        });

  // -- header
  // -----------------------------------------------------------------------------------------------------------

  function renderConnection() {
    const age = freshAt === undefined ? Infinity : performance.now() - freshAt;
    const fresh = connection === 'live' && age < OLD * pace();
    write(byId('connection'), connection === 'live' && !fresh ? 'connected' : connection);
    tone(byId('connection'), connection === 'live' && !fresh ? 'old' : connection);
    write(
      byId('age'),
      age === Infinity ? '' : `data ${fresh ? 'under ' : ''}${duration(fresh ? OLD * pace() : age)} old`,
    );
    announce();
  }

  let announced;
  function announce() {
    if (overview === undefined) return;
    const now = `Cluster ${overview.health.status}, ${connection}`;
    if (now !== announced) write(byId('announcer'), now);
    announced = now;
  }

  function renderOverview() {
    const { app, health } = overview;
    const status = capital(health.status);
    write(byId('app'), app);
    write(byId('health'), status);
    tone(byId('health'), health.status);
    const page = `${health.status === 'healthy' ? '' : `${status} · `}${app} · Foundation`;
    if (document.title !== page) document.title = page;

    tone(byId('reasons'), health.status);
    byId('reasons').hidden = health.reasons.length === 0;
    keyed(
      byId('reason-list'),
      health.reasons,
      ({ severity, message, detail }) => `${severity} ${message} ${detail ?? ''}`,
      'reason-item',
      (row, { severity, message, detail }) => {
        badge(row.severity, severity);
        write(row.message, detail === undefined ? message : `${message} (${detail})`);
      },
    );
    renderTiles();
    renderNodes();
    const filter = words('filter');
    renderProcesses(filter);
    renderServices(filter);
    renderChannels();
  }

  function tile(name, figure, note, noteTone) {
    write(byId(`tile-${name}`), figure);
    write(byId(`tile-${name}-note`), note);
    tone(byId(`tile-${name}-note`), undefined, noteTone);
  }

  function renderTiles() {
    const { nodes, processes, processesLeftOut, services, servicesLeftOut, channels } = overview;
    const others = nodes.filter(({ state }) => state !== 'up');
    const states = [...new Set(others.map(({ state }) => state))];
    const counted = states.map((state) => `${number(others.filter((node) => node.state === state).length)} ${state}`);
    tile('nodes', number(nodes.length), counted.join(', ') || 'all up', others.length > 0 ? 'warn' : 'idle');

    const idle = processes.filter(({ state }) => !['running', 'completed', 'stopped'].includes(state));
    const escalated = idle.some(({ state }) => TONES.get(state) === 'bad');
    const waits = `${number(idle.length)}${idle.length === processes.length && processesLeftOut > 0 ? ' or more' : ''} not running`;
    const total = processes.length + processesLeftOut;
    const note = total === 0 ? 'none started' : idle.length === 0 ? 'all well' : waits;
    tile('processes', number(total), note, idle.length === 0 ? 'idle' : escalated ? 'bad' : 'warn');

    const sick = services.filter(({ status }) => status !== 'healthy').length;
    const offered = services.length + servicesLeftOut;
    const health = offered === 0 ? 'none registered' : sick === 0 ? 'all healthy' : `${number(sick)} unhealthy`;
    tile('services', number(offered), health, sick > 0 ? 'bad' : 'idle');

    const received = `${rate(sum(channels, (channel) => channel.receivedPerSecond))} received`;
    tile('messages', rate(sum(channels, (channel) => channel.sentPerSecond)), received, 'idle');
    const top = Math.max(1, ...sentLately);
    const points = sentLately.map((sent, index) => `${(index * 100) / 59},${23 - (22 * sent) / top}`);
    byId('tile-messages-spark').setAttribute('points', points.join(' '));
  }

  // -- nodes
  // ------------------------------------------------------------------------------------------------------------

  function renderNodes() {
    const sorted = troubledFirst(
      overview.nodes,
      () => false,
      ({ state }) => state !== 'up',
    );
    keyed(
      byId('node-list'),
      shown('node', sorted, ({ name }) => name, [], 0),
      ({ name }) => name,
      'node-card',
      (row, node) => {
        write(row.name, node.name);
        badge(row.state, node.state);
        write(row.where, `${node.host}, pid ${node.pid}`);
        row.self.hidden = node.name !== overview.self;
        write(row.load, node.capacity > 0 ? `${number(node.load)} of ${number(node.capacity)}` : number(node.load));
        write(row.lag, lag(node.lag));
        write(row.uptime, duration(overview.at - node.joinedAt));
        write(row.version, node.version || '–');
        row.gauge.hidden = !(node.capacity > 0);
        const share = node.capacity > 0 ? Math.min(1, node.load / node.capacity) : 0;
        row.level.style.width = `${share * 100}%`;
        tone(row.gauge, undefined, share > 0.9 ? 'bad' : share > 0.7 ? 'warn' : 'good');
        chips(
          row.labels,
          Object.entries(node.labels ?? {}).map(([label, value]) => `${label}: ${value}`),
        );
        row.drain.disabled = node.state === 'draining';
        write(row.drain, node.state === 'draining' ? 'Draining' : 'Drain');
        row.drain.setAttribute('aria-label', `Drain ${node.name}`);
      },
      (row) => row.drain.addEventListener('click', () => askDrain(row.item)),
    );
  }

  // -- tables
  // -----------------------------------------------------------------------------------------------------------

  /**
   * In the order that it has, but what is bad first; what only passes too, where otherwise it might not be among the
   * shown.
   */
  function troubledFirst(items, isBad, isPassing) {
    const rank = (item) => (isBad(item) ? 0 : items.length > ROWS && isPassing(item) ? 1 : 2);
    return [...items].sort((a, b) => rank(a) - rank(b));
  }

  /** The rows of a table that are shown, and its foot, which says what is not. */
  function shown(kind, items, textOf, filter, leftOut) {
    const found = matching(items, filter, textOf);
    const rows = opened.has(kind) ? found : found.slice(0, ROWS);
    const more = byId(`${kind}-more`);
    more.hidden = found.length <= ROWS;
    write(more, opened.has(kind) ? `Show the first ${ROWS}` : `Show all ${number(found.length)}`);
    const parts = [];
    if (items.length === 0 && leftOut === 0) parts.push('None yet');
    if (items.length > 0 && filter.length > 0) parts.push(`${number(found.length)} of ${number(items.length)} match`);
    if (rows.length < found.length) parts.push(`${number(rows.length)} shown`);
    if (leftOut > 0) parts.push(`and ${number(leftOut)} more that are not listed here`);
    write(byId(`${kind}-foot`), parts.join(', '));
    return rows;
  }

  function renderProcesses(filter) {
    const sorted = troubledFirst(
      overview.processes,
      ({ state }) => TONES.get(state) === 'bad',
      ({ state }) => TONES.get(state) === 'warn',
    );
    const text = ({ name, kind, state, node, why, error }) => [name, kind, state, node, why, error].join(' ');
    keyed(
      byId('process-list'),
      shown('process', sorted, text, filter, overview.processesLeftOut),
      ({ name }) => name,
      'process-row',
      (row, one) => {
        write(row.name, one.name);
        write(row.kind, one.kind);
        write(row.why, one.why);
        badge(row.state, one.state);
        write(row.error, one.error);
        write(row.node, one.node ?? '–');
        write(row.epoch, one.epoch ?? '–');
        write(row.age, one.startedAt === undefined ? '–' : duration(overview.at - one.startedAt));
        write(row.restarts, number(one.restarts));
        row.restarts.classList.toggle('bad', one.restarts > 0);
        // One on every node stays there.
        row.move.disabled = one.name.endsWith(`@${one.node}`) || !overview.nodes.some(({ name }) => name !== one.node);
        row.move.setAttribute('aria-label', `Move ${one.name}`);
        row.restart.setAttribute('aria-label', `Restart ${one.name}`);
      },
      (row) => {
        row.move.addEventListener('click', () => askMove(row.item));
        row.restart.addEventListener('click', () => askRestart(row.item));
      },
    );
  }

  function renderServices(filter) {
    const text = ({ name, instanceId, node, status, capabilities }) =>
      [name, instanceId, node, status, ...capabilities].join(' ');
    keyed(
      byId('service-list'),
      shown('service', overview.services, text, filter, overview.servicesLeftOut),
      ({ instanceId, node, name }) => `${node} ${name} ${instanceId}`,
      'service-row',
      (row, service) => {
        write(row.name, service.name);
        write(row.instance, service.instanceId);
        badge(row.status, service.status);
        row.stale.hidden = service.stale !== true;
        write(row.node, service.node);
        chips(row.capabilities, service.capabilities);
        write(row.age, duration(overview.at - service.registeredAt));
      },
    );
  }

  function renderChannels() {
    const groups = new Map();
    for (const one of overview.channels) groups.set(one.channel, [...(groups.get(one.channel) ?? []), one]);
    keyed(
      byId('channel-table'),
      [...groups].sort(([a], [b]) => a.localeCompare(b)),
      ([channel]) => channel,
      'channel-group',
      ({ root }, [channel, nodes]) => {
        const rows = [{ ...totalOf(nodes), channel, nodes: nodes.length }];
        if (opened.has(`channel ${channel}`) && nodes.length > 1) rows.push(...nodes);
        keyed(
          root,
          rows,
          (row) => row.node ?? '',
          'channel-row',
          renderChannel,
          (row) => {
            row.toggle.addEventListener('click', () => toggle(`channel ${row.item.channel}`));
          },
        );
      },
    );
    const silent = overview.silentNodes;
    const none = overview.channels.length === 0 ? 'No channel is used yet. ' : '';
    const said = silent.length === 0 ? '' : `Without ${silent.join(', ')}, which did not answer in time.`;
    write(byId('channel-foot'), `${none}${said}`.trim());
  }

  function totalOf(nodes) {
    const why = new Map();
    for (const { droppedWhy } of nodes)
      for (const [reason, count] of Object.entries(droppedWhy ?? {})) why.set(reason, (why.get(reason) ?? 0) + count);
    return {
      node: undefined,
      where: nodes.length === 1 ? nodes[0].node : '',
      sentPerSecond: sum(nodes, (node) => node.sentPerSecond),
      receivedPerSecond: sum(nodes, (node) => node.receivedPerSecond),
      waiting: sum(nodes, (node) => node.waiting),
      lagMs: Math.max(...nodes.map((node) => node.lagMs)),
      failed: sum(nodes, (node) => node.failed),
      dropped: sum(nodes, (node) => node.dropped),
      droppedWhy: Object.fromEntries(why),
    };
  }

  function renderChannel(row, one) {
    const whole = one.node === undefined;
    row.root.classList.toggle('part', !whole);
    write(row.name, whole ? one.channel : one.node);
    row.toggle.hidden = !whole || one.nodes < 2;
    if (!row.toggle.hidden) {
      const open = opened.has(`channel ${one.channel}`);
      write(row.toggle, open ? 'hide nodes' : plural(one.nodes, 'node'));
      row.toggle.setAttribute('aria-expanded', String(open));
      row.toggle.setAttribute('aria-label', `${plural(one.nodes, 'node')} of ${one.channel}`);
    }
    write(row.sent, rate(one.sentPerSecond));
    write(row.received, rate(one.receivedPerSecond));
    write(row.waiting, number(one.waiting));
    write(row.lag, lag(one.lagMs));
    write(row.failed, number(one.failed));
    row.failed.classList.toggle('bad', one.failed > 0);
    write(row.dropped, number(one.dropped));
    row.dropped.classList.toggle('bad', one.dropped > 0);
    const why = Object.entries(one.droppedWhy ?? {}).filter(([, count]) => count > 0);
    write(row.reason, why.map(([reason, count]) => `${number(count)} ${reason}`).join(', '));
  }

  // -- events
  // -----------------------------------------------------------------------------------------------------------

  const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

  /** A reconnect brings the last ones again, and what happens again soon after raises the count of its line. */
  function happened(one) {
    const key = `${one.at} ${one.event} ${one.node} ${one.text}`;
    happenings.set(key, { ...one, key });
    if (happenings.size > EVENTS) happenings.delete(happenings.keys().next().value);
  }

  function renderEvents() {
    const all = [...happenings.values()].sort((a, b) => b.at - a.at);
    const filter = words('event-filter');
    const found = matching(all, filter, ({ event, node, text }) => [event, node, text].join(' '));
    keyed(
      byId('event-list'),
      found.slice(0, EVENTS_SHOWN),
      ({ key }) => key,
      'event-item',
      (row, { at, event, node, text, count }) => {
        write(row.time, clock.format(at));
        row.time.dateTime = new Date(at).toISOString();
        title(row.time, new Date(at).toLocaleString());
        write(row.event, event);
        tone(row.event, undefined, BAD_EVENT.test(event) ? 'bad' : WARN_EVENT.test(event) ? 'warn' : 'idle');
        write(row.node, node);
        write(row.text, count > 1 ? `${text} (${number(count)} times)` : text);
      },
    );
    const parts = [];
    if (all.length === 0) parts.push('Nothing has happened yet');
    if (all.length > 0 && filter.length > 0) parts.push(`${number(found.length)} of ${number(all.length)} match`);
    if (found.length > EVENTS_SHOWN) parts.push(`and ${number(found.length - EVENTS_SHOWN)} older`);
    write(byId('event-foot'), parts.join(', '));
  }

  // -- actions
  // ----------------------------------------------------------------------------------------------------------

  let asked;

  function ask(question) {
    asked = question;
    write(byId('ask-title'), question.title);
    write(byId('ask-text'), question.text);
    byId('ask-where').hidden = question.nodes === undefined;
    byId('ask-node').replaceChildren(
      ...(question.nodes ?? []).map(
        ({ name, state, load }) => new Option(`${name} (${state}, load ${number(load)})`, name),
      ),
    );
    byId('ask-error').hidden = true;
    busy(false);
    byId('ask').showModal();
    (question.nodes === undefined ? byId('ask-no') : byId('ask-node')).focus();
  }

  function busy(is) {
    byId('ask-yes').disabled = is;
    byId('ask-node').disabled = is;
    write(byId('ask-yes'), is ? asked.progress : asked.verb);
    byId('ask-form').setAttribute('aria-busy', String(is));
  }

  const askDrain = ({ name }) =>
    ask({
      title: `Drain ${name}?`,
      text: `Its processes move to other nodes by planned hand-over, and it takes no new ones.`,
      ...{ verb: 'Drain', progress: 'Draining…', path: 'drain', body: () => ({ node: name }) },
      done: () => `${name} is drained`,
    });

  const askMove = ({ name, node }) =>
    ask({
      title: `Move ${name}?`,
      text: node ? `It runs on ${node}. It stops there and goes on where you say.` : 'It goes on where you say.',
      nodes: overview.nodes
        .filter((other) => other.name !== node)
        .sort((a, b) => Number(b.state === 'up') - Number(a.state === 'up') || a.load - b.load),
      ...{ verb: 'Move', progress: 'Moving…', path: 'move' },
      body: () => ({ process: name, node: byId('ask-node').value }),
      done: ({ node: to }) => `${name} moves to ${to}`,
    });

  const askRestart = ({ name, node }) =>
    ask({
      title: `Restart ${name}?`,
      text: node ? `It stops on ${node} and a fresh instance starts.` : 'A fresh instance starts.',
      ...{ verb: 'Restart', progress: 'Restarting…', path: 'restart', body: () => ({ process: name }) },
      done: () => `${name} restarts`,
    });

  async function answer(event) {
    event.preventDefault();
    const question = asked;
    const body = question.body();
    busy(true);
    byId('ask-error').hidden = true;
    const failure = await post(question.path, body);
    if (asked !== question) return; // closed meanwhile, and perhaps another question is open
    busy(false);
    if (failure === undefined) byId('ask').close();
    if (failure === undefined) return toast(question.done(body));
    write(byId('ask-error'), failure);
    byId('ask-error').hidden = false;
    write(byId('ask-yes'), 'Try again');
    byId('ask-yes').focus();
  }

  let toasted;
  function toast(text) {
    byId('toast').hidden = false;
    write(byId('toast'), text);
    clearTimeout(toasted);
    toasted = setTimeout(() => (byId('toast').hidden = true), 5000);
  }

  /** The sentence of the server when it refused, `undefined` when it did it. */
  async function post(path, body) {
    try {
      const headers = { 'content-type': 'application/json', 'x-foundation-dashboard': '1' };
      const response = await fetch(`${base}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      if (response.ok) return undefined;
      const said = await response.json().catch(() => undefined);
      return typeof said?.message === 'string' ? said.message : `The server answered ${response.status}.`;
    } catch {
      return 'The server cannot be reached. Whether it did it is unknown.';
    }
  }

  function toggle(what) {
    if (!opened.delete(what)) opened.add(what);
    render();
  }

  // -- session and stream
  // -----------------------------------------------------------------------------------------------

  function show(view) {
    byId('login').hidden = view !== 'login';
    byId('dashboard').hidden = view !== 'dashboard';
  }

  function signedOut() {
    source?.close();
    source = undefined;
    connection = 'signed out';
    if (byId('ask').open) byId('ask').close();
    if (byId('login').hidden) {
      show('login');
      byId('token').focus();
    }
  }

  function retry() {
    source?.close();
    source = undefined;
    connection = 'reconnecting';
    render();
    setTimeout(connect, RECONNECT_MS);
  }

  /** An EventSource does not tell a refusal from a failure, so the session is asked first. */
  async function connect() {
    const session = await fetch(`${base}/session`, { signal: AbortSignal.timeout(SILENT * 1000) }).catch(
      () => undefined,
    );
    if (session?.status === 401) return signedOut();
    if (!session?.ok) return retry();
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
      sentLately.push(sum(fresh.channels, (channel) => channel.sentPerSecond));
      if (sentLately.length > 60) sentLately.shift();
    });
    hear('happened', happened);
    stream.addEventListener('error', () => source === stream && retry());
  }

  /** Who came in by the form can go; the guard of an application has its own way. A browser may forbid to keep that. */
  function remember(isSignedIn) {
    byId('logout').hidden = !isSignedIn;
    try {
      localStorage.setItem(`foundation-dashboard ${base}`, isSignedIn ? 'signed in' : '');
    } catch {
      // Then the button is gone after a reload.
    }
  }

  function recall() {
    try {
      byId('logout').hidden = !localStorage.getItem(`foundation-dashboard ${base}`);
    } catch {
      // As above.
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
    happenings.clear();
    signedOut();
  }

  byId('login-form').addEventListener('submit', login);
  byId('logout').addEventListener('click', logout);
  byId('ask-form').addEventListener('submit', answer);
  byId('ask-no').addEventListener('click', () => byId('ask').close());
  byId('ask').addEventListener('close', () => (asked = undefined));
  for (const kind of ['node', 'process', 'service']) byId(`${kind}-more`).addEventListener('click', () => toggle(kind));
  for (const id of ['filter', 'event-filter']) byId(id).addEventListener('input', render);
  setInterval(() => {
    if (source !== undefined && performance.now() - heardAt > SILENT * pace()) retry();
    renderConnection();
  }, 1000);
  recall();
  void connect();
})();
