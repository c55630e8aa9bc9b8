// Looks into one process, and calls one of its methods. What comes back is text and only ever set as text.
import { byId, tone, write } from './dom.js';
import { send } from './server.js';

/** The process that is looked into at the moment. */
let open;

export async function lookInto(process) {
  open = process;
  write(byId('look-title'), process.name);
  for (const id of ['look-state', 'look-call', 'look-yes', 'look-error', 'look-result']) byId(id).hidden = true;
  write(byId('look-note'), 'Looking…');
  if (!byId('look').open) byId('look').showModal();
  const { body, failure } = await send('processes/inspect', { process: process.name });
  if (open !== process) return; // closed meanwhile, or another one is open
  if (failure !== undefined) return write(byId('look-note'), failure);
  const { node, state, problem, methods } = body;
  write(byId('look-note'), `On ${node}. ${problem ?? 'What inspect() returned:'}`);
  write(byId('look-state'), state);
  byId('look-state').hidden = state === undefined;
  const chosen = byId('look-method').value;
  byId('look-method').replaceChildren(...methods.map((method) => new Option(method, method)));
  if (methods.includes(chosen)) byId('look-method').value = chosen;
  byId('look-call').hidden = byId('look-yes').hidden = methods.length === 0;
}

async function call(event) {
  event.preventDefault();
  const process = open;
  let args;
  try {
    args = JSON.parse(byId('look-args').value);
  } catch {
    args = undefined;
  }
  if (!Array.isArray(args)) return refuse('Write the arguments as a list in JSON: ["a", 1].');
  byId('look-error').hidden = true;
  byId('look-yes').disabled = true;
  const { body, failure } = await send('processes/call', {
    ...{ process: process.name, method: byId('look-method').value, args },
  });
  byId('look-yes').disabled = false;
  if (open !== process) return;
  if (failure !== undefined) return refuse(failure);
  write(byId('look-result'), body.result);
  byId('look-result').hidden = false;
}

function refuse(text) {
  byId('look-result').hidden = true;
  byId('look-error').hidden = false;
  write(byId('look-error'), text);
  tone(byId('look-error'), 'bad');
}

/** Closes the dialog. */
export function closeLook() {
  if (byId('look').open) byId('look').close();
}

byId('look-form').addEventListener('submit', call);
byId('look-close').addEventListener('click', closeLook);
byId('look-again').addEventListener('click', () => open !== undefined && lookInto(open));
byId('look').addEventListener('close', () => (open = undefined));
