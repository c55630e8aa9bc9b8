/**
 * Where Foundation writes its log: Nest's `Logger`, behind which may be any logger of the user's.
 * Called by every room. A logger that throws or rejects costs its line and nothing else.
 */
// eslint-disable-next-line no-restricted-imports -- the only place
import { Logger } from '@nestjs/common';

type Level = 'log' | 'warn' | 'error' | 'debug' | 'verbose';

/** See the file header. */
export class Log {
  readonly #logger = new Logger('Foundation');

  log(message: string, details?: unknown): void {
    this.#write('log', message, details);
  }

  warn(message: string, details?: unknown): void {
    this.#write('warn', message, details);
  }

  error(message: string, details?: unknown): void {
    this.#write('error', message, details);
  }

  debug(message: string, details?: unknown): void {
    this.#write('debug', message, details);
  }

  #write(level: Level, message: string, details: unknown): void {
    try {
      // Nest takes an argument that is undefined for a thing to be logged.
      if (details === undefined) this.#logger[level](message);
      else this.#logger[level](message, details);
    } catch {
      // There is no other place to say it.
    }
  }
}
