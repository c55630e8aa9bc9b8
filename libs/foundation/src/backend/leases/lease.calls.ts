/**
 * Runs a script on every lease server, says to each by its own clock when that was sent, and counts the answers.
 * Used by `lease.renewal.ts`; underneath EVALSHA.
 */
import { type Script, toNumber, toTexts } from '../redis/lua.script.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { ServerClock } from './server.clock.js';

export type Args = readonly (string | number)[];
/** When a script is sent, by the clock of a server, and for how many milliseconds its answer is waited for. */
export type Timing = readonly [sent: number, wait: number];
/** What each server says about each lease. */
export type Answers = readonly (readonly string[])[];

/** See the file header. */
export class LeaseCalls {
  /** Of each server. */
  readonly #clocks: readonly ServerClock[];

  constructor(
    private readonly quorum: LeaseQuorum,
    private readonly commandTimeout: number,
    private readonly now: () => number,
  ) {
    this.#clocks = quorum.clients.map(() => new ServerClock());
  }

  /**
   * Reads the answers as texts; waits for all that can answer until `enough` is true.
   *
   * It says to each server when it was sent and for how long an answer is waited for, see `IN_TIME`, and hears its
   * time.
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: (timing: Timing) => Args,
    enough: (answers: Answers) => boolean,
  ): Promise<Answers> {
    const sentAt = this.now();
    const argsOf = (server: number): Args => args([this.#clocks[server]!.at(sentAt), this.commandTimeout]);
    const withoutTime = (texts: readonly string[]): string[] => texts.slice(1);
    const replies = await this.quorum.run(script, keys, argsOf, (all) =>
      enough(all.map((reply) => withoutTime(toTexts(reply)))),
    );
    const read = replies.map(toTexts);
    for (const [server, [time]] of read.entries()) {
      const serverNow = toNumber(time);
      if (serverNow > 0) this.#clocks[server]!.note(sentAt, serverNow);
    }
    return read.map(withoutTime);
  }
}

/** How many servers gave this answer about the lease at that place. */
export function count(answers: Answers, index: number, answer: string): number {
  return answers.filter((texts) => texts[index] === answer).length;
}
