// The cluster-wide configuration of the test application: a schema that takes as long as the test says.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterConfigOptions, StandardSchema } from 'nestjs-foundation';

/** What the nodes share. */
export interface Shared {
  first: number;
  second: number;
  text: string;
}

/** How long the schema of this node takes from now on; of everything that it looks at. */
export const pace = { ms: 0 };

const schema: StandardSchema<Shared> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      if (pace.ms > 0) await delay(pace.ms);
      const { first, second, text } = value as Shared;
      const isRight = typeof first === 'number' && typeof second === 'number' && typeof text === 'string';
      return isRight && first >= 0 ? { value: { first, second, text } } : { issues: [{ message: 'not shared' }] };
    },
  },
};

export const SHARED: ClusterConfigOptions = { schema, defaults: { first: 0, second: 0, text: '' } };
