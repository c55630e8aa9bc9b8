// Everything that reads what comes from elsewhere, fed with changed samples that the library itself has written:
// whatever comes, it says what is wrong or takes what is right, in no time, and what it takes is within bounds.
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { NodeRecord } from '../../libs/foundation/src/backend/directory/directory.js';
import { RedisNodeDirectory } from '../../libs/foundation/src/backend/directory/redis.directory.js';
import { Grace } from '../../libs/foundation/src/backend/redis/grace.period.js';
import { Played, replayed } from '../../libs/foundation/src/backend/streams/deduplication.js';
import { accept, dial } from '../../libs/foundation/src/backend/transport/direct/link/handshake.js';
import { formatAddress, parseAddress } from '../../libs/foundation/src/backend/transport/direct/link/host.address.js';
import { Rejected } from '../../libs/foundation/src/backend/transport/direct/link/link.end.js';
import { seal, unseal } from '../../libs/foundation/src/backend/transport/direct/relay.js';
import {
  decodeAck,
  decodePart,
  encodeAck,
  encodeFrame,
  encodePartHead,
  FRAME,
  FrameReader,
  MalformedFrame,
  MAX_PAYLOAD,
} from '../../libs/foundation/src/backend/transport/direct/stream/frames.js';
import { ReceiveStream } from '../../libs/foundation/src/backend/transport/direct/stream/receive.stream.js';
import { decodeState, encodeState } from '../../libs/foundation/src/backend/transport/direct/stream/stream.state.js';
import {
  applyTopics,
  decodeBundle,
  encodeBundle,
  encodeTopics,
} from '../../libs/foundation/src/backend/transport/direct/topic.messages.js';
import { decodeCalls, encodeCall } from '../../libs/foundation/src/calls/call.codec.js';
import { readMarks } from '../../libs/foundation/src/calls/call.marks.js';
import { Gathering } from '../../libs/foundation/src/calls/gathering.js';
import { readFigures } from '../../libs/foundation/src/channels/channel.statistics.js';
import { encode, headsOf, open, originOf } from '../../libs/foundation/src/channels/envelope.js';
import { MessageDrops } from '../../libs/foundation/src/channels/message.drops.js';
import { takeAnswer } from '../../libs/foundation/src/channels/node.answer.js';
import { NodeMessages } from '../../libs/foundation/src/channels/node.messages.js';
import { GapDetector } from '../../libs/foundation/src/channels/receiving/gap.detector.js';
import { Unpacker as IncomingTexts } from '../../libs/foundation/src/channels/receiving/unpacker.js';
import { readCommand, UsageError } from '../../libs/foundation/src/cli/arguments.js';
import { slotNames } from '../../libs/foundation/src/cluster/slot.names.js';
import { readAnnouncement } from '../../libs/foundation/src/cluster/topologies/announce/announcement.js';
import { peersIn, redisIn } from '../../libs/foundation/src/cluster/topologies/consul/consul.catalog.js';
import { peersAt, serverOf, srvIn } from '../../libs/foundation/src/cluster/topologies/dns/dns.answers.js';
import { peerOf } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.pods.js';
import { announcementsIn, recordsOf } from '../../libs/foundation/src/cluster/topologies/mdns/mdns.records.js';
import { checkedPeers } from '../../libs/foundation/src/cluster/topologies/peers.js';
import { MAX_CONTEXT, readContext } from '../../libs/foundation/src/context/context.hook.js';
import { loadCron } from '../../libs/foundation/src/cron/cron.package.js';
import { readSchedule } from '../../libs/foundation/src/cron/job.schedule.js';
import { readEntry } from '../../libs/foundation/src/journal/journal.entry.js';
import { parseEntry } from '../../libs/foundation/src/processes/table/process.table.js';
import { ReplayGuard } from '../../libs/foundation/src/security/replay.guard.js';
import { Secret } from '../../libs/foundation/src/security/secret.js';
import { createSigner, keyFor } from '../../libs/foundation/src/security/signer.js';
import { readRecord, writeRecord } from '../../libs/foundation/src/services/service.record.js';
import {
  changesSince,
  documentOf,
  nextContent,
  overtaking,
  readProposal,
  readRow,
  writeRow,
} from '../../libs/foundation/src/settings/config.row.js';
import { Telemetry } from '../../libs/foundation/src/telemetry/telemetry.js';
import { readTraceContext } from '../../libs/foundation/src/telemetry/tracing.js';
import { checkHistory, describeViolations } from '../../libs/foundation/src/testing/history/check.history.js';
import { type HistoryEvent, parseHistory } from '../../libs/foundation/src/testing/history/history.js';
import { parseDuration } from '../../libs/foundation/src/time/duration.js';
import { fromBytes, readEvent, toBytes } from '../../libs/foundation/src/v1/events/v1.event.js';
import { Histogram, readHistogram } from '../../libs/foundation/src/v1/telemetry/distribution.js';
import { asText } from '../../libs/foundation/src/wire/bundle.js';
import { parseHint } from '../../libs/foundation/src/wire/hint.js';
import { parseJson } from '../../libs/foundation/src/wire/json.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { MalformedPacked } from '../../libs/foundation/src/wire/packed.reader.js';
import { PackedWriter } from '../../libs/foundation/src/wire/packed.writer.js';
import { mulberry32 } from '../chaos/history.plan.mjs';
import { fuzzPlan, Mutator } from '../support/mutations.js';

