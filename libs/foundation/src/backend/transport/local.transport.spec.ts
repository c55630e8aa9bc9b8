import { describe, it } from '@jest/globals';
import { transportContract } from '../../testing/contracts/transport.contract.js';
import { LocalTransport } from './local.transport.js';

transportContract(
  'local',
  () => Promise.resolve({ nodes: [new LocalTransport()], hearsItself: false, close: () => Promise.resolve() }),
  { describe, it },
  { isAlone: true },
);
