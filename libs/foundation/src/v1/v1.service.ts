/**
 * What the four classes share: whether they run, the time, and the name of this node. Nest makes it.
 */
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Membership } from '../cluster/membership.js';
import { Gate } from '../foreign/gate.js';
import { givenOptions } from '../foreign/given.options.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { monotonicNow } from '../time/monotonic.clock.js';
import { DEFAULTS, type V1Config } from './config/config.defaults.js';
import { startConfig } from './config/config.start.js';
import { V1_OPTIONS, type V1Options } from './v1.options.js';
import { fail, type Failure } from './v1.result.js';

/** The code and the words with which a class of 1.x says that its service does not run. */
export interface Unavailable {
  code?: number;
  message: string;
}

const KNOWN = ['config', 'overrides', 'testMode', 'publishEvents'] as const;

/** See the file header. */
@Injectable()
export class V1Service implements OnModuleDestroy {
  /** False once the application ends. */
  running = true;
  /** Through which functions of the user's are called. */
  readonly gate: Gate;
  /** The configuration that this node starts with. */
  readonly start: V1Config;
  #since = Date.now() - monotonicNow();
  #isSet = false;

  constructor(
    @Inject(V1_OPTIONS) readonly options: V1Options,
    @Inject(Telemetry) telemetry: Telemetry,
    @Inject(Membership) private readonly membership: Pick<Membership, 'self' | 'state' | 'clusterNow'>,
  ) {
    this.gate = new Gate(telemetry);
    this.start = startConfig(DEFAULTS, givenOptions<V1Options>('FoundationV1Module.forRoot', options, KNOWN));
  }

  get node(): string {
    return this.membership.self.name;
  }

  /** Milliseconds by a clock that goes on evenly: for how long something takes, or has been. */
  ticks(): number {
    return monotonicNow();
  }

  /**
   * What a time of {@link ticks} is in whole milliseconds since 1970, by the clock of Redis, which is the same one on
   * all nodes. It may step once, when this node joins and so knows that clock; else it never goes back.
   */
  wallOf(ticks: number): number {
    if (!this.#isSet && this.membership.state === 'up') {
      this.#since = this.membership.clusterNow() - monotonicNow();
      this.#isSet = true;
    }
    return Math.floor(this.#since + ticks);
  }

  now(): number {
    return this.wallOf(this.ticks());
  }

  /** `undefined` while it runs. */
  unavailable({ code, message }: Unavailable): Failure | undefined {
    if (this.running) return undefined;
    return fail({ errorType: 'service_unavailable', code, message, severity: 'high', category: 'system' });
  }

  /** `undefined` in test mode. */
  forbidden(code: number): Failure | undefined {
    if (this.options.testMode === true) return undefined;
    const message = 'State reset only allowed in test mode';
    const of = { category: 'security', subcategory: 'authorization', severity: 'high' } as const;
    return fail({ errorType: 'operation_forbidden', code, message, ...of });
  }

  onModuleDestroy(): void {
    this.running = false;
  }
}
