/**
 * Marks a class as a service. Sets metadata and nothing else; the explorer reads it.
 */
import { markClass } from '../decorated.js';
import { givenOptions } from '../foreign/given.options.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const SERVICE_METADATA = Symbol.for('foundation:service');

/** Options of `@Service`. */
export interface ServiceOptions {
  /** Default: the name of the class. */
  name?: string;
  capabilities?: readonly string[];
  /** Plain JSON. */
  metadata?: Readonly<Record<string, unknown>>;
}

/**
 * Offers the instance of this provider as a service of its node; its `@Callable()` methods can be called through
 * {@link ServiceMesh.call}.
 *
 * Underneath: `ServiceMesh.registerService` once the node has joined. On a `@Singleton`, `@Replicated` or
 * `@Partitioned` class: while an instance runs here.
 *
 * @throws ArgumentError for an option that is not known; DeclarationError on a class that has one already.
 */
export function Service(options: ServiceOptions = {}): ClassDecorator {
  const known = ['name', 'capabilities', 'metadata'] as const;
  return markClass(SERVICE_METADATA, '@Service', (place) =>
    givenOptions<ServiceOptions>(`@Service() ${place}`, options, known),
  );
}
