/**
 * Thrown by a handler whose process has stopped: the message was not handled here, and no handler failed. A durable
 * channel gives it to another member of the group.
 */

/** See the file header. */
export class HandlerGoneError extends Error {
  constructor(subject: string) {
    super(`${subject} no longer runs here`);
  }
}
