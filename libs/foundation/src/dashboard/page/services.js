// The table of the services, one row for each instance.
import { badge, byId, chips, keyed, write } from './dom.js';
import { duration } from './format.js';
import { lookIntoService } from './look.js';
import { shown } from './tables.js';

const textOf = ({ name, instanceId, node, status, capabilities }) =>
  [name, instanceId, node, status, ...capabilities].join(' ');

export function renderServices({ services, servicesLeftOut, at }, filter) {
  keyed(
    byId('service-list'),
    shown('service', services, textOf, filter, servicesLeftOut),
    ({ instanceId, node, name }) => `${node} ${name} ${instanceId}`,
    'service-row',
    (row, service) => {
      write(row.name, service.name);
      write(row.instance, service.instanceId);
      badge(row.status, service.status);
      row.stale.hidden = service.stale !== true;
      write(row.node, service.node);
      chips(row.capabilities, service.capabilities);
      write(row.age, duration(at - service.registeredAt));
      row.look.disabled = service.isOutside === true;
      row.look.setAttribute('aria-label', `Look into ${service.name} on ${service.node}`);
    },
    (row) => row.look.addEventListener('click', () => lookIntoService(row.item)),
  );
}
