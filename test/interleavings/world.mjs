// A world with a clock and a queue of its own: what happens next is drawn from a seed, and nothing waits for real time.
// Whoever acts in it is an actor, which can be frozen, stalled and killed as a process can.

import { setImmediate } from 'node:timers';
import { mulberry32 } from '../chaos/history.plan.mjs';

/** The machine has been up for so long when a world begins, in milliseconds. */
const UPTIME_MS = 100_000;
/** The wall clock of a world begins here. */
const WALL_MS = Date.UTC(2030, 0, 1);
/** What an actor had waiting when it goes on comes in the order in which it was due, so far apart. */
const ONE_AFTER_THE_OTHER_MS = 1e-6;

/** Something that acts: a node, Redis, or the test itself. */
class Actor {
  state = 'lives';
  /** By how much its wall clock is ahead, in milliseconds. */
  aheadMs = 0;
  /** How its connections to Redis behave; see `network.mjs`. */
  link = 'ok';
  held = [];

  constructor(name, pid, random) {
    this.name = name;
    this.pid = pid;
    this.random = random;
  }
}

export class World {
  now = UPTIME_MS;
  steps = 0;
  actors = [];
  /** A fingerprint of everything that happened and when. */
  trace = 0;
  #heap = [];
  #count = 0;

  constructor(seed, lateness = { chance: 0.02, mostMs: 8 }) {
    this.random = mulberry32(seed);
    this.lateness = lateness;
  }

  actor(name) {
    const actor = new Actor(name, 1000 + this.actors.length, mulberry32(Math.floor(this.random() * 2 ** 32)));
    this.actors.push(actor);
    return actor;
  }

  wall(actor) {
    return Math.floor(WALL_MS + this.now - UPTIME_MS + actor.aheadMs);
  }

  /** Work for an actor at a time of the world; what is due at one time comes in an order that is drawn. */
  at(time, actor, work, kind = 'timer') {
    const entry = { at: Math.max(time, this.now), tie: this.random(), count: ++this.#count, actor, work, kind };
    this.#push(entry);
    return entry;
  }

  /** As a timer of Node: never early, and late by a little, now and then by more. */
  after(ms, actor, work) {
    const { chance, mostMs } = this.lateness;
    const late = this.random() < chance ? this.random() * mostMs : this.random() * 0.3;
    return this.at(this.now + Math.max(1, ms) + late, actor, work);
  }

  cancel(entry) {
    entry.work = undefined;
  }

  freeze(actor) {
    if (actor.state === 'lives') actor.state = 'frozen';
  }

  thaw(actor) {
    if (actor.state !== 'frozen') return;
    actor.state = 'lives';
    // Timers that are overdue come before what came over the network, or after it.
    const first = this.random() < 0.5 ? 'timer' : 'packet';
    const held = actor.held.splice(0).sort((one, other) => (other.kind === first) - (one.kind === first));
    held.forEach((entry, index) => this.at(this.now + index * ONE_AFTER_THE_OTHER_MS, actor, entry.work, entry.kind));
  }

  kill(actor) {
    actor.state = 'dead';
    actor.held.length = 0;
  }

  /** Lets everything happen until `isOver()`, or until nothing is left: after each step what follows from it. */
  async run(isOver) {
    await settled();
    while (!isOver()) {
      const entry = this.#pop();
      if (entry === undefined) return;
      if (entry.work === undefined || entry.actor.state === 'dead') continue;
      this.now = Math.max(this.now, entry.at);
      if (entry.actor.state === 'frozen') {
        entry.actor.held.push(entry);
        continue;
      }
      this.steps += 1;
      this.trace = (Math.imul(this.trace, 31) + entry.actor.pid + Math.floor(this.now * 1000)) >>> 0;
      this.log?.push(`${this.now.toFixed(6)} ${entry.actor.name} ${entry.kind} ${entry.count}`);
      const { work } = entry;
      entry.work = undefined;
      work();
      await settled();
    }
  }

  #push(entry) {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    for (; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = entry;
  }

  #pop() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(one, other) {
  if (one.at !== other.at) return one.at < other.at;
  return one.tie !== other.tie ? one.tie < other.tie : one.count < other.count;
}

/** Every promise that can be settled is, and every `process.nextTick` has run. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
