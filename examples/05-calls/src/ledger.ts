import { Callable, Singleton } from 'nestjs-foundation';
import { z } from 'zod';

const Payment = z.object({ account: z.string().min(1), amount: z.number().positive() });
export type Payment = z.infer<typeof Payment>;

@Singleton({ name: 'ledger' })
export class Ledger {
  readonly #balances = new Map<string, number>();

  /** Runs with what the schema takes; else the caller gets an error with the code `FOUNDATION_INVALID_ARGUMENTS`. */
  @Callable({ args: [Payment] })
  pay({ account, amount }: Payment) {
    const balance = this.balance(account) + amount;
    this.#balances.set(account, balance);
    return balance;
  }

  /** Asked once more when the answer is lost; `pay` must not be. */
  @Callable({ idempotent: true, timeout: '2s' })
  balance(account: string) {
    return this.#balances.get(account) ?? 0;
  }
}
