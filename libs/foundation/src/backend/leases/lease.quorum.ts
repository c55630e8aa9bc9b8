/**
 * The Redis servers that leases are on: one, or an odd number of independent ones of which a majority decides.
 * Underneath one EVALSHA per server.
 */
import type { Redis } from 'ioredis';
import { asError } from '../../errors/describe.js';
import type { Script } from '../redis/lua.script.js';

/** How long answers that the majority does not need are waited for; a server that hangs delays nothing by more. */
const STRAGGLERS_MS = 20;

type Args = readonly (string | number)[];

/** See the file header. */
export class LeaseQuorum {
  /** How many servers must agree: any two majorities share one. */
  readonly majority: number;

  constructor(readonly clients: readonly Redis[]) {
    this.majority = Math.floor(clients.length / 2) + 1;
  }

  /** True with several servers, whose answers may differ. */
  get isQuorum(): boolean {
    return this.clients.length > 1;
  }

  /** True when those that have not refused are fewer than a majority. */
  cannotAgree(refusals: number): boolean {
    return this.clients.length - refusals < this.majority;
  }

  /** True when a majority of the servers gave this very answer; of one that gave none it is `undefined`. */
  agreeOn(answer: unknown): (answers: readonly unknown[]) => boolean {
    return (answers) => answers.filter((each) => each === answer).length >= this.majority;
  }

  /**
   * Runs a script on every server, whether or not its answer is waited for.
   *
   * A majority that has answered need not agree. As long as `enough` says that the answers decide nothing, the others
   * are waited for, until their commands time out.
   *
   * @param args the same for all, or those for each.
   * @returns the answers in the order of the servers, `undefined` where none came in time; at least a majority came.
   * @throws the last error when a majority cannot answer.
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: Args | ((server: number) => Args),
    enough: (answers: readonly unknown[]) => boolean = () => true,
  ): Promise<unknown[]> {
    const argsOf = (server: number): Args => (typeof args === 'function' ? args(server) : args);
    const answers = new Array<unknown>(this.clients.length).fill(undefined);
    await new Promise<void>((resolve, reject) => {
      let [answered, failed] = [0, 0];
      let stragglers: NodeJS.Timeout | undefined;
      const done = (error?: unknown): void => {
        clearTimeout(stragglers);
        if (error === undefined) resolve();
        else reject(asError(error));
      };
      this.clients.forEach((client, index) => {
        script.run(client, keys, argsOf(index)).then(
          (answer) => {
            answers[index] = answer ?? null;
            answered += 1;
            if (answered + failed === this.clients.length) done();
            else if (answered >= this.majority && enough(answers)) stragglers ??= setTimeout(done, STRAGGLERS_MS);
          },
          (error: unknown) => {
            failed += 1;
            if (this.cannotAgree(failed)) done(error ?? new Error('no answer'));
            else if (answered + failed === this.clients.length) done();
          },
        );
      });
    });
    return [...answers];
  }
}
