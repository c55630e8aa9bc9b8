/** What clients, strategies and neighbours are given: `@Client()` and options without injection cannot give it. */
import { ArgumentError } from '../errors/config.errors.js';
import { isA, show } from '../errors/describe.js';
import { Channels } from './channels.js';

const IN_A_CLIENT =
  'inject it, as in ClientsModule.registerAsync({ clients: [{ name, inject: [Channels], useFactory }] })';

/**
 * @param where how to come by them, for who gave something else.
 * @throws ArgumentError
 */
export function requireChannels(call: string, channels: unknown, where = IN_A_CLIENT): Channels {
  if (isA(channels, Channels)) return channels;
  throw new ArgumentError(call, 'channels', show(channels), `the Channels of the application: ${where}`);
}
