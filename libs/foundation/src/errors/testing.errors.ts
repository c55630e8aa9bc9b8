/** What a test asks of Foundation and cannot have. */
import { FoundationError } from './foundation.error.js';

/** The clock of a test cannot be moved just now. */
export class ManualClockError extends FoundationError {
  constructor(why: string) {
    super(
      'FOUNDATION_MANUAL_CLOCK',
      'foundation',
      `The manual clock cannot be moved: ${why}. Time stays as it is. Move it from the test, one advance() after the other, ` +
        `before the application is closed.`,
    );
  }
}
