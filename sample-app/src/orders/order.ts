/**
 * The messages of an order.
 */

/** Its type on the channel `events`. */
export const ORDER_PLACED = 'order.placed';

/** An order as all nodes hear of it. */
export interface Order {
  id: string;
  item: string;
}

/** What arrives on a channel, or with a job, is `unknown`. */
export function isOrder(value: unknown): value is Order {
  if (typeof value !== 'object' || value === null) return false;
  const { id, item } = value as Record<string, unknown>;
  return typeof id === 'string' && id.length <= 100 && typeof item === 'string' && item.length <= 100;
}
