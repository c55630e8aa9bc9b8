/**
 * Looks into one process, and calls one of its methods, for an operator; below the path of the dashboard and under the
 * same guards.
 * Made by the module; underneath Nest's own HTTP layer.
 */
import { BadRequestException, Body, Inject, NotFoundException, Post, Req, type Type } from '@nestjs/common';
import { describe, read, show } from '../errors/describe.js';
import { type Inspection, written } from '../processes/inspection.js';
import { ProcessInspector } from '../processes/process.inspector.js';
import { ProcessManager } from '../processes/process.manager.js';
import { attempted, wordOf } from './dashboard.commands.js';
import type { DashboardRequest } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';

/** Of a call from the page. */
const MAX_ARGUMENTS = 20;

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
      const args = read(body, 'args') ?? [];
      if (!Array.isArray(args) || args.length > MAX_ARGUMENTS) {
        throw new BadRequestException(`Send args as a list of at most ${MAX_ARGUMENTS} values.`);
      }
      const result = await attempted(request, `call ${show(`${process}.${method}`)}`, async () => {
        const ref = await this.processes.lookupSingleton(process);
        if (ref === undefined) throw new NotFoundException('It runs on no node.');
        return ref.call(method, ...(args as unknown[]));
      });
      try {
        return { result: written(result) };
      } catch (error) {
        return { result: `It was called; what it returned is not shown: ${describe(error)}` };
      }
    }
  }
  return FoundationProcessesController;
}
