// Sends a message every now and then, of which each has a number, and writes down what was sent and what was heard.
import { setTimeout as delay } from 'node:timers/promises';
import type { Channels, Membership } from 'nestjs-foundation';
import { historyNow, type HistoryRecorder } from 'nestjs-foundation/testing';

const TALK_EVERY_MS = 150;
const CHANNELS = { events: 'normal', control: 'high' } as const;

/** Every so often it is silent for a while: a loss that no later message shows is the one that is easily forgotten. */
const SILENT_TURNS = 40;

type Recorder = Pick<HistoryRecorder, 'record'>;

/** However long Redis is away. */
const UP_WITHIN_MS = 3_600_000;

/** Subscribes; the history has what comes, and from when on all has to: once this node is up. */
export async function listen(channels: Channels, membership: Membership, recorder: Recorder): Promise<void> {
  for (const channel of Object.keys(CHANNELS)) {
    await channels.subscribe(channel, (_message, { seq, bootId: sender, priority: lane }) => {
      recorder.record('test.heard', { channel, lane, seq, sender });
    });
  }
  const listening = (): void => {
    for (const channel of Object.keys(CHANNELS)) recorder.record('test.listening', { channel });
  };
  membership.whenReady({ timeout: UP_WITHIN_MS }).then(listening, () => undefined);
}

/**
 * Never waits for an answer. The numbers are those that the library gives, since nobody else sends on these channels.
 */
export async function talkForEver(channels: Channels, recorder: Recorder, ended: () => boolean): Promise<void> {
  const numbers: Record<string, number> = {};
  for (let turn = 0; !ended(); turn++) {
    const isSilent = Math.floor(turn / SILENT_TURNS) % 2 === 1;
    for (const [channel, lane] of isSilent ? [] : Object.entries(CHANNELS)) {
      const seq = (numbers[channel] = (numbers[channel] ?? 0) + 1);
      const sentAt = historyNow();
      void channels.broadcast(channel, turn).then(
        () => recorder.record('test.said', { channel, lane, seq, sentAt }),
        () => undefined,
      );
    }
    await delay(TALK_EVERY_MS);
  }
}
