/**
 * Looks into one process, and calls one of its methods, for an operator; below the path of the dashboard and under the
 * same guards.
 * Made by the module; underneath Nest's own HTTP layer.
 */
import { Body, Inject, NotFoundException, Post, Req, type Type } from '@nestjs/common';
import { show } from '../errors/describe.js';
import type { Inspection } from '../processes/inspection.js';
import { ProcessInspector } from '../processes/process.inspector.js';
import { ProcessManager } from '../processes/process.manager.js';
import { argsOf, attempted, resultOf, wordOf } from './dashboard.commands.js';
import type { DashboardRequest } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';

/** A controller below this path. */
export function processesControllerAt(config: DashboardConfig): Type {
  @DashboardRoute(config, '/processes', 'acting')
  class FoundationProcessesController {
    constructor(
      @Inject(ProcessInspector) private readonly inspector: ProcessInspector,
      @Inject(ProcessManager) private readonly processes: ProcessManager,
    ) {}

    /** A POST, since it runs code of the application. */
    @Post('inspect')
    @AnswersAsIs()
    async inspect(@Body() body: unknown, @Req() request: DashboardRequest): Promise<Inspection & { node: string }> {
      const process = wordOf(body, 'process', request);
      const seen = await attempted(request, `inspect ${show(process)}`, () => this.inspector.inspect(process));
      if (seen === undefined) throw new NotFoundException('It runs on no node.');
      return seen;
    }

    /** What the method returns comes back as JSON in a text. */
    @Post('call')
    @AnswersAsIs()
    async call(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ result: string }> {
      const [process, method] = [wordOf(body, 'process', request), wordOf(body, 'method', request)];
      const args = argsOf(body);
      const returned = await attempted(request, `call ${show(`${process}.${method}`)}`, async () => {
        const ref = await this.processes.lookupSingleton(process);
        if (ref === undefined) throw new NotFoundException('It runs on no node.');
        return ref.call(method, ...args);
      });
      return resultOf(returned);
    }
  }
  return FoundationProcessesController;
}
