/**
 * Publishes the events that a node stores on the channel `events`, for whoever listens.
 * Underneath: `Channels.broadcast`, which nobody waits for: an event is stored whether or not it leaves this node.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Channels } from '../../channels/channels.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { V1_OPTIONS, type V1Options } from '../v1.options.js';
import { type KeptEvent, wireOf } from './v1.event.js';

/** The `type` of such a message. */
export const EVENT_STORED = 'foundation.v1.event_stored';

/** See the file header. */
@Injectable()
export class EventPublisher {
  readonly #log = new ThrottledLog();

  constructor(
    @Inject(Channels) private readonly channels: Pick<Channels, 'broadcast'>,
    @Inject(V1_OPTIONS) private readonly options: V1Options,
  ) {}

  publish(event: KeptEvent): void {
    if (this.options.publishEvents === false) return;
    unattended('publishing an event', this.#broadcast(event));
  }

  async #broadcast(event: KeptEvent): Promise<void> {
    try {
      await this.channels.broadcast('events', { type: EVENT_STORED, event: wireOf(event) });
    } catch (error) {
      const details = { eventType: event.head.eventType, error: describe(error) };
      this.#log.warn('Could not publish an event, which is stored on this node, {error}', details);
    }
  }
}
