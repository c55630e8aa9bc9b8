// The table of the channels: the sum of all nodes, and each node once a channel is opened.
import { byId, keyed, write } from './dom.js';
import { lag, number, plural, rate, sum } from './format.js';
import { isOpen, toggle } from './tables.js';

export function renderChannels({ channels, silentNodes }) {
  const groups = new Map();
  for (const one of channels) groups.set(one.channel, [...(groups.get(one.channel) ?? []), one]);
  keyed(
    byId('channel-table'),
    [...groups].sort(([a], [b]) => a.localeCompare(b)),
    ([channel]) => channel,
    'channel-group',
    ({ root }, [channel, nodes]) => {
      const rows = [{ ...totalOf(nodes), channel, nodes: nodes.length }];
      if (isOpen(`channel ${channel}`) && nodes.length > 1) rows.push(...nodes);
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
  const none = channels.length === 0 ? 'No channel is used yet. ' : '';
  const said = silentNodes.length === 0 ? '' : `Without ${silentNodes.join(', ')}, which did not answer in time.`;
  write(byId('channel-foot'), `${none}${said}`.trim());
}

function totalOf(nodes) {
  return {
    sentPerSecond: sum(nodes, (node) => node.sentPerSecond),
    receivedPerSecond: sum(nodes, (node) => node.receivedPerSecond),
    waiting: sum(nodes, (node) => node.waiting),
    lagMs: Math.max(...nodes.map((node) => node.lagMs)),
    failed: sum(nodes, (node) => node.failed),
    dropped: sum(nodes, (node) => node.dropped),
  };
}

function renderChannel(row, one) {
  const isTotal = one.node === undefined;
  row.root.classList.toggle('part', !isTotal);
  write(row.name, isTotal ? one.channel : one.node);
  row.toggle.hidden = !isTotal || one.nodes < 2;
  if (!row.toggle.hidden) {
    const open = isOpen(`channel ${one.channel}`);
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
}
