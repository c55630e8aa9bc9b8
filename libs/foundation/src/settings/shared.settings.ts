/**
 * The cluster-wide configurations of this node: their rows in one table, and what this node says to those that others
 * propose. Opened by the lifecycle; a node without any reads and sends nothing.
 */
import type { Backend } from '../backend/backend.js';
import { TableReplica } from '../backend/tables/table.replica.js';
import type { ChannelRuntime } from '../channels/channel.runtime.js';
import type { ReservedChannel } from '../channels/reserved.channel.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { IssuedCommands } from '../context/actor.js';
import { unattended } from '../foreign/gate.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { clockOf } from '../time/clock.js';
import type { WakeUp } from '../time/wake.ups.js';
import { type ConfigRow, readProposal, readRow, writeRow } from './config.row.js';
import { ConfigSetter } from './config.setter.js';
import { type DocumentDefinition, SharedDocument } from './shared.document.js';

/** Hints bring changes at once; this is for those that were lost. */
const LOOK_EVERY_MS = 5000;
/** With another wake-up of this node that comes so much sooner. */
const EARLY_MS = 1000;
/** Proposals that one node looks at at a time; a schema may be asynchronous. */
const PROPOSALS_AT_ONCE = 16;

/** What the settings need. */
export interface SettingsParts {
  readonly backend: Pick<Backend, 'settings' | 'onHint' | 'transport' | 'endpoint'>;
  readonly membership: ClusterView;
  readonly channels: ChannelRuntime;
  readonly telemetry: Telemetry;
  /** Milliseconds, where the caller says nothing. */
  readonly timeout: number;
  readonly commands: Pick<IssuedCommands, 'issued'>;
}

/** What a node answers to a proposal. */
export type Verdict = { ok: true } | { ok: false; errors: readonly string[] };

/** One configuration: what it is now, and how it is set. */
export interface OpenedConfig {
  readonly document: SharedDocument;
  readonly setter: ConfigSetter;
}

/** See the file header. */
export class SharedSettings {
  readonly #documents = new Map<string, SharedDocument>();
  readonly #proposals = new Map<string, ReservedChannel>();
  readonly #replica: TableReplica<ConfigRow>;
  #timer: Pick<WakeUp, 'cancel'> | undefined;
  #isOpen = false;

  constructor(private readonly parts: SettingsParts) {
    const { backend, membership, telemetry } = parts;
    this.#replica = new TableReplica<ConfigRow>(backend.settings, {
      what: 'configuration table',
      read: readRow,
      write: writeRow,
      changed: (name, row) => row !== undefined && this.#documents.get(name)?.follow(row),
      refused: (reason, entry, count) =>
        telemetry.emit('cluster.row_refused', { table: 'settings', entry, reason, count }),
    });
    backend.onHint((hint) => {
      if (hint.t === 'settings' && this.#isOpen) this.#replica.hinted(hint.version);
    });
    backend.transport.onInterrupted(() => this.#look());
    membership.listen({
      changed: () => membership.state === 'left' && this.close(),
      dataLoss: () => {
        if (this.#documents.size > 0) unattended('restoring the configuration', this.#replica.lost());
      },
    });
  }

  /** One more configuration; before the node joins. @throws FoundationConfigError */
  async add(definition: DocumentDefinition): Promise<OpenedConfig> {
    const { name } = definition;
    const document = await SharedDocument.open(definition, this.parts.telemetry);
    this.#documents.set(name, document);
    const channel = channelOf(name);
    this.#proposals.set(name, this.parts.channels.reserve(channel));
    return { document, setter: new ConfigSetter({ ...this.parts, document, replica: this.#replica, channel }) };
  }

  /** Answers proposals from here on: the record with which this node joins says so. */
  async listen(): Promise<void> {
    for (const [name, document] of this.#documents) {
      const answer = (message: unknown): Promise<Verdict> => verdictOn(document, message);
      await this.#proposals.get(name)!.subscribe(answer, { concurrency: PROPOSALS_AT_ONCE });
    }
  }

  /** Reads what is set, and follows it. Called by the lifecycle once the node is a member. */
  async open(): Promise<void> {
    if (this.#documents.size === 0) return;
    this.#isOpen = true;
    await this.#replica.sync();
    await Promise.all([...this.#documents.values()].map((document) => document.settled()));
    this.#timer ??= clockOf(this.parts.membership).every(LOOK_EVERY_MS - EARLY_MS, LOOK_EVERY_MS, () => this.#look());
  }

  close(): void {
    this.#isOpen = false;
    this.#timer?.cancel();
  }

  #look(): void {
    if (!this.#isOpen) return;
    unattended('reading the configuration', this.#replica.syncSoon());
    // A schema that failed, or took too long, may take by now what it refused; of what is taken nothing is done again.
    for (const document of this.#documents.values()) unattended('applying the configuration', document.settled());
  }
}

/** No channel of an application can have this name. */
function channelOf(name: string): string {
  return `#config:${name}`;
}

/** What would lie in the table is what is looked at, so it matters not what this node has by then. */
async function verdictOn(document: SharedDocument, message: unknown): Promise<Verdict> {
  const proposal = readProposal(message);
  if (proposal === undefined) return { ok: false, errors: ['it cannot be read'] };
  const { errors } = await document.check(proposal.values);
  return errors === undefined ? { ok: true } : { ok: false, errors };
}
