import { z } from 'zod';

const Settings = z.object({ uploads: z.object({ limit: z.number().int().min(1).max(1000) }), banner: z.string() });
export type Settings = z.infer<typeof Settings>;

/** What is set while the nodes run lies on the defaults. */
export const SETTINGS = {
  schema: Settings,
  defaults: { uploads: { limit: 5 }, banner: '' } satisfies Settings,
};
