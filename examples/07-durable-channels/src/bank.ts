import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

@Injectable()
export class Bank {
  /** Takes its time, as banks do. One that is real refuses a second bill with the same id. */
  async bill(_id: number) {
    await sleep(100);
  }
}
