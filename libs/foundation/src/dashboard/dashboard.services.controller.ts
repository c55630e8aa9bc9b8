/**
 * Looks into one instance of a service, and calls one of its methods, for an operator; below the path of the dashboard
 * and under the same guards.
 * Made by the module; underneath `ServiceMesh`, and Nest's own HTTP layer.
 */
import {
  BadRequestException,
  Body,
  ConflictException,
  Inject,
  NotFoundException,
  Post,
  Req,
  type Type,
} from '@nestjs/common';
import { show } from '../errors/describe.js';
import type { Inspection } from '../processes/inspection.js';
import { ProcessInspector } from '../processes/process.inspector.js';
import type { ServiceInfo } from '../services/service.js';
import { ServiceMesh } from '../services/service.mesh.js';
import { calleeOf } from '../services/service.targets.js';
import { argsOf, attempted, resultOf, wordOf } from './dashboard.commands.js';
import type { DashboardRequest } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';

/** A controller below this path. */
export function servicesControllerAt(config: DashboardConfig): Type {
  @DashboardRoute(config, '/services', 'acting')
  class FoundationServicesController {
    constructor(
      @Inject(ProcessInspector) private readonly inspector: ProcessInspector,
      @Inject(ServiceMesh) private readonly services: ServiceMesh,
    ) {}

    /** A POST, since it runs code of the application. */
    @Post('inspect')
    @AnswersAsIs()
    async inspect(@Body() body: unknown, @Req() request: DashboardRequest): Promise<Inspection & { node: string }> {
      const [name, instance] = [wordOf(body, 'name', request), wordOf(body, 'instance', request)];
      return attempted(request, `inspect ${show(name)}`, async () => {
        const service = await this.#find(name, instance);
        const { process } = service;
        if (process === undefined) return this.inspector.inspectAt(service, calleeOf(instance).name);
        const seen = await this.inspector.inspect(process);
        if (seen === undefined) throw new NotFoundException('Its process runs on no node.');
        return seen;
      });
    }

    /** Of this instance; what the method returns comes back as JSON in a text. */
    @Post('call')
    @AnswersAsIs()
    async call(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ result: string }> {
      const [name, instance] = [wordOf(body, 'name', request), wordOf(body, 'instance', request)];
      const method = wordOf(body, 'method', request);
      const args = argsOf(body);
      const returned = await attempted(request, `call ${show(`${name}.${method}`)}`, async () => {
        const { status } = await this.#find(name, instance);
        if (status !== 'healthy') throw new ConflictException('It is not healthy: it gets no calls.');
        const healthCheck = ({ instanceId }: ServiceInfo): boolean => instanceId === instance;
        return this.services.call(name, method, args, { where: { healthCheck } });
      });
      return resultOf(returned);
    }

    async #find(name: string, instance: string): Promise<ServiceInfo> {
      const found = (await this.services.discoverServices({ name })).find(({ instanceId }) => instanceId === instance);
      if (found === undefined) throw new NotFoundException('It is not registered any longer.');
      if (found.url !== undefined) throw new BadRequestException('It is registered by its address only.');
      return found;
    }
  }
  return FoundationServicesController;
}
