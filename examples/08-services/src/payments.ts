import { Injectable } from '@nestjs/common';
import { Callable, Membership, type OnServiceHealth, Service } from 'nestjs-foundation';

@Service({ name: 'payments', capabilities: ['charge'], metadata: { currency: 'EUR' } })
@Injectable()
export class Payments implements OnServiceHealth {
  #isUp = true;

  constructor(private readonly membership: Membership) {}

  @Callable()
  charge(order: string, amount: number) {
    return `${amount} for ${order}, charged on ${this.membership.self.name}`;
  }

  /** Asked every five seconds; after three times `false` calls go to other instances. */
  onServiceHealth() {
    return this.#isUp;
  }
}
