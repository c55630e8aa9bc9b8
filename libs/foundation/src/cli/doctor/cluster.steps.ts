/**
 * Who is in the cluster, how late they are, whether they let each other in, and whether the regular sweep runs.
 * Called by the doctor; underneath a backend that observes.
 */
import type { Backend } from '../../backend/backend.js';
import { createBackend } from '../../backend/create.backend.js';
import { clustersIn } from '../../backend/redis/other.clusters.js';
import { placeName } from '../../backend/redis/redis.endpoint.js';
import { usedDatabases } from '../../backend/redis/redis.info.js';
import { knock } from '../../backend/transport/direct/link/link.probe.js';
import { LocalNode } from '../../cluster/local.node.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { whileObserving } from '../observer.js';
import {
  cookieFindings,
  knockFinding,
  memberFindings,
  type Nobody,
  nobodyFinding,
  orphanFindings,
  sweepFinding,
} from './cluster.findings.js';
import { type Case, skipped, type Step } from './doctor.step.js';

/** All steps about the cluster, in their order. */
export const CLUSTER_STEPS: readonly Step[] = [
  {
    name: 'members',
    needs: ['probes'],
    async run(patient) {
      const config = { ...patient.config, transport: { kind: 'redis' as const } };
      const backend = await createBackend(config, new LocalNode(config), new Telemetry());
      try {
        await backend.open();
        const [view, seen] = [await backend.directory.view(), await backend.directory.look()];
        const members = view.members.sort((a, b) => (a.name < b.name ? -1 : 1));
        patient.cluster = { backend, members, seen };
        return [
          ...cookieFindings(config.cookie !== undefined, seen),
          ...(members.length > 0 ? [] : [nobodyFinding(await nobodyIn(patient, backend))]),
          ...memberFindings(members, seen, config.expectedNodes),
        ];
      } finally {
        if (patient.cluster === undefined) await backend.close();
      }
    },
  },
  {
    name: 'orphans',
    needs: ['cluster'],
    async run({ config, cluster }) {
      if (cluster!.members.length === 0) return [skipped('no node is there to declare any')];
      let names: readonly string[] = [];
      await whileObserving({ ...config, transport: { kind: 'redis' } }, (observer) => {
        names = observer.orphans();
        return Promise.resolve(0);
      });
      return orphanFindings(names, config.appName);
    },
  },
  {
    name: 'sweep',
    needs: ['cluster'],
    async run({ cluster }) {
      const { backend, members } = cluster!;
      return [sweepFinding((await backend.inspect()).sweepLateMs, members.length)];
    },
  },
  {
    name: 'direct links',
    needs: ['cluster'],
    async run({ config, cluster }) {
      const dialled = cluster!.members.filter(({ address }) => address !== undefined);
      if (dialled.length === 0) return [skipped('no node listens for links')];
      const { transport, appName, cookie } = config;
      if (cookie === undefined) return [skipped('to try them, set FOUNDATION_COOKIE')];
      const tls = transport.kind === 'direct' ? transport.tls : undefined;
      const own = { appName, cookie, bootId: new LocalNode(config).bootId, ...(tls === undefined ? {} : { tls }) };
      return Promise.all(
        dialled.map(async (each) => {
          const outcome = await knock(own, { bootId: each.bootId, address: each.address! });
          return knockFinding(each, outcome, tls !== undefined);
        }),
      );
    },
  },
];

async function nobodyIn({ config, probes = [] }: Case, { raw }: Backend): Promise<Nobody> {
  return {
    ...{ app: config.appName, place: placeName(config.redis), clusters: await clustersIn(raw.control) },
    databases: usedDatabases((await probes[0]?.info()) ?? ''),
  };
}
