import { Controller, Get, Param, Post } from '@nestjs/common';
import { ServiceMesh } from 'nestjs-foundation';

@Controller()
export class CheckoutController {
  constructor(private readonly mesh: ServiceMesh) {}

  @Post('checkout/:order')
  async checkout(@Param('order') order: string) {
    return { receipt: await this.mesh.call('payments', 'charge', [order, 20], { strategy: 'round-robin' }) };
  }

  /** No network call: every node has a copy of all services. */
  @Get('services')
  async services() {
    const found = await this.mesh.discoverServices({ capabilities: ['charge'], currency: 'EUR' });
    return found.map(({ name, node, status }) => ({ name, node, status }));
  }
}
