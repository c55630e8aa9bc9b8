// What events and metrics carry is data: a closed set of slugs, no sentences, and no topics or boot ids as labels.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { createBackend } from '../../libs/foundation/src/backend/create.backend.js';
import { LocalTransport } from '../../libs/foundation/src/backend/transport/local.transport.js';
import type { Transport } from '../../libs/foundation/src/backend/transport/transport.js';
import { ChannelRuntime } from '../../libs/foundation/src/channels/channel.runtime.js';
import { ClusterView } from '../../libs/foundation/src/cluster/cluster.view.js';
import { LocalNode } from '../../libs/foundation/src/cluster/local.node.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { EVENT_METRICS } from '../../libs/foundation/src/metrics/metric.definitions.js';
import { Telemetry } from '../../libs/foundation/src/telemetry/telemetry.js';

const root = join(import.meta.dirname, '../..');
const SLUG = /^[a-z]+(-[a-z]+)*$/;

const file = join(root, 'libs/foundation/src/telemetry/events.ts');
const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
const aliases = new Map(
  tree.statements.filter(ts.isTypeAliasDeclaration).map((alias) => [alias.name.text, alias.type] as const),
);
const events = tree.statements.filter(ts.isInterfaceDeclaration).find(({ name }) => name.text === 'FoundationEvents')!;

/** The values of a union, and those of the unions in it; `undefined` for what is no closed set. */
function valuesOf(type: ts.TypeNode): string[] | undefined {
  if (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)) return [type.literal.text];
  if (ts.isTypeReferenceNode(type) && aliases.has(type.typeName.getText())) {
    return valuesOf(aliases.get(type.typeName.getText())!);
  }
  if (!ts.isUnionTypeNode(type)) return undefined;
  const values = type.types.map(valuesOf);
  return values.includes(undefined) ? undefined : values.flatMap((each) => each!);
}

/** Event → field → its type, of all fields that say why, which, or how. */
const closed = events.members.flatMap((event) =>
  ((event as ts.PropertySignature).type as ts.TypeLiteralNode).members.flatMap((member) => {
    const field = member as ts.PropertySignature;
    const name = field.name.getText();
    return /reason|status|lane|priority|table|cause|outcome/.test(name)
      ? [{ field: `${(event.name as ts.StringLiteral).text} ${name}`, values: valuesOf(field.type!) }]
      : [];
  }),
);

describe('events.ts', () => {
  it('gives each reason a closed set of slugs', () => {
    expect(closed.length).toBeGreaterThan(12);
    expect(closed.filter(({ values }) => values === undefined)).toEqual([]);
    const values = closed.flatMap(({ field, values = [] }) => values.map((value) => `${field}: ${value}`));
    expect(values.filter((value) => !SLUG.test(value.split(': ')[1]!))).toEqual([]);
    expect(values.length).toBeGreaterThan(60);
  });

  it('says of each value of its unions what it means, and docs/reference/events.md has it', () => {
    const page = readFileSync(join(root, 'docs/reference/events.md'), 'utf8');
    const named = [...aliases].flatMap(([name, type]) => (valuesOf(type) ?? []).map((value) => ({ name, value })));
    expect(named.filter(({ value }) => !page.includes(`\`'${value}'\``))).toEqual([]);
  });
});

describe('what quotes an event', () => {
  const valuesBy = (event: string): string[] =>
    closed.filter(({ field }) => field.startsWith(`${event} `)).flatMap(({ values = [] }) => values);
  const under = (folder: string, ending: RegExp): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => ending.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name));
  /** Event and word of each match that is none of the values of the event. */
  const unknownIn = (files: string[], quoted: RegExp): string[] =>
    files.flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(quoted)].flatMap(([, event = '', word = '']) =>
        valuesBy(event).length === 0 || valuesBy(event).includes(word) ? [] : [`${file}: ${event} ${word}`],
      ),
    );

  it('names a reason of it on every page', () => {
    const pages = ['README.md', 'CHANGELOG.md', ...under('docs', /\.md$/)];
    expect(unknownIn(pages, /`(\w+\.\w+)`(?::| with| \() ?`([^`]+)`/g)).toEqual([]);
    const shown = pages.flatMap((page) => [...readFileSync(join(root, page), 'utf8').matchAll(/"reason":"([^"]+)"/g)]);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.filter(([, word = '']) => !SLUG.test(word)).map(([text]) => text)).toEqual([]);
  });

  it('names a reason of it in every fixture of a test', () => {
    const specs = [...under('libs/foundation/src', /\.spec\.ts$/), ...under('test', /\.ts$/)];
    expect(unknownIn(specs, /'(\w+\.\w+)', \{[^}]*\breason: '([^']+)'/g)).toEqual([]);
  });
});

describe('the labels of metrics', () => {
  it('are fields of events that are closed sets, or names that an application gives', () => {
    const labels = EVENT_METRICS.flatMap(({ event, labels }) => labels.map((label) => `${event} ${label}`));
    const open = labels.filter((label) => !closed.some(({ field }) => field === label));
    const GIVEN = /^(process|service|message|callback|cron)\.\w+ (process|service|channel|callback|job)$/;
    expect(open.filter((label) => !GIVEN.test(label))).toEqual([]);
  });

  it('hold neither a topic nor a boot id, whatever is published on the topics of a node', async () => {
    const config = resolve({ cluster: false, appName: 'shop' }, {}, { host: 'h', pid: 1 });
    const [node, telemetry] = [new LocalNode(config), new Telemetry()];
    const topics = new Map<string, (text: string) => void>();
    const subscribe: Transport['subscribe'] = (topic, listener) => {
      topics.set(topic, listener);
      return Promise.resolve(() => Promise.resolve());
    };
    const transport: Transport = Object.assign(new LocalTransport(), { subscribe });
    const backend = { ...(await createBackend(config, node, telemetry)), transport };
    const membership = new ClusterView(node, config, backend, telemetry);
    const channels = new ChannelRuntime(config, node, backend, membership, telemetry);
    await channels.open();
    await channels.subscribe('events', () => undefined);
    const seen: string[] = [];
    telemetry.attach('message.dropped', (_event, { channel }) => void seen.push(channel));
    expect(topics.size).toBeGreaterThan(1);
    for (const receive of topics.values()) {
      receive('nonsense');
      receive(JSON.stringify([{ v: 99, from: 'x', boot: 'y', k: 'ack', b: 1 }]));
    }
    expect(new Set(seen)).toEqual(new Set(['events', 'mail']));
    await channels.drainHandlers();
    await backend.close();
  });
});
