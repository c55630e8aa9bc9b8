/**
 * The message between the feed and the boards.
 */

/** Its type on the channel `events`. */
export const PRICE_TICK = 'price.tick';

/** One price. `epoch` says which ownership of the feed made it, `tick` counts up from 1 in each of them. */
export interface PriceTick {
  symbol: string;
  price: number;
  epoch: number;
  tick: number;
}

/** What arrives on a channel is `unknown`: anybody who reaches Redis can publish there. */
export function isPriceTick(value: unknown): value is PriceTick {
  if (typeof value !== 'object' || value === null) return false;
  const { symbol, price, epoch, tick } = value as Record<string, unknown>;
  return (
    typeof symbol === 'string' && Number.isFinite(price) && Number.isSafeInteger(epoch) && Number.isSafeInteger(tick)
  );
}