Logger.overrideLogger(false);

const { seconds, seed, isLong } = fuzzPlan(15);
/** Of the processor, the making of the sample included; the command for the long run tells the real maximum. */
const LIMIT_MS = 2000;
const AT = 1_760_000_000_000;
const heads = headsOf('shop-1', 'boot-1');
const key = keyFor('the cookie of this spec', 'shop', 'letter');
const party = { app: 'shop', bootId: 'boot-2', key, binding: '' };
const keys = keysOf('shop');

const record: NodeRecord = {
  ...{ name: 'shop-1', bootId: 'boot-1', host: 'box', pid: 7, version: '0.1.0', state: 'up', load: 3, lag: 0 },
  classes: ['Feed', 'Till'],
  labels: { role: 'worker' },
  replicas: { 'web/0': { state: 'failed', epoch: 4, since: AT, error: 'no' } },
  listens: { events: ['g:t', ''] },
  ...{ leaseServers: 1, beatEvery: 1000, ttl: 3000, joinedAt: AT, capacity: 5, address: '127.0.0.1:7000' },
};
const options = {
  ...{ restart: 'permanent', maxRestarts: 5, maxSeconds: 60, backoff: { base: 200, cap: 10_000 } },
  ...{ timeout: 30_000, stopTimeout: 5000 },
};
const entry = {
  ...{ name: 'parts', kind: 'partitioned', type: 'Part', count: 4, args: [1, { a: 'b' }], options, handoff: true },
  ...{ status: 'wanted', epoch: 7, crashes: 1, placement: { strategy: 'hash', labels: { role: 'worker' } }, at: AT },
};
const service = writeRecord({
  ...{ name: 'till', instanceId: 'i', node: 'shop-1', bootId: 'boot-1', capabilities: ['pay'], metadata: { a: [1] } },
  ...{ process: 'feed', registeredAt: AT, status: 'healthy' },
} as unknown as Parameters<typeof writeRecord>[0]);
const message = `[${heads.head('normal', 5, AT, AT)},${encode('{"id":7}', { type: 't', ack: 3, groups: { g: 'boot-2' } })},${encode('1')}]`;
const call = encodeCall({
  ...{
    kind: 'call',
    id: 'c-1',
    from: 'boot-1',
    process: 'feed',
    epoch: 3,
    method: 'add',
    args: [1, 'x'],
    timeout: 5000,
  },
  trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
});
const reply = encodeCall({ kind: 'reply', id: 'c-1', outcome: 'error', error: { name: 'E', message: 'm', code: 'c' } });
const state = encodeState({ stream: AT, base: 1, otherStream: AT, received: 9 });
const part = (seq: number): Buffer => {
  const bytes = Buffer.from('a text');
  return Buffer.concat([encodePartHead({ seq, lane: 'normal', kind: 'text', first: true, last: true, bytes }), bytes]);
};
const announcement = { app: 'shop', node: 'shop-1', boot: 'boot-0001', host: 'box', address: '127.0.0.1:7000' };
const consul = [
  {
    Node: { Address: '10.0.0.1' },
    Service: {
      ID: 'a',
      Address: '10.0.0.2',
      Port: 7000,
      Meta: { 'foundation-node': 'shop-1', 'foundation-host': 'box' },
    },
    Checks: [{ Status: 'passing' }],
  },
];
const pod = {
  metadata: { uid: 'u', name: 'shop-1', resourceVersion: '12' },
  spec: { hostname: 'shop-1' },
  status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
};
/** The same messages as links carry them. */
function packed(text: string): Buffer {
  const writer = new PackedWriter();
  for (const value of [JSON.parse(text) as unknown].flat()) writer.add(value);
  return Buffer.from(writer.finish());
}
const bundles = { message: packed(message), call: packed(call), reply: packed(reply) };
const entryOfJournal = {
  ...{ kind: 'process.crashed', at: AT, node: 'shop-1', process: 'feed', epoch: 3, reason: 'crash', error: 'no' },
  ...{ from: 'shop-2', target: 'shop-3', actor: 'ann', via: 'code', count: 2, ms: 10 },
};
const histogram = new Histogram();
for (const value of [0, 1e-12, -5, 3.14, 1e300]) histogram.add(value);
const event = readEvent({ eventType: 'paid', eventId: 'e-1', timestamp: 5, wallTime: new Date(AT), data: { a: [1] } });
const eventBytes = event.ok ? toBytes(event.value) : Buffer.alloc(0);
const cron = await loadCron('this spec');
const history = ['lease.acquired', 'process.started', 'test.effect', 'process.stopped', 'lease.released']
  .map((name, index) => ({ at: index, node: 'a', bootId: 'b', pid: 1, event: name, payload: { name: 'x', epoch: 1 } }))
  .map((each) => `${JSON.stringify(each)}\n`);
