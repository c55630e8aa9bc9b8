// From kill -9 to running again, against what people use instead, in one run; and lookups of services against
// moleculer: npm run bench -- peers --report
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { startAsked } from './asked.mjs';
import { machineCpu, othersNow, sharedNow } from './machine.mjs';
import { installed } from './packages.mjs';
import { aboutRun, writePage } from './pages.mjs';
import { saveSamples } from './samples.mjs';
import { lookups } from './takeover.lookups.mjs';
import { SYSTEMS, takeoverPage } from './takeover.systems.mjs';

const CHILD = join(import.meta.dirname, 'takeover.child.mjs');
const PAGE = resolve(import.meta.dirname, '../../docs/guarantees/elsewhere.md');
/** Longer than the slowest of them needs: a stalled job, after two intervals. */
const LONGEST_MS = 90_000;

export const about = 'kill -9 to running again, and lookups, against BullMQ, Redlock, @nestjs/locks and moleculer';

export async function run(values) {
  const others = await othersNow();
  const began = performance.now();
  const quick = values.quick === true;
  const asked = values.only?.split(',');
  const systems = SYSTEMS.filter(({ key, slow }) => asked?.includes(key) ?? !(quick && slow));
  const until = performance.now() + Number(values.seconds ?? (quick ? 8 : 150)) * 1000;
  const samples = {};
  const failed = {};
  const found = [];
  const redis = await startRedis();
  const versions = versionsOf();
  const pairs = [];
  try {
    if (systems.some(({ kind }) => kind === 'moleculer')) installed('moleculer');
    // One after the other, because starting is what they need the machine for.
    for (const system of systems)
      for (let index = 0; index < system.pairs; index++) {
        const pair = new Pair(system, `${system.key}-${index}`, redis.url);
        await pair.start().then(
          () => pairs.push(pair),
          (error) => fail(system, error),
        );
      }
    const before = { machine: machineCpu(), at: sharedNow() };
    await Promise.all(
      pairs.map(async (pair) => {
        try {
          do (samples[pair.system.key] ??= []).push(await pair.kill());
          while (performance.now() < until);
        } catch (error) {
          fail(pair.system, error);
        }
      }),
    );
    const used = (machineCpu() - before.machine) / (sharedNow() - before.at);
    await Promise.all(pairs.map((pair) => pair.close()));
    if (asked === undefined || asked.includes('lookups')) found.push(...(await lookups(redis, quick, versions)));
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    const command = `npm run bench -- peers${quick ? ' --quick' : ''} --report`;
    const more = [`Cores used by the whole machine meanwhile: ${used.toFixed(1)}`];
    const document = {
      samples,
      failed,
      lookups: found,
      versions,
      quick,
      command,
      about: await aboutRun(minutes, others, more),
    };
    const text = takeoverPage(document);
    console.log(text);
    saveSamples('peers', document, values.out);
    if (values.report) await writePage(text, values.page ?? PAGE);
  } finally {
    await Promise.all(pairs.map((pair) => pair.close()));
    await redis.stop();
  }

  function fail({ key, title }, error) {
    failed[key] = error.message.split('\n')[0];
    process.exitCode = 1;
    console.error(`FAILED ${title}: ${error.stack}`);
  }
}

/** Two processes of a system, of which one has the work. */
class Pair {
  #children = [];
  #starts = 0;

  constructor(system, group, redis) {
    this.system = system;
    this.group = group;
    this.redis = redis;
  }

  async start() {
    await this.#spawn(true);
    await this.#owner(LONGEST_MS);
    await this.#spawn(false);
  }

  /** Seconds from the kill of the one that has the work until it runs in the other; then a new one takes its place. */
  async kill() {
    // Two of them have met by then; at random, since what they do at intervals is done at any time.
    await delay(2000 + Math.random() * 5000);
    const owner = await this.#owner(LONGEST_MS);
    const other = this.#children.find((child) => child !== owner);
    other.runningAt = undefined;
    const at = sharedNow();
    owner.child.kill('SIGKILL');
    await this.#until(() => other.runningAt > at, LONGEST_MS);
    const seconds = (other.runningAt - at) / 1e6;
    console.error(`${this.group}: ${seconds.toFixed(2)} s`);
    this.#children = [other];
    await this.#spawn(false);
    if (this.system.kind === 'bullmq') {
      other.runningAt = undefined;
      await other.ask('again');
    }
    return seconds;
  }

  async close() {
    for (const { child } of this.#children) child.kill('SIGKILL');
    await Promise.all(this.#children.map(({ exited }) => exited));
  }

  async #spawn(isFirst) {
    const { kind, settings } = this.system;
    const what = { kind, settings, redis: this.redis, group: this.group, role: `n${++this.#starts}`, isFirst };
    const one = { runningAt: undefined };
    const onMessage = ({ id, at }) => {
      if (id === 'running') one.runningAt = at;
    };
    this.#children.push(one);
    Object.assign(one, await startAsked(CHILD, what, { name: this.group, onMessage }));
  }

  /** The one in which the work began last. */
  async #owner(ms) {
    await this.#until(() => this.#children.some(({ runningAt }) => runningAt !== undefined), ms);
    return this.#children.toSorted((a, b) => (b.runningAt ?? 0) - (a.runningAt ?? 0))[0];
  }

  async #until(isSo, ms) {
    for (const deadline = performance.now() + ms; !isSo();) {
      if (performance.now() > deadline) throw new Error(`${this.group}: nothing ran within ${ms / 1000} s`);
      await delay(5);
    }
  }
}

function versionsOf() {
  const root = resolve(import.meta.dirname, '../..');
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const { version, dependencies, devDependencies } = read(join(root, 'package.json'));
  const { bullmq } = dependencies;
  const folder = read(join(import.meta.dirname, 'moleculer/package.json'));
  return { foundation: version, bullmq, redlock: devDependencies.redlock, moleculer: folder.dependencies.moleculer };
}
