/** What a client and a strategy are given: `@Client()` and options without injection cannot give it. */
import { Channels } from '../channels/channels.js';
import { ArgumentError } from '../errors/config.errors.js';
import { isA, shown } from '../errors/describe.js';

/** @throws ArgumentError */
export function requireChannels(call: string, channels: unknown): Channels {
  if (isA(channels, Channels)) return channels;
  const where = 'inject it, as in ClientsModule.registerAsync({ clients: [{ name, inject: [Channels], useFactory }] })';
  throw new ArgumentError(call, 'channels', shown(channels, 80), `the Channels of the application: ${where}`);
}
