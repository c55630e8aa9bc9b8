/**
 * What jobs that run by the clock remember, in Redis: on one server, or on a majority.
 * Made by the backend; underneath EVALSHA on the hash `…:cron:<job>`.
 */
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import { callsOf, toNumber, toTexts } from '../redis/lua.script.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { openTicksScript, readTicksScript, writeTicksScript } from './tick.scripts.js';
import type { OpenedTicks, TickAnswer, TickClaim, Ticks } from './ticks.js';

/** See {@link Ticks}. */
export class RedisTicks implements Ticks {
  constructor(
    private readonly servers: LeaseQuorum,
    private readonly keys: Pick<Keys, 'cron'>,
    private readonly lives: Pick<Lives, 'unused'> = LIVES,
  ) {}

  async open(job: string, epoch: number): Promise<OpenedTicks | undefined> {
    const isOpen = (answer: unknown): boolean => Array.isArray(answer);
    const enough = (answers: readonly unknown[]): boolean => answers.filter(isOpen).length >= this.servers.majority;
    const answers = await this.servers.run(openTicksScript, [this.keys.cron(job)], [epoch, this.lives.unused], enough);
    const known = answers.filter(isOpen).map(toTexts);
    if (known.length < this.servers.majority) return undefined;
    // INVARIANT (I27): of two majorities one server is in both, so the highest claim is among these, also one that was
    // claimed on some servers only. The record beside it, by the latest owner, is the one that counts.
    // Where a claimed time is passed over, the latest that can have been claimed there stands in its place: its record,
    // which names the time after the one that was claimed, counts first, and the claims of the others all the same.
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
    const order = ([epoch, at, record = '']: string[]): number[] => [toNumber(at), toNumber(epoch), revisionOf(record)];
    const later = (a: string[], b: string[]): number => {
      const [one, other] = [order(a), order(b)];
      return one.map((each, index) => other[index]! - each).find((difference) => difference !== 0) ?? 0;
    };
    const record = known.sort(later)[0]![2] ?? '';
    return doubt === undefined ? { claimed, record } : { claimed, record, doubt };
  }

  async write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer> {
    const args = [epoch, this.lives.unused, record, ...(claim === undefined ? [] : [claim.at, claim.id])];
    const isDone = (answers: readonly unknown[]): boolean =>
      answers.filter((answer) => answer === 'done').length >= this.servers.majority;
    const answers = await this.servers.run(writeTicksScript, [this.keys.cron(job)], args, isDone);
    if (isDone(answers)) return 'done';
    const refusals: readonly TickAnswer[] = ['stale', 'taken', 'early'];
    const refusal = refusals.find((each) => answers.includes(each));
    if (refusal === undefined) throw new Error('no answer of a majority of the Redis servers');
    return refusal;
  }

  async read(jobs: readonly string[]): Promise<string[]> {
    const records: string[] = [];
    for (const some of callsOf(jobs)) {
      const keys = some.map((job) => this.keys.cron(job));
      const answers = (await this.servers.run(readTicksScript, keys, [])).map(toTexts);
      // Of several servers any that knows it: for people, who look again.
      records.push(...some.map((_, at) => answers.map((texts) => texts[at] ?? '').find((text) => text !== '') ?? ''));
    }
    return records;
  }
}

/** Of servers that differ the later record counts; it begins with its revision. */
function revisionOf(record: string): number {
  return toNumber(/^\{"rev":(\d{1,15})/.exec(record)?.[1] ?? 0);
}
