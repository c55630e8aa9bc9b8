/**
 * How often methods, handlers and jobs run in the whole cluster, and how long they take: asked of each node.
 * For the dashboard and the command line; underneath a call to the control of each node.
 */
import type { CallRouter } from '../calls/call.router.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { controlOf } from '../processes/node.control.js';
import {
  mergedFigures,
  mergedHistory,
  readNodeFigures,
  readNodeHistory,
  type SeriesName,
  type WorkPoint,
  type WorkSeen,
} from '../telemetry/figures.report.js';
import { slotsOf, type WorkFigures } from '../telemetry/work.figures.js';
import type { Reader } from '../wire/decode.js';

/** What was read, and from which nodes nothing came in time. */
export interface WorkOfCluster {
  work: WorkSeen[];
  silent: string[];
}

/** The last hour of one of them. */
export interface WorkHistory {
  points: WorkPoint[];
  silent: string[];
}

/** How long a node may take to answer, in milliseconds; one that runs a version without figures refuses. */
const ANSWER_MS = 1000;

/** See the file header. */
export class ClusterFigures {
  constructor(
    private readonly own: WorkFigures,
    private readonly membership: Pick<ClusterView, 'members'>,
    private readonly calls: Pick<CallRouter, 'callAt'>,
  ) {}

  /** Those of the last minutes, 1 to 60, the busiest first. Never rejects. */
  async read(minutes = 1): Promise<WorkOfCluster> {
    const own = (): unknown => this.own.report(slotsOf(minutes));
    const { answers, silent } = await this.#ask('work', minutes, own, readNodeFigures);
    return { work: mergedFigures(answers), silent };
  }

  /** The last hour of one series, oldest first. Never rejects. */
  async history(name: SeriesName): Promise<WorkHistory> {
    const own = (): unknown => this.own.history(name);
    const { answers, silent } = await this.#ask('workHistory', name, own, readNodeHistory);
    return { points: mergedHistory(answers), silent };
  }

  async #ask<T>(
    method: string,
    argument: unknown,
    own: () => unknown,
    read: Reader<T>,
  ): Promise<{ answers: T[]; silent: string[] }> {
    const answers: T[] = [];
    const silent: string[] = [];
    await Promise.all(
      this.membership.members().map(async (member) => {
        const asked = member.self
          ? own()
          : await this.calls
              .callAt(controlOf(member), method, [argument], { timeout: ANSWER_MS })
              .catch(() => undefined);
        const answer = read(asked);
        if (answer === undefined) silent.push(member.name);
        else answers.push(answer);
      }),
    );
    return { answers, silent: silent.sort() };
  }
}