const within = (value: unknown, most: number): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;

/** Reads the records as a node does, out of a hash that anybody may have written. */
async function readNode(text: string): Promise<void> {
  const client = { foundationNodesView: async () => ['1', '1', 'all', 'shop-1', text] } as never;
  const nodes = new RedisNodeDirectory({
    client,
    control: client,
    keys,
    config: {} as never,
    seal: createSigner('shop', undefined),
    loads: {} as never,
    grace: new Grace(1517),
  });
  for (const { load, lag, capacity = 0, ttl = 0, leaseServers, pid, joinedAt, classes } of (await nodes.view())
    .members) {
    expect([load, lag, capacity, ttl].every((each) => within(each, 86_400_000))).toBe(true);
    expect([leaseServers, pid, joinedAt].every((each) => within(each, Number.MAX_SAFE_INTEGER))).toBe(true);
    expect(classes.every((each) => typeof each === 'string' && each.length <= 1000)).toBe(true);
  }
}

const told: string[] = [];
const texts = new IncomingTexts({
  own: { prefix: headsOf('own', 'own').prefix, bootId: 'own' },
  sequences: new GapDetector(() => 'unknown'),
  drops: new MessageDrops(new Telemetry()),
  maxMessageBytes: 1024 * 1024,
  sink: {
    listening: () => told,
    deliver: () => undefined,
    gap: ({ missing }) => {
      if (missing !== undefined) expect(missing.last - missing.first).toBeGreaterThanOrEqual(0);
    },
    acknowledge: () => undefined,
    answer: () => undefined,
  },
});
const played = new Played();
const stamps = new ReplayGuard('boot-9');
const stream = new ReceiveStream(1024 * 1024);
let hearLetter: (text: string) => void = () => undefined;
const letters = new NodeMessages(
  { name: 'own', bootId: 'own' } as never,
  {
    publish: async () => 1,
    subscribe: async (_topic: string, hear: (text: string) => void) => {
      hearLetter = hear;
      return async () => undefined;
    },
    onInterrupted: () => () => undefined,
  },
  (bootId) => bootId,
);

const onlyThese =
  (...types: (new (...args: never[]) => Error)[]) =>
  (work: () => unknown): void => {
    try {
      work();
    } catch (error) {
      if (!types.some((type) => error instanceof type)) throw error;
    }
  };

const configChange = { path: 'b.c', value: { d: [1] }, id: 'x', node: 'n' };
const configRow = writeRow(
  nextContent({ ...nextContent(undefined, { ...configChange, path: 'a' }), version: 1 }, configChange),
);

