/**
 * What a connection that does not work says of itself.
 * Kept by the connections; read by health through the backend.
 */

/** A connection that does not work at the moment. */
export interface ConnectionTrouble {
  /**
   * What it is for: `leases`, `control`, `subscriber`, `publisher`, `worker` (BullMQ), `stream` (a durable
   * subscription) or `acknowledge` (what waits until durable messages are safe).
   */
  role: string;
  endpoint: string;
  /** For how long, in milliseconds. */
  forMs: number;
  /** What Redis said, or how the connection broke. */
  error?: string;
}
