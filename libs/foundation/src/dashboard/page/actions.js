// What an operator can do: drain, undrain, move, restart, run. Each is confirmed in the dialog before it is sent.
import { byId, write } from './dom.js';
import { number } from './format.js';
import { post } from './server.js';

const TOAST_MS = 5000;

/** What the dialog asks at the moment. */
let open;

function ask(question) {
  open = question;
  write(byId('ask-title'), question.title);
  write(byId('ask-text'), question.text);
  byId('ask-where').hidden = question.nodes === undefined;
  byId('ask-node').replaceChildren(
    ...(question.nodes ?? []).map(
      ({ name, state, load }) => new Option(`${name} (${state}, load ${number(load)})`, name),
    ),
  );
  byId('ask-error').hidden = true;
  setBusy(false);
  byId('ask').showModal();
  (question.nodes === undefined ? byId('ask-no') : byId('ask-node')).focus();
}

function setBusy(isBusy) {
  byId('ask-yes').disabled = isBusy;
  byId('ask-node').disabled = isBusy;
  write(byId('ask-yes'), isBusy ? open.progress : open.verb);
  byId('ask-form').setAttribute('aria-busy', String(isBusy));
}

export const askDrain = ({ name }) =>
  ask({
    title: `Drain ${name}?`,
    text: `Its processes move to other nodes by planned hand-over, and it takes no new ones until you undrain it.`,
    ...{ verb: 'Drain', progress: 'Draining…', path: 'drain', body: () => ({ node: name }) },
    done: () => `${name} is drained`,
  });

export const askUndrain = ({ name }) =>
  ask({
    title: `Undrain ${name}?`,
    text: `It takes work again. What moved away stays where it is until something moves it.`,
    ...{ verb: 'Undrain', progress: 'Undraining…', path: 'undrain', body: () => ({ node: name }) },
    done: () => `${name} takes work again`,
  });

/** `nodes`: all of the cluster; the dialog offers the others, those that are up first. */
export const askMove = ({ name, node }, nodes) =>
  ask({
    title: `Move ${name}?`,
    text: node ? `It runs on ${node}. It stops there and goes on where you say.` : 'It goes on where you say.',
    nodes: nodes
      .filter((other) => other.name !== node)
      .sort((a, b) => Number(b.state === 'up') - Number(a.state === 'up') || a.load - b.load),
    ...{ verb: 'Move', progress: 'Moving…', path: 'move' },
    body: () => ({ process: name, node: byId('ask-node').value }),
    done: ({ node: to }) => `${name} moves to ${to}`,
  });

export const askRestart = ({ name, node }) =>
  ask({
    title: `Restart ${name}?`,
    text: node ? `It stops on ${node} and a fresh instance starts.` : 'A fresh instance starts.',
    ...{ verb: 'Restart', progress: 'Restarting…', path: 'restart', body: () => ({ process: name }) },
    done: () => `${name} restarts`,
  });

export const askRun = ({ name, node }) =>
  ask({
    title: `Run ${name} now?`,
    text: `It runs once${node ? ` on ${node}` : ''}, beside its times; if it runs already, what its "overlap" says holds.`,
    ...{ verb: 'Run', progress: 'Starting…', path: 'run', body: () => ({ job: name }) },
    done: () => `${name} is asked to run`,
  });

async function confirmed(event) {
  event.preventDefault();
  const question = open;
  const body = question.body();
  setBusy(true);
  byId('ask-error').hidden = true;
  const failure = await post(question.path, body);
  if (open !== question) return; // closed meanwhile, and perhaps another question is open
  setBusy(false);
  if (failure === undefined) byId('ask').close();
  if (failure === undefined) return toast(question.done(body));
  write(byId('ask-error'), failure);
  byId('ask-error').hidden = false;
  write(byId('ask-yes'), 'Try again');
  byId('ask-yes').focus();
}

/** Closes the dialog without an answer. */
export function closeDialog() {
  if (byId('ask').open) byId('ask').close();
}

let toastTimer;

/** Shows a sentence for a few seconds. */
export function toast(text) {
  byId('toast').hidden = false;
  write(byId('toast'), text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (byId('toast').hidden = true), TOAST_MS);
}

byId('ask-form').addEventListener('submit', confirmed);
byId('ask-no').addEventListener('click', closeDialog);
byId('ask').addEventListener('close', () => (open = undefined));
