/**
 * Thrown by a handler whose object may not work any more: the message was not handled here, and nobody failed at it.
 * Used by the lifecycle for the handlers of processes; a durable channel gives such a message to another member.
 */

/** See the file header. */
export class HandlerGoneError extends Error {
  constructor(process: string) {
    super(`process "${process}" is not running here any more`);
  }
}
