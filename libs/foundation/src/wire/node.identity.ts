/**
 * Who a node is, for the records that it writes.
 * Handed to the leases, the transports and the backends.
 */

/** Who this node is, for the records that tools write. */
export interface NodeIdentity {
  readonly name: string;
  readonly bootId: string;
}
