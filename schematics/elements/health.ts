import type { Element } from './element.text';

export const HEALTH: Element = {
  kind: 'health',
  suffix: 'Health',
  imports: ['Injectable', 'OnServiceHealth', 'Service'],
  source: ({ file, type }) => `import { Injectable } from '@nestjs/common';
import { type OnServiceHealth, Service } from 'nestjs-foundation';

/**
 * Whether \`${file}\` is well on this node. The health of the cluster says so,
 * in \`GET /health/cluster\` as well, and is critical when no node has it well.
 */
@Service({ name: '${file}' })
@Injectable()
export class ${type} implements OnServiceHealth {
  /**
   * Called every five seconds; false and an error are failures, and after
   * three in a row it counts as unhealthy. Ask it here: \`return this.db.ping()\`.
   */
  onServiceHealth(): boolean | Promise<boolean> {
    return true;
  }
}
`,
  uses: ['HealthMonitor'],
  test: ({ file, type }) => ({
    name: 'is part of the health of the cluster',
    body: `expect(await app.get(${type}).onServiceHealth()).toBe(true);
const { services } = await app.get(HealthMonitor).clusterHealth();
expect(services).toContainEqual({
  service: '${file}',
  status: 'healthy',
  instances: 1,
});
`,
  }),
};
