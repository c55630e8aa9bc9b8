// An application in a child process that says `ready` and then answers questions, each a message `[id, question,
// …arguments]` with the answer `[id, answer]`. For applications that cannot use the protocol of node.process.ts.
import type { ChildProcess } from 'node:child_process';

/** A safety limit. */
const ANSWER_MS = 30_000;

export class AskedChild {
  /** What it wrote. */
  output = '';
  readonly ready: Promise<void>;
  readonly #ended: Promise<never>;
  readonly #answers = new Map<number, (answer: unknown) => void>();
  #lastId = 0;

  constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (this.output += String(chunk)));
    this.#ended = new Promise((_, failed) => {
      child.once('exit', (code, signal) =>
        failed(new Error(`${name} ended with ${code ?? signal}: ${this.output.slice(-2000)}`)),
      );
    });
    this.#ended.catch(() => undefined);
    const said = new Promise<void>((done) => {
      child.on('message', (message) => {
        if (message === 'ready') return done();
        const [id, answer] = message as [number, unknown];
        this.#answers.get(id)?.(answer);
        this.#answers.delete(id);
      });
    });
    this.ready = Promise.race([said, this.#ended]);
    this.ready.catch(() => undefined);
  }

  /** Rejects when it ends before it has answered, or does not answer. */
  ask(question: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise((done) => {
      this.#answers.set(id, done);
      this.child.send([id, question, ...args]);
    });
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_, failed) => {
      timer = setTimeout(() => failed(new Error(`${this.name} did not answer "${question}"`)), ANSWER_MS);
    });
    return Promise.race([answer, this.#ended, late]).finally(() => clearTimeout(timer));
  }
}
