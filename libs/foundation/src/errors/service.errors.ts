/** A service cannot be called. */
import { quoted } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** No healthy instance of a service can be called. */
export class ServiceNotFoundError extends FoundationError {
  constructor(
    readonly service: string,
    /** Why those that are known were not taken. */
    why: string,
  ) {
    super(
      'FOUNDATION_SERVICE_UNKNOWN',
      'foundation',
      `Service ${quoted(service)} cannot be called: ${why}. Nothing was sent. Look with discoverServices() what is registered.`,
    );
  }
}
