// A provider that asks the cluster for everything in `onModuleInit`, when no node can have joined yet.
import { Inject, Injectable } from '@nestjs/common';
import { Channels, ProcessManager, ServiceMesh } from 'nestjs-foundation';

/** What each command says to somebody who asks too early, and how long that takes. */
@Injectable()
export class Early {
  said: string[] = [];
  tookMs = Infinity;
  constructor(
    @Inject(Channels) private readonly channels: Channels,
    @Inject(ProcessManager) private readonly processes: ProcessManager,
    @Inject(ServiceMesh) private readonly mesh: ServiceMesh,
  ) {}

  async onModuleInit(): Promise<void> {
    const began = performance.now();
    const attempts = [
      this.channels.broadcast('said', 'early'),
      this.channels.broadcast('paid', 'early'),
      this.processes.startSingleton(Early),
      this.processes.list(),
      this.processes.stop('feed'),
      this.processes.drain(),
      this.processes.lookupSingleton('feed'),
      this.mesh.registerService('early', {}),
    ];
    const outcomes = await Promise.allSettled<unknown>(attempts);
    this.said = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'fulfilled' : textOf(outcome.reason)));
    this.tookMs = performance.now() - began;
  }
}

const textOf = (error: unknown): string => {
  const { code, message } = error as Error & { code?: string };
  return /^Node ".*" joins the cluster after every onModuleInit /.test(message) ? String(code) : message;
};
