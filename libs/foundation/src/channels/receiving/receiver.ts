/**
 * Subscribes to channels, each once however many handlers it has, and detects lost messages. Underneath SUBSCRIBE.
 */
import type { Transport } from '../../backend/transport/transport.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import type { Lasts } from '../envelope.js';
import type { MessageDrops } from '../message.drops.js';
import type { NodeMessages } from '../node.messages.js';
import type { Dispatcher } from './dispatcher.js';
import { GapDetector } from './gap.detector.js';
import { GapRecovery } from './gap.recovery.js';
import { KnownSenders } from './known.senders.js';
import { type Sink, Unpacker } from './unpacker.js';

/** What a receiver works with. */
export interface ReceiverTools {
  membership: ClusterView;
  transport: Transport;
  nodeMessages: NodeMessages;
  dispatcher: Dispatcher;
  /** The numbers of the last messages that this node has sent. */
  lasts: (channels: readonly string[]) => Lasts;
  /** Acknowledges a message to its sender. */
  acknowledge: Sink['acknowledge'];
  answer: Sink['answer'];
  drops: MessageDrops;
  /** The beginning of each envelope of this node. */
  ownPrefix: string;
  topic: (channel: string) => string;
  /** Sends the backlog. */
  flush: () => Promise<void>;
  telemetry: Pick<Telemetry, 'attach'>;
  maxMessageBytes: number;
}

/** See the file header. */
export class Receiver {
  readonly #senders: KnownSenders;
  readonly #sequences: GapDetector;
  readonly #incoming: Unpacker;
  readonly #catchUp: GapRecovery;
  readonly #listening = new Map<string, Promise<() => Promise<void>>>();

  constructor(private readonly tools: ReceiverTools) {
    const { membership, transport, nodeMessages, lasts, dispatcher, drops } = tools;
    this.#senders = new KnownSenders(membership);
    this.#sequences = new GapDetector((bootId, channel) => this.#senders.beginningOf(bootId, channel));
    this.#senders.onGone((isGone) => this.#sequences.forgetSenders(isGone));
    this.#incoming = new Unpacker({
      own: { prefix: tools.ownPrefix, bootId: membership.self.bootId },
      sequences: this.#sequences,
      drops,
      maxMessageBytes: tools.maxMessageBytes,
      sink: {
        listening: (channel) => this.#listening.get(channel),
        deliver: (envelope, now) => dispatcher.deliver(envelope, now),
        gap: (gap) => dispatcher.gap(gap),
        acknowledge: tools.acknowledge,
        answer: tools.answer,
      },
    });
    this.#catchUp = new GapRecovery({
      membership,
      transport,
      nodeMessages,
      lasts,
      senders: this.#senders,
      telemetry: tools.telemetry,
      flush: tools.flush,
      channels: () => [...this.#listening.keys()],
      heard: (channel, lane, last, { name: from, bootId }) => {
        // Envelopes that have arrived and are not read yet are not missing.
        this.#incoming.after(() => {
          const missing = this.#sequences.announced({ bootId, channel, lane }, last);
          if (missing !== undefined) dispatcher.gap({ channel, from, bootId, priority: lane, missing });
        });
      },
      gone: ({ name: from, bootId }) => {
        for (const channel of this.#listening.keys()) dispatcher.gap({ channel, from, bootId });
      },
    });
  }

  async listen(channel: string): Promise<void> {
    const already = this.#listening.get(channel);
    if (already !== undefined) return void (await already);
    const { transport, topic } = this.tools;
    // What comes while the subscription ends is for nobody, and no beginning of a sequence.
    const listening = transport.subscribe(topic(channel), (bundle) => {
      if (this.#listening.get(channel) === listening) this.#incoming.receive(channel, bundle);
    });
    this.#listening.set(channel, listening);
    await listening;
    if (this.#listening.get(channel) !== listening) return;
    // Not before: messages sent while the subscription was being made are no loss.
    this.#senders.listens(channel);
    this.#catchUp.start();
  }

  async unlisten(channel: string): Promise<void> {
    const listening = this.#listening.get(channel);
    this.#listening.delete(channel);
    this.#sequences.forgetChannel(channel);
    await (
      await listening
    )?.();
  }

  close(): void {
    this.#catchUp.close();
  }
}