/** Each reader with a sample of what it reads. */
const READERS: Record<string, (mutator: Mutator) => unknown> = {
  'the record of a node': (m) => readNode(`boot-1 ${AT} ${m.text(JSON.stringify(record))}`),
  'a record with another head': (m) => readNode(m.text(`boot-1 ${AT} ${JSON.stringify(record)}`)),
  'the row of a process': (m) => {
    const read = parseEntry({ key: 'parts', value: m.text(JSON.stringify(entry)), version: 1 });
    if (read !== undefined) expect(slotNames(read, 'n').length).toBeLessThanOrEqual(4096);
  },
  'the row of a service': (m) => {
    const read = readRecord({ key: 'i', value: m.text(service), version: 1 });
    if (read !== undefined) expect(within(read.registeredAt, Number.MAX_SAFE_INTEGER)).toBe(true);
  },
  'the row of a configuration': (m) => {
    const read = readRow({ key: 'app', value: m.text(configRow), version: 2 });
    if (read === undefined) return;
    documentOf({ a: 1, b: { c: 2 } }, read.values);
    changesSince(read, 'x');
    overtaking(read, 'y', 'b.c');
    expect(readRow({ key: 'app', value: writeRow(nextContent(read, configChange)), version: 3 })).toBeDefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
  'a proposal for a configuration': (m) => {
    const read = readProposal(parsed(m.text('{"id":"x","values":[{"path":"b.c","value":{"d":[1]}}]}')));
    if (read !== undefined) documentOf({ b: {} }, read.values);
  },
  'the answer of a node': (m) => {
    const gathering = new Gathering(new Map([['boot-1', { node: 'n' }]]), {});
    const body = parsed(m.text('[1,null,["{\\"a\\":1}",""],"failed","why"]'));
    if (Array.isArray(body)) takeAnswer(gathering, 'boot-1', body);
    gathering.end('timeout');
  },
  'a hint': (m) => {
    const hint = parseHint(
      m.text(m.pick(['{"t":"load","node":"a","load":3}', '{"t":"released","name":"x"}', '{"t":"view"}'])),
    );
    if (hint?.t === 'load') expect(within(hint.load, 1_000_000)).toBe(true);
  },
  'a message': (m) => {
    const opened = open('events', m.text(message));
    if (typeof opened !== 'string') expect(within(opened.head.seq, 2 ** 52)).toBe(true);
  },
  'a kept message': (m) => {
    const text = m.text(message);
    replayed(played, { id: m.characters(`${AT}-0`), text, deliveries: 1 }, originOf(text));
  },
  'a packed message': (m) => {
    const bytes = m.bytes(bundles.message);
    const opened = open('events', bytes);
    if (typeof opened !== 'string') expect(within(opened.head.seq, 2 ** 52)).toBe(true);
    texts.receive('events', bytes);
    onlyThese(MalformedPacked)(() => void asText(bytes));
  },
  'packed calls and answers': (m) => {
    for (const each of decodeCalls(m.bytes(m.pick([bundles.call, bundles.reply]))))
      if (typeof each === 'object' && each.kind === 'call')
        expect(within(each.epoch, Number.MAX_SAFE_INTEGER)).toBe(true);
  },
  'a bundle on a link': (m) => {
    const kind = m.pick(['text', 'packed'] as const);
    const read = decodeBundle(kind, m.bytes(encodeBundle('events', m.pick([message, bundles.message]))));
    if (read !== undefined) texts.receive('events', read.bundle());
  },
  'an entry of the journal': (m) => {
    const id = m.below(4) === 0 ? m.characters(`${AT}-0`) : `${AT}-0`;
    const read = readEntry({ id, text: m.text(JSON.stringify(entryOfJournal)) });
    if (read !== undefined) expect(new Date(read.at).toISOString()).toMatch(/^[+\d]/);
  },
  'what travels with messages and calls': (m) => {
    const context = readContext(parsed(m.text('{"tenant":"t-1","user":"ann"}')));
    const letters = Object.entries(context ?? {}).flat();
    expect(letters.every((each) => typeof each === 'string' && each.length <= MAX_CONTEXT)).toBe(true);
    const { traceparent = '', tracestate = '' } =
      readTraceContext(
        parsed(
          m.text(
            '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=b,t@v=x y"}',
          ),
        ),
      ) ?? {};
    // They go into headers.
    expect(/[\r\n\0]/.test(traceparent + tracestate)).toBe(false);
    const marks = readMarks(parsed(m.text('{"add":{"idempotent":true,"timeout":5000}}')));
    for (const { timeout = 1 } of Object.values(marks ?? {})) expect(within(timeout, 2 ** 31 - 1)).toBe(true);
  },
  'a histogram of 1.x': (m) => {
    const read = readHistogram(parsed(m.text(JSON.stringify(histogram.record()))));
    if (read === undefined) return;
    const merged = new Histogram();
    for (let times = 0; times < 2; times += 1) merged.merge(read);
    expect(merged.record().buckets.length).toBeLessThanOrEqual(2000);
  },
  'an event of 1.x': (m) => {
    try {
      const read = fromBytes(m.bytes(eventBytes));
      if (read.ok) expect(Buffer.byteLength(read.value.data)).toBeLessThanOrEqual(1_000_000);
    } catch (error) {
      // Of zlib or of JSON, as its caller takes them.
      expect(['RangeError', 'SyntaxError', 'Error']).toContain((error as Error).name);
    }
    readEvent(parsed(m.text(JSON.stringify({ eventType: 'paid', eventId: 'e-1', timestamp: 5, data: { a: 1 } }))));
  },
  'an address': (m) => {
    const read = parseAddress(m.characters(m.pick(['10.0.0.1:7000', '[fe80::1%eth0]:7000', 'shop-1.local:65535'])));
    if (read === undefined) return;
    expect(within(read.port, 65_535)).toBe(true);
    expect(parseAddress(formatAddress(read))).toEqual(read);
  },
  'a time': (m) => {
    const read = parseDuration(m.characters(m.pick(['1.5s', '30 m', '7d', '500ms'])));
    if (read !== undefined) expect(Number.isFinite(read) && read >= 0).toBe(true);
  },
  'a cron expression': (m) => {
    const fields = Array.from({ length: 4 + m.below(4) }, () =>
      m.pick(['*', '0', '*/7', '1-5', '31', '30', '2', '1,2,3', 'MON', 'L', '*/0', '59-1', m.characters('10-20/3')]),
    );
    const zone = m.pick(['UTC', 'Europe/Berlin', 'Pacific/Apia', m.characters('Asia/Tokyo')]);
    const read = readSchedule([fields.join(' '), zone, 'skip', m.pick(['skip', 'queue', 1])], cron, AT);
    if (typeof read === 'object') expect(read.times.next(AT)).toBeGreaterThan(AT);
    else expect(read.length).toBeLessThan(3000);
  },
  'the words of a command line': (m) => {
    const words = ['foundation', 'history', 'feed', '--since', '1d', '--limit=5', '--redis', 'redis://x', '--', '-h'];
    onlyThese(UsageError)(() => {
      const read = readCommand(
        Array.from({ length: m.below(7) }, () =>
          m.pick([...words, m.characters(m.pick(words)).slice(0, 9999), '__proto__']),
        ),
      );
      expect([within(read.ready, 1000), within(read.query.limit, 1000), within(read.interval, 3_600_000)]).toEqual(
        Array(3).fill(true),
      );
    });
  },
  'what DNS says': (m) => {
    const places = srvIn(
      Array.from({ length: m.below(5) }, () => ({
        name: m.characters('redis-0.redis.default.svc.'),
        port: m.pick([6379, 0, -1, 65_536, NaN]),
        priority: m.pick([0, 1, 65_535]),
      })),
    );
    serverOf(places);
    checkedPeers(peersAt(places));
  },
  'a history': (m) => {
    const lines = history.map((line) => (m.below(3) === 0 ? m.text(line) : line)).join('');
    let events: HistoryEvent[] = [];
    try {
      events = parseHistory(lines);
    } catch (error) {
      expect((error as Error).message).toMatch(/^Line \d+ of the history is not an event/);
    }
    describeViolations(checkHistory(events), events);
  },
  'a text of a channel': (m) => texts.receive('events', m.text(message)),
  'a call or an answer': (m) => {
    for (const each of decodeCalls(m.text(m.pick([call, reply]))))
      if (typeof each === 'object' && each.kind === 'call')
        expect(within(each.epoch, Number.MAX_SAFE_INTEGER)).toBe(true);
  },
  'a letter of a channel': (m) =>
    hearLetter(
      m.text('{"v":1,"from":"shop-1","boot":"boot-1","k":"figures","b":{"id":"1","figures":{"events":{"sent":1}}}}'),
    ),
  'the figures of a node': (m) => {
    const read = readFigures(
      parsed(m.text('{"events":{"sent":1,"received":2,"failed":0,"dropped":0,"waiting":0,"lag":1}}')),
    );
    for (const { sent, lag } of Object.values(read ?? {}))
      expect([sent, lag].every((each) => each >= 0 && each <= Number.MAX_SAFE_INTEGER)).toBe(true);
  },
  'a stamp': (m) => stamps.take('events', m.characters(`boot-1 ${AT * 1000} text`), AT),
  'the state of a stream': (m) => {
    const read = decodeState(m.text(state));
    if (read === undefined) return;
    stream.begin(read.stream, read.base);
    expect(encodeAck(stream.received)).toHaveLength(11);
  },
  'a frame': (m) =>
    onlyThese(MalformedFrame)(() => {
      const reader = new FrameReader(MAX_PAYLOAD);
      for (const { type, payload } of reader.push(m.bytes(Buffer.concat([part(1), encodeAck(5), part(2)])))) {
        if (type === FRAME.data) stream.accept(decodePart(payload));
        if (type === FRAME.ack) decodeAck(payload);
      }
    }),
  'a letter over Redis': (m) =>
    onlyThese(Rejected)(() => {
      const [mac, ...body] = seal(key, 'boot-1', 'boot-2', decodeState(state)!, [part(1), part(2)]).split('\n');
      unseal(key, 'boot-2', m.text([mac, ...body].join('\n')));
      // And of somebody who knows the cookie.
      const frames = [m.bytes(part(1)), encodeFrame(m.below(20), Buffer.alloc(m.below(9)))];
      const letter = unseal(
        key,
        'boot-2',
        seal(key, m.characters('boot-1'), 'boot-2', decodeState(m.text(state)) ?? decodeState(state)!, frames),
      );
      for (const each of letter.parts) stream.accept(each);
    }),
  'a handshake': (m) =>
    onlyThese(
      Rejected,
      MalformedFrame,
    )(() => {
      const dialling = dial({ ...party, bootId: 'boot-1' }, 'boot-2');
      const accepting = accept(party, () => true);
      const hello = dialling.opening!.subarray(5).toString();
      const step = accepting.receive({ type: FRAME.hello, payload: Buffer.from(m.text(hello)) });
      accepting.receive({ type: FRAME.proof, payload: m.bytes(step.send ?? Buffer.alloc(5)) });
    }),
  topics: (m) => {
    const read = applyTopics(
      new Set(['a']),
      Buffer.from(m.text(encodeTopics({ all: ['a', 'b'], add: ['c'], remove: ['d'] }).toString())),
    );
    expect((read ?? new Set()).size).toBeLessThanOrEqual(100_000);
  },
  'an announcement': (m) => readAnnouncement(parsed(m.text(JSON.stringify(announcement)))),
  'records of mDNS': (m) => {
    const answers = recordsOf(announcement).map((answer) =>
      answer.type === 'TXT'
        ? { ...answer, data: [answer.data].flat().map((each) => m.characters(String(each))) }
        : answer,
    );
    announcementsIn(answers);
  },
  'what Consul says': (m) => {
    const value = parsed(m.text(JSON.stringify(consul)));
    if (!Array.isArray(value)) return;
    const { peers } = checkedPeers(peersIn(value).slice(0, 10_000));
    redisIn(value);
    expect(peers.every(({ id }) => id.length <= 300)).toBe(true);
  },
  'what Kubernetes says': (m) => {
    const peer = peerOf(parsed(m.text(JSON.stringify(pod))));
    if (peer !== undefined) checkedPeers([peer]);
  },
};

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

describe('what comes from elsewhere', () => {
  const each = (seconds * 1000) / Object.keys(READERS).length;

  it.each(Object.entries(READERS))(
    'is read without harm: %s',
    async (name, read) => {
      await letters.open();
      const mutator = new Mutator(mulberry32(seed + name.length));
      const end = performance.now() + each;
      let [slowest, runs] = [0, 0];
      while (performance.now() < end || runs < 50) {
        const began = process.cpuUsage();
        try {
          await read(mutator);
        } catch (error) {
          throw new Error(`Run ${runs} with the seed ${seed} (FOUNDATION_FUZZ_SEED)`, { cause: error });
        }
        const { user, system } = process.cpuUsage(began);
        slowest = Math.max(slowest, (user + system) / 1000);
        runs += 1;
      }
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      if (isLong) console.log(`${name}: ${runs} runs, the slowest took ${slowest.toFixed(1)} ms, seed ${seed}`);
      expect({ slowest, seed }).toEqual({ slowest: expect.any(Number), seed });
      expect(slowest).toBeLessThan(LIMIT_MS);
    },
    each + 60_000,
  );

  it('is opened with the cookie only', () => {
    const signing = createSigner('shop', new Secret('the cookie of this spec'));
    const mutator = new Mutator(mulberry32(seed));
    const sealed = signing.sign(keys.nodes, JSON.stringify(record));
    for (let run = 0; run < 2000; run += 1) {
      const changed = mutator.characters(sealed);
      if (changed !== sealed) expect(signing.open(keys.nodes, changed)).toBeUndefined();
    }
  });
});
