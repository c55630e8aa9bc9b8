// Copied into a real application by test/matrix.mjs: calls by name what the generators have made there.
import { Controller, Get } from '@nestjs/common';
import { Channels, CronJobs, Membership, ProcessManager, ServiceMesh } from 'nestjs-foundation';

@Controller('called')
export class CalledController {
  constructor(
    private readonly channels: Channels,
    private readonly jobs: CronJobs,
    private readonly membership: Membership,
    private readonly mesh: ServiceMesh,
    private readonly processes: ProcessManager,
  ) {}

  @Get()
  async called(): Promise<object> {
    const feed = await this.processes.lookupSingleton('price-feed');
    const accounts = this.processes.lookupPartitioned('accounts');
    const jobs = await this.jobs.list();
    const processes = await this.processes.list();
    // Every node that listens has handled it.
    await this.channels.broadcast('events', { text: 'hello' }, { type: 'orders', timeout: 5000 });
    return {
      node: this.membership.self.name,
      singleton: await feed?.call('whereabouts'),
      partition: await accounts?.for('a').call('add', 'a', 1),
      replicas: processes.filter(({ name, state }) => /^thumbnails@/.test(name) && state === 'running').length,
      job: jobs.map(({ name, state }) => `${name} ${state}`).join(),
      service: await this.mesh.call('payments', 'greet', ['you']),
    };
  }
}
