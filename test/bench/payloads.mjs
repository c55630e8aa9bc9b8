// What is sent: many different messages of one size, because a constant one flatters caches of keys and strings.
// The same seed makes the same messages for every peer and every run.
import { Buffer } from 'node:buffer';

const WORDS = 'amber brook cedar delta ember fjord grove heron inlet juniper kelp lagoon maple north oasis pine'.split(
  ' ',
);

const made = new Map();

/** Sizes are bytes of JSON, met within a few percent. Made once, so that only a warm-up pays for it. */
export function payloads(size) {
  if (!made.has(size)) made.set(size, make(size));
  return made.get(size);
}

function make(size) {
  const random = generator(size);
  return Array.from({ length: size > 4096 ? 64 : 512 }, (_, index) => payload(size, index, random));
}

function payload(size, index, random) {
  // `at` is set when a message is sent whose latency counts, and is there from the start so that no shape changes.
  const message = { at: 1_000_000_000_000, id: index * 7919, ok: random() < 0.5, kind: word(random), tags: [] };
  const rows = [];
  if (size > 300) message.rows = rows;
  while (Buffer.byteLength(JSON.stringify(message)) < size - 12) {
    if (size > 300 && Buffer.byteLength(JSON.stringify(message)) < size - 90) {
      const price = Math.round(random() * 1e6) / 100;
      rows.push({ sku: `${word(random)}-${Math.floor(random() * 1e4)}`, price, count: Math.floor(random() * 50) });
    } else {
      message.tags.push(word(random));
    }
  }
  return message;
}

function word(random) {
  return WORDS[Math.floor(random() * WORDS.length)];
}

/** A linear congruential generator: repeatable, and good enough to vary texts. */
function generator(seed) {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}
