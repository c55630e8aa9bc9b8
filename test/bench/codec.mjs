// What a message costs as JSON, as the library sends it over Redis, and packed, as it does over links: one process, one
// after the other in each round. npm run bench -- codec [--reps N] [--out FILE]
import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parseJson } from '../../libs/foundation/dist/wire/json.js';
import { openPacked } from '../../libs/foundation/dist/wire/packed.reader.js';
import { PackedWriter } from '../../libs/foundation/dist/wire/packed.writer.js';
import { median } from './figures.mjs';
import { describeMachine } from './machine.mjs';
import { payloads } from './payloads.mjs';

export const about = 'a message as JSON and packed: time to write, time to read, bytes; one process, no network';

const BUNDLES = [
  [100, 1],
  [100, 100],
  [1000, 1],
  [1000, 60],
  [10_000, 6],
];
/** So many bytes of JSON in each round. */
const ROUND = 12e6;
const WARM_UP = 2;

const CODECS = {
  JSON: {
    write(messages) {
      const texts = messages.map((message) => {
        const text = JSON.stringify(message);
        Buffer.byteLength(text);
        return `{"b":${text}}`;
      });
      return `[${texts.join(',')}]`;
    },
    read: (text) => parseJson(text).map(({ b }) => b),
  },
  packed: {
    write(messages) {
      const writer = new PackedWriter();
      for (const b of messages) writer.add({ b });
      const bytes = writer.finish();
      writer.release();
      return bytes;
    },
    read(bytes) {
      const { count, values } = openPacked(bytes);
      return Array.from({ length: count }, () => values.next().b);
    },
  },
};

export function run({ reps = 7, out }) {
  const rows = BUNDLES.flatMap(([size, count]) => measure(size, count, Number(reps)));
  console.log(`## codec\n\n${describeMachine()}\n`);
  console.log('| | | µs to write | µs to read | bytes |\n|---|---|--:|--:|--:|');
  for (const { size, count, codec, write, read, bytes } of rows)
    console.log(`| ${size} B, ${count} in a bundle | ${codec} | ${write.toFixed(2)} | ${read.toFixed(2)} | ${bytes} |`);
  if (out !== undefined) writeFileSync(out, `${JSON.stringify({ scenario: 'codec', rows }, undefined, 2)}\n`);
}

function measure(size, count, reps) {
  const pool = payloads(size);
  const bundles = Array.from({ length: Math.floor(pool.length / count) }, (_, index) =>
    pool.slice(index * count, (index + 1) * count),
  );
  const times = Math.max(1, Math.round(ROUND / size / bundles.length / count));
  const samples = Object.fromEntries(Object.keys(CODECS).map((codec) => [codec, { write: [], read: [] }]));
  for (let rep = 0; rep < reps + WARM_UP; rep++) {
    for (const [codec, { write, read }] of Object.entries(CODECS)) {
      // A packed bundle is only valid until its room is used again.
      const written = bundles.map((messages) => copyOf(write(messages)));
      if (!isDeepStrictEqual(read(written[0]), bundles[0])) throw new Error(`${codec} reads something else`);
      const micros = {
        write: cpu(() => bundles.forEach(write), times) / (bundles.length * count),
        read: cpu(() => written.forEach(read), times) / (bundles.length * count),
      };
      if (rep >= WARM_UP) for (const each of ['write', 'read']) samples[codec][each].push(micros[each]);
      samples[codec].bytes = Math.round(written[0].length / count);
    }
  }
  return Object.entries(samples).map(([codec, { write, read, bytes }]) => ({
    ...{ size, count, codec, bytes },
    ...{ write: median(write), read: median(read) },
  }));
}

function copyOf(bundle) {
  return typeof bundle === 'string' ? bundle : Buffer.from(bundle);
}

/** Microseconds of CPU of one call. */
function cpu(work, times) {
  const { user, system } = process.cpuUsage();
  for (let index = 0; index < times; index++) work();
  const now = process.cpuUsage();
  return (now.user + now.system - user - system) / times;
}
