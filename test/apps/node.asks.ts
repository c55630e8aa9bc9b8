// Broadcasts that wait until every node that listens has handled them, and what became of each.
import { setTimeout as delay } from 'node:timers/promises';
import type { AcknowledgementError, Channels } from 'nestjs-foundation';
import type { HistoryRecorder } from 'nestjs-foundation/testing';

type Recorder = Pick<HistoryRecorder, 'record'>;

/** Nobody else sends on it here. */
const CHANNEL = 'telemetry';
const ASK_EVERY_MS = 600;
const TIMEOUT_MS = 1500;

/** Subscribes; a handler takes a moment. */
export async function acknowledge(channels: Channels, recorder: Recorder): Promise<void> {
  await channels.subscribe(CHANNEL, async (message) => {
    const { id, n } = message as { id: string; n: number };
    await delay((n % 3) * 20);
    recorder.record('test.ask_handled', { channel: CHANNEL, id });
  });
  recorder.record('test.ask_listening', { channel: CHANNEL });
}

/** One at a time, until it is over. */
export async function askForEver(
  channels: Channels,
  recorder: Recorder,
  { bootId }: { bootId: string },
  isOver: () => boolean,
): Promise<void> {
  for (let n = 1; !isOver(); n++) {
    const id = `${bootId} ${n}`;
    recorder.record('test.asked', { channel: CHANNEL, id, timeoutMs: TIMEOUT_MS });
    await channels.broadcast(CHANNEL, { id, n }, { timeout: TIMEOUT_MS }).then(
      () => recorder.record('test.ask_acknowledged', { channel: CHANNEL, id }),
      (error: unknown) => {
        const { name, missing = [] } = error as Partial<AcknowledgementError>;
        recorder.record('test.ask_failed', { channel: CHANNEL, id, error: name, missing });
      },
    );
    await delay(ASK_EVERY_MS);
  }
}
