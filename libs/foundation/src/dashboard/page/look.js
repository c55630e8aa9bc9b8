// Looks into one process or service, and calls one of its methods. What comes back is text and only ever set as text.
import { byId, tone, write } from './dom.js';
import { send } from './server.js';

/** What is looked into at the moment: its title, where it is asked, and how it is named there. */
let open;

export const lookIntoProcess = ({ name }) => lookInto({ title: name, path: 'processes', names: { process: name } });

export const lookIntoService = ({ name, instanceId }) =>
  lookInto({ title: name, path: 'services', names: { name, instance: instanceId } });

async function lookInto(one) {
  open = one;
  write(byId('look-title'), one.title);
  for (const id of ['look-state', 'look-call', 'look-yes', 'look-error', 'look-result']) byId(id).hidden = true;
  write(byId('look-note'), 'Looking…');
  if (!byId('look').open) byId('look').showModal();
  const { body, failure } = await send(`${one.path}/inspect`, one.names);
  if (open !== one) return; // closed meanwhile, or another one is open
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
  const one = open;
  let args;
  try {
    args = JSON.parse(byId('look-args').value);
  } catch {
    args = undefined;
  }
  if (!Array.isArray(args)) return refuse('Write the arguments as a list in JSON: ["a", 1].');
  byId('look-error').hidden = true;
  byId('look-yes').disabled = true;
  const { body, failure } = await send(`${one.path}/call`, {
    ...{ ...one.names, method: byId('look-method').value, args },
  });
  byId('look-yes').disabled = false;
  if (open !== one) return;
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
