// Runs checks of the fault matrix one after the other, on a cluster that they share as long as it stays whole, and
// holds what happened to the invariants after each.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeViolations } from 'nestjs-foundation/testing';
import { shortestStretch } from '../../dist/test/support/shortest.stretch.js';
import { runSpec } from './fault.checks.mjs';
import { Disturbed, Ground, SHARED } from './faults/ground.mjs';

/** A history grows, and is read as a whole after each check. */
const CHECKS_ON_ONE = 8;
const MOST_SHOWN = 20;

export class FaultRun {
  #ground;
  #used = 0;
  #spec;
  #count = 0;
  #interrupted = false;

  constructor(seed, keep) {
    this.seed = seed;
    this.keep = keep;
  }

  /** True when all of them held. */
  async all(checks) {
    const failed = [];
    const skipped = [];
    for (const check of checks) {
      if (this.#interrupted) break;
      const { outcome } = await this.#one(check);
      if (outcome === 'failed') failed.push(`${check.row} ${check.name}`);
      if (outcome === 'skipped') skipped.push(`${check.row} ${check.name}`);
    }
    await this.#end();
    const lists = [
      failed.length > 0 && `Failed: ${failed.join(', ')}`,
      skipped.length > 0 && `Skipped: ${skipped.join(', ')}`,
    ];
    console.log(
      [`${this.#count} checks, ${failed.length} failed, ${skipped.length} skipped`, ...lists]
        .filter(Boolean)
        .join('\n'),
    );
    return failed.length === 0 && this.#count > 0;
  }

  /** Until the time is over, or something did not hold. */
  async soak(checks, ms) {
    const until = performance.now() + ms;
    for (const check of checks) {
      if (performance.now() > until || this.#interrupted) break;
      const { outcome } = await this.#one(check);
      if (outcome === 'failed') {
        console.log(`The soak of seed ${this.seed} ended at check ${this.#count}`);
        return false;
      }
    }
    const settled = await this.#settled();
    await this.#end();
    console.log(`${this.#count} checks held in a soak of ${ms / 60_000} min, seed ${this.seed}`);
    return settled;
  }

  async interrupt() {
    this.#interrupted = true;
    this.#spec?.kill('SIGTERM');
    await this.#end();
  }

  async #one(check) {
    const number = ++this.#count;
    console.log(`\nRow ${check.row}: ${check.name}`);
    const began = performance.now();
    const result = { row: check.row, name: check.name, seed: this.seed, at: new Date().toISOString() };
    const end = (outcome, more = {}) => {
      const ms = Math.round(performance.now() - began);
      console.log(`  ${outcome} after ${(ms / 1000).toFixed(1)} s${more.why === undefined ? '' : `: ${more.why}`}`);
      const all = { ...result, outcome, ms, ...more };
      if (!this.#interrupted) this.keep(all);
      return all;
    };
    try {
      if (check.spec !== undefined) {
        await this.#end(); // the machine belongs to the spec
        const passed = await runSpec(check.spec, (child) => (this.#spec = child));
        return end('held', { figures: [`${passed} tests`] });
      }
      const work = await check.load();
      const obstacle = work.obstacle?.();
      if (obstacle !== undefined) return end('skipped', { why: obstacle });
      const ground = await this.#groundFor(work, number);
      ground.begin();
      const disturbed = await this.#work(work, ground);
      ground.say(`whole again after ${Math.round(await ground.whole())} ms`);
      const violations = await ground.verdict();
      if (violations.length > 0) {
        this.#show(ground, violations);
        return end('failed', { why: violations[0].split('\n')[0] });
      }
      if (disturbed !== undefined) return end('skipped', { why: disturbed });
      return end('held', { figures: ground.figures });
    } catch (error) {
      console.error(error);
      const ground = this.#ground;
      ground?.unsettle();
      if (ground !== undefined) this.#show(ground, ground.violations());
      return end('failed', { why: String(error.message).split('\n')[0].slice(0, 300) });
    } finally {
      this.#spec = undefined;
      this.#used += 1;
      if (this.#used >= CHECKS_ON_ONE) await this.#end();
    }
  }

  /** Returns why nothing can be said, if that is so; the invariants must hold all the same. */
  async #work(work, ground) {
    try {
      await work(ground);
      return undefined;
    } catch (error) {
      if (!(error instanceof Disturbed)) throw error;
      return error.message;
    }
  }

  /** The shared cluster, or one of its own, which is the only one then. */
  async #groundFor(work, number) {
    if (work.ground === undefined && this.#ground !== undefined) return this.#ground;
    await this.#end();
    const settings = work.ground === undefined ? SHARED : await work.ground();
    const say = (what) => console.log(`  ${what}`);
    this.#ground = await Ground.open(settings, { seed: this.seed + number, say });
    this.#ground.lab = settings.lab;
    this.#used = work.ground === undefined ? 0 : CHECKS_ON_ONE;
    return this.#ground;
  }

  /** What was said last may be reported as missing for a while: the checker looks at what is older. */
  async #settled() {
    const ground = this.#ground;
    if (ground === undefined) return true;
    await ground.whole();
    const violations = await ground.verdict();
    if (violations.length > 0) this.#show(ground, violations);
    return violations.length === 0;
  }

  #show(ground, violations) {
    process.env.FOUNDATION_TEST_KEEP = '1';
    const { cluster } = ground;
    writeFileSync(join(cluster.folder, 'facts.json'), JSON.stringify(ground.facts(), undefined, 2));
    if (violations.length > 0)
      console.log(`\nVIOLATED with seed ${this.seed}:\n${violations.slice(0, MOST_SHOWN).join('\n')}`);
    const stretch = shortestStretch(cluster.history(), ground.facts(), (each) => ground.isExpected(each));
    if (stretch !== undefined) {
      const { violation, events } = stretch;
      const asOne = {
        invariant: violation.invariant,
        sentence: 'the shortest stretch of history that shows it',
        events,
      };
      console.log(`\n${describeViolations([asOne], cluster.history()).join('\n')}`);
    }
    console.log(`\nThe histories and logs of the nodes are in ${cluster.folder}`);
    this.#used = CHECKS_ON_ONE;
  }

  async #end() {
    const ground = this.#ground;
    this.#ground = undefined;
    this.#used = 0;
    try {
      await ground?.close();
    } catch (error) {
      console.error(error);
    }
    delete process.env.FOUNDATION_TEST_KEEP;
  }
}
