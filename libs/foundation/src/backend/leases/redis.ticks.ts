/**
 * What jobs that run by the clock remember, in Redis: on one server, or on a majority.
 * Made by the backend; underneath EVALSHA on the hash `…:cron:<job>`.
 */
import { Listeners } from '../../foreign/listeners.js';
import type { Signer } from '../../security/signer.js';
import { fromJson, record, text, whole } from '../../wire/decode.js';
import { type Hint, LONGEST_HINT } from '../../wire/hint.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import { callsOf, toNumber, toTexts } from '../redis/lua.script.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { openTicksScript, readTicksScript, restoreTicksScript, writeTicksScript } from './tick.scripts.js';
import {
  isLater,
  type KeptTicks,
  type OpenedTicks,
  revisionOf,
  type TickAnswer,
  type TickClaim,
  type Ticks,
} from './ticks.js';

/** A name as long as any, and a record that fits into a hint. */
const readKept = fromJson(
  record<KeptTicks>({ job: text(300), epoch: whole(), claimed: whole(), record: text(LONGEST_HINT) }),
  LONGEST_HINT,
);

function latestOf<T extends Pick<KeptTicks, 'epoch' | 'record'>>(known: readonly T[]): T {
  return known.reduce((one, other) => (isLater(other, one) ? other : one));
}

/** See {@link Ticks}. */
export class RedisTicks implements Ticks {
  readonly #listeners = new Listeners<[kept: KeptTicks]>('a listener to cron jobs');

  constructor(
    private readonly servers: LeaseQuorum,
    private readonly keys: Pick<Keys, 'cron' | 'hints'>,
    private readonly seal: Signer,
  ) {}

  onWritten(listener: (kept: KeptTicks) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * For the backend: a node has written. Without the cookie nothing is believed; what comes twice or late is older than
   * what is known.
   */
  heard({ said }: Extract<Hint, { t: 'cron' }>): void {
    const text = this.seal.open(this.keys.hints, said);
    const kept = text === undefined ? undefined : readKept(text);
    if (kept !== undefined) this.#listeners.tell(kept);
  }

  /** '' for what is too long: the others see it when they look. */
  #hintOf(kept: KeptTicks): string {
    const text = JSON.stringify(kept);
    const hint = JSON.stringify({ t: 'cron', said: this.seal.sign(this.keys.hints, text) } satisfies Hint);
    return Buffer.byteLength(hint) > LONGEST_HINT ? '' : hint;
  }

  async open(job: string, epoch: number): Promise<OpenedTicks | undefined> {
    const isOpen = (answer: unknown): boolean => Array.isArray(answer);
    const enough = (answers: readonly unknown[]): boolean => answers.filter(isOpen).length >= this.servers.majority;
    const answers = await this.servers.run(openTicksScript, [this.keys.cron(job)], [epoch, LIVES.unused], enough);
    const known = answers.filter(isOpen).map(toTexts);
    if (known.length < this.servers.majority) return undefined;
    // INVARIANT (I27): of two majorities one server is in both, so the highest claim is among these, also one that was
    // claimed on some servers only; and so is the last record that its owner went on from. It is the latest, or one
    // that is later, was given up before anything followed from it, and knows of all that was fired.
    // Where a claimed time is passed over, the latest that can have been claimed there stands in its place. The record
    // names the time after the last one that was fired, and the claims of the others count all the same.
    const isDoubted = ([, , , said = '']: string[]): boolean => said !== '';
    const claimed = Math.max(0, ...known.filter((each) => !isDoubted(each)).map(([, at]) => toNumber(at)));
    const doubted = known.filter(isDoubted);
    const doubt =
      doubted.length === 0
        ? undefined
        : {
            said: doubted[0]![3]!.slice(1),
            most: Math.max(...doubted.map(([, at]) => toNumber(at))),
          };
    const { record } = latestOf(known.map(([before, , each = '']) => ({ epoch: toNumber(before), record: each })));
    // One that was written on some servers only would refuse what this owner writes.
    const revision = Math.max(...known.map(([, , record = '']) => revisionOf(record)));
    return {
      ...{ claimed, record },
      ...(revision > revisionOf(record) ? { revision } : {}),
      ...(doubt === undefined ? {} : { doubt }),
    };
  }

  async write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer> {
    const hint = this.#hintOf({ job, epoch, claimed: claim?.at ?? 0, record });
    const claimed = claim === undefined ? [] : [claim.at, claim.id];
    const args = [epoch, LIVES.unused, record, this.keys.hints, hint, ...claimed];
    const isDone = (answers: readonly unknown[]): boolean =>
      answers.filter((answer) => answer === 'done').length >= this.servers.majority;
    const answers = await this.servers.run(writeTicksScript, [this.keys.cron(job)], args, isDone);
    if (isDone(answers)) return 'done';
    const refusals: readonly TickAnswer[] = ['stale', 'late', 'taken', 'early'];
    const refusal = refusals.find((each) => answers.includes(each));
    if (refusal === undefined) throw new Error('no answer of a majority of the Redis servers');
    return refusal;
  }

  async read(jobs: readonly string[]): Promise<string[]> {
    const kept = new Map((await this.recall(jobs)).map((each) => [each.job, each.record]));
    return jobs.map((job) => kept.get(job) ?? '');
  }

  async recall(jobs: readonly string[]): Promise<KeptTicks[]> {
    const all: KeptTicks[] = [];
    for (const some of callsOf(jobs)) {
      const keys = some.map((job) => this.keys.cron(job));
      const answers = (await this.servers.run(readTicksScript, keys, [])).map(toTexts);
      for (const [at, job] of some.entries()) {
        const known = answers.map((texts) => ({
          ...{ job, epoch: toNumber(texts[at * 3]), claimed: toNumber(texts[at * 3 + 1]) },
          record: texts[at * 3 + 2] ?? '',
        }));
        const last = latestOf(known);
        // What was claimed on some servers only is claimed, and who has begun there has begun.
        const claimed = Math.max(...known.map((each) => each.claimed));
        const epoch = Math.max(...known.map((each) => each.epoch));
        if (last.record !== '') all.push({ ...last, claimed, epoch });
      }
    }
    return all;
  }

  async restore(kept: readonly KeptTicks[]): Promise<void> {
    for (const some of callsOf(kept)) {
      const keys = some.map(({ job }) => this.keys.cron(job));
      const args = some.flatMap(({ epoch, claimed, record }) => [epoch, claimed, record]);
      await this.servers.run(restoreTicksScript, keys, [LIVES.unused, ...args]);
    }
  }
}
