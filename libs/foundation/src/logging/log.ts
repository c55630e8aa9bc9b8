/**
 * Where Foundation writes its log: Nest's `Logger`, behind which may be any logger of the user's. Called by every room.
 * A sentence says all that is known, because pino drops what comes after it; the object comes after it for loggers that
 * index it. A logger that throws or rejects costs its line and nothing else.
 */
// eslint-disable-next-line no-restricted-imports -- the only place
import { ConsoleLogger, Logger } from '@nestjs/common';
import { read, stackOf } from '../errors/describe.js';
import { sentenceOf } from './sentence.js';

type Level = 'log' | 'warn' | 'error' | 'debug' | 'verbose';

/** See the file header. A `{name}` in a message stands for that detail; see `sentenceOf`. */
export class Log {
  readonly #logger = new Logger('Foundation');

  log(message: string, details?: object): void {
    this.#write('log', message, details);
  }

  warn(message: string, details?: object): void {
    this.#write('warn', message, details);
  }

  /** `thrown` is what user code threw: its stack and causes are logged as Nest logs them. */
  error(message: string, details?: object, thrown?: unknown): void {
    this.#write('error', message, details, stackOf(thrown));
  }

  /** For what a reader can do without. What may happen again and again goes to `ThrottledLog.debug`. */
  debug(message: string, details?: object): void {
    this.#write('debug', message, details);
  }

  #write(level: Level, message: string, details?: object, stack?: string): void {
    try {
      const sentence = sentenceOf(message, details);
      const taken = takesObjects(read(Logger, 'staticInstanceRef'));
      // `error(message, stack)` is what every logger knows, Nest's own and pino's. Nest takes an argument that is
      // undefined for a thing to be logged.
      const object = details !== undefined && (taken === 'beside' || (taken === 'alone' && stack === undefined));
      const rest = [...(object ? [details] : []), ...(stack === undefined ? [] : [stack])];
      this.#logger[level](sentence, ...rest);
    } catch {
      // There is no other place to say it.
    }
  }
}

/**
 * What a logger makes of an object after the message: Nest 12's console writes it into its JSON, `beside` a stack;
 * Nest's consoles that print text repeat what the message says, over many lines in Nest 11; others take the object or
 * the stack.
 */
function takesObjects(target: unknown): 'beside' | 'alone' | 'not' {
  const type = read(target, 'constructor');
  if (type !== ConsoleLogger && type !== Logger) return 'alone';
  const isJson = read(read(target, 'options'), 'json') === true;
  return isJson && read(ConsoleLogger.prototype, 'stringifyParams') !== undefined ? 'beside' : 'not';
}
