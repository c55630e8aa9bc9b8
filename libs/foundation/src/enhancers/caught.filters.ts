/**
 * Nest's exception filters, which say that one was asked, whatever it returns: Nest 11 and 12 differ in which answers
 * they take for none. Used by `enhancers.ts`.
 */
import type { ArgumentsHost } from '@nestjs/common';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';

/** As Nest keeps a filter. */
interface ExceptionFilterMetadata {
  func: (error: unknown, host: ArgumentsHost) => unknown;
}

/** What a filter has made of an error. */
export class Caught {
  constructor(readonly answer: unknown) {}
}

/** See the file header. */
export class Filters extends ExternalExceptionFilterContext {
  override createConcreteContext<T extends unknown[], R extends unknown[]>(...given: [T, ...never[]]): R {
    const all = super.createConcreteContext(...(given as unknown as [never[]])) as unknown as ExceptionFilterMetadata[];
    return all.map((each) => ({
      ...each,
      func: (error: unknown, host: ArgumentsHost) => new Caught(each.func(error, host)),
    })) as unknown as R;
  }
}
