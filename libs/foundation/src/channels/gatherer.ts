/**
 * Sends one message and collects what its handlers return on every node: a broadcast whose acknowledgements have the
 * answers with them. Used by `channel.runtime.ts`; underneath `sender.ts` and `acknowledgements.ts`.
 */
import { GatherCount, type Gathered, Gathering, type GatheringLimits } from '../calls/gathering.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { ContextHook } from '../context/context.hook.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { requireNotAborted } from '../foreign/abort.signals.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { carried, spanned } from '../telemetry/tracing.js';
import { clockOf } from '../time/clock.js';
import { millisecondsOf } from '../time/duration.js';
import { checkGather } from './channel.arguments.js';
import type { GatherMessageOptions } from './channel.js';
import { publishing } from './channel.tracing.js';
import type { Carried } from './envelope.js';
import type { NodeAddress } from './node.messages.js';
import type { Sender } from './sending/sender.js';

/** What a gatherer works with. */
export interface GathererTools {
  sender: Pick<Sender, 'send'>;
  membership: Pick<ClusterView, 'requireConnected' | 'state' | 'awaitReady'> & Partial<Pick<ClusterView, 'clock'>>;
  telemetry: Telemetry;
  context: ContextHook;
  isDurable: (channel: string) => boolean;
  /** Milliseconds, where the caller says nothing. */
  timeout: number;
}

/** What ends a question of ours. */
export interface AskLimits extends GatheringLimits {
  asked?: ((nodes: number) => void) | undefined;
}

/** See the file header. */
export class Gatherer {
  readonly #count = new GatherCount();

  constructor(private readonly tools: GathererTools) {}

  /** See `Channels.gather`; the channel is declared. */
  async gather(channel: string, message: unknown, options: GatherMessageOptions): Promise<Gathered> {
    checkGather('gather', options);
    if (this.tools.isDurable(channel)) {
      throw new ArgumentError('gather', 'channel', show(channel), 'a channel that is not durable: its handlers answer');
    }
    const { timeout, min, signal, ...sending } = options;
    const { membership, telemetry } = this.tools;
    requireNotAborted(signal);
    const timeoutMs = timeout === undefined ? this.tools.timeout : millisecondsOf(timeout);
    membership.requireConnected();
    // Before that it knows of no other node, and would call complete what is not.
    if (membership.state === 'joining') await membership.awaitReady({ timeout: timeoutMs });
    const began = performance.now();
    const gathered = await this.ask(channel, message, { min, timeoutMs, signal }, sending);
    const { answers, missing, complete } = gathered;
    const counts = { answers: answers.length, missing: missing.length };
    telemetry.emit('message.gathered', { channel, ...counts, complete, waitedMs: performance.now() - began });
    return gathered;
  }

  /** The same for rooms of ours, with limits of their own; `asked` is called with how many nodes are asked. */
  ask(
    channel: string,
    message: unknown,
    { asked, ...limits }: AskLimits,
    sending: Asking['sending'] = {},
  ): Promise<Gathered> {
    const { telemetry, context: hook } = this.tools;
    const context = hook.capture('gather');
    return spanned(telemetry, publishing(channel), () => {
      const trace = carried(telemetry);
      const extras = trace === undefined && context === undefined ? undefined : { trace, context };
      return this.#send({ channel, message, sending, extras, limits, asked });
    });
  }

  #send({ channel, message, sending, extras, limits, asked }: Asking): Promise<Gathered> {
    return new Promise((resolve, reject) => {
      let gathering: Gathering | undefined;
      const gathers = (nodes: readonly NodeAddress[]): Gathering => {
        asked?.(nodes.length);
        const ended = this.#count.begin(`gather("${channel}")`, nodes.length);
        gathering = new Gathering(new Map(nodes.map(({ name: node, bootId }) => [bootId, { node }])), {
          ...limits,
          clock: clockOf(this.tools.membership),
        });
        gathering.onEnd(ended);
        gathering.result.then(resolve, reject);
        return gathering;
      };
      const failed = (error: unknown): void => {
        gathering?.fail(error);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever was thrown
        reject(error);
      };
      try {
        this.tools.sender.send(channel, message, { ...sending, gathers }, extras).catch(failed);
      } catch (error) {
        failed(error);
      }
    });
  }
}

/** One message that is sent, and what is waited for. */
interface Asking {
  channel: string;
  message: unknown;
  sending: Pick<GatherMessageOptions, 'type' | 'priority' | 'compression'>;
  extras: Carried | undefined;
  limits: GatheringLimits;
  asked: AskLimits['asked'];
}
