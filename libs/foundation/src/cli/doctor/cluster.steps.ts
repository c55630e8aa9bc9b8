/**
 * Who is in the cluster, how late they are, whether they let each other in, and whether the regular sweep runs.
 * Called by the doctor; underneath a backend that observes.
 */
import { createBackend } from '../../backend/create.backend.js';
import { knock } from '../../backend/transport/direct/link/link.probe.js';
import { LocalNode } from '../../cluster/local.node.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { cookieFindings, knockFinding, memberFindings, sweepFinding } from './cluster.findings.js';
import { skipped, type Step } from './doctor.step.js';

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
          ...memberFindings(members, seen, config.expectedNodes),
        ];
      } finally {
        if (patient.cluster === undefined) await backend.close();
      }
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
