/**
 * The services of all nodes by namespace and name, as services of the mesh.
 * Underneath: `ServiceMesh`, under the name `foundation.v1/<namespace>/<name>`.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArgumentError } from '../../errors/config.errors.js';
import { describe, isA } from '../../errors/describe.js';
import { FoundationError } from '../../errors/foundation.error.js';
import { unattended } from '../../foreign/gate.js';
import type { ServiceCallOptions, ServiceHandle, ServiceInfo } from '../../services/service.js';
import { ServiceMesh } from '../../services/service.mesh.js';
import { fail, type Failure, ok, type Result } from '../v1.result.js';
import type { Place } from './registry.arguments.js';

const PREFIX = 'foundation.v1';

/** See the file header. */
@Injectable()
export class ClusterServices {
  /** What this node has registered, by the name in the mesh. */
  readonly #handles = new Map<string, ServiceHandle>();

  constructor(@Inject(ServiceMesh) private readonly mesh: ServiceMesh) {}

  async register(place: Place, object: object): Promise<Result> {
    const name = nameOf(place);
    return attempted(async () => {
      const { namespace, name: service } = place;
      this.#handles.set(name, await this.mesh.registerService(name, object, [], { namespace, service }));
    });
  }

  /** Nothing where it was not registered by {@link register}. */
  async deregister(place: Place): Promise<Result> {
    const name = nameOf(place);
    const handle = this.#handles.get(name);
    this.#handles.delete(name);
    return attempted(async () => handle?.deregister());
  }

  /** The same for one that is no longer registered on this node, which nobody waits for. */
  withdraw(place: Place): void {
    if (this.isRegistered(place)) unattended('withdrawing a service', this.deregister(place));
  }

  isRegistered(place: Place): boolean {
    return this.#handles.has(nameOf(place));
  }

  /** The healthy ones, of all nodes. */
  async find(place: Place): Promise<ServiceInfo[]> {
    const found = await this.mesh.discoverServices({ name: nameOf(place) });
    return found.filter(({ status }) => status === 'healthy');
  }

  /** The names of a namespace that any node has. */
  async list(namespace: string): Promise<string[]> {
    const found = await this.mesh.discoverServices({ metadata: { namespace } });
    const begin = `${PREFIX}/${namespace}/`;
    const names = found.filter(({ name }) => name.startsWith(begin)).map(({ name }) => name.slice(begin.length));
    return [...new Set(names)];
  }

  call(place: Place, method: string, args: readonly unknown[], options: ServiceCallOptions): Promise<unknown> {
    return this.mesh.call(nameOf(place), method, args, options);
  }
}

function nameOf({ namespace, name }: Place): string {
  return `${PREFIX}/${namespace}/${name}`;
}

/** Redis may be away, or refuse it. @throws ArgumentError */
async function attempted(work: () => Promise<void>): Promise<Result> {
  try {
    return ok(await work());
  } catch (error) {
    if (!isA(error, FoundationError) || isA(error, ArgumentError)) throw error;
    return failed(error);
  }
}

function failed(error: FoundationError): Failure {
  return fail({ errorType: 'dependency_failed', message: describe(error), context: { code: error.code } });
}
