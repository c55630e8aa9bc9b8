// What the pages promise about the cookie, sentence by sentence, and the test of each: a sentence that is lost or
// changed, or a test that is renamed, fails here.
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const PAGES = ['security', 'configuration', 'direct-transport', 'telemetry']
  .map((page) => read(`docs/guides/${page}.md`).replace(/\s+/g, ' '))
  .join('\n');

const SECURITY = 'test/integration/security.spec.ts';
const DIRECT = 'libs/foundation/src/backend/transport/direct/link';
const RESOLVE = 'libs/foundation/src/config/resolve.spec.ts';

it.each<[sentence: string, file: string, test: string]>([
  [
    'is a secret that all nodes of a cluster share.',
    SECURITY,
    'form a cluster, own, call, send, offer and keep durable messages',
  ],
  ['the secret that all nodes share, 16 characters or more', RESOLVE, 'takes %j for no cookie'],
  ["`transport: 'direct'` does not start without it.", 'libs/foundation/src/config/resolve.direct.spec.ts', 'cookie'],
  [
    'With every transport it signs (HMAC-SHA256) what nodes write into Redis: their records, the rows of processes and services, messages, calls and durable messages.',
    SECURITY,
    'have nothing in Redis that anybody could take for theirs, nor the cookie',
  ],
  [
    'A node with a different cookie, or none, is rejected (`CookieMismatchError`), and the other members log a warning with its name and host.',
    SECURITY,
    'cannot join with ${what}, and is named with its host',
  ],
  [
    'A client that reaches Redis without the cookie is not seen as a node,',
    SECURITY,
    'is not seen as a node, whatever name it takes',
  ],
  ['starts no process, offers no service,', SECURITY, 'starts no process and offers no service'],
  ['sends and calls nothing,', SECURITY, 'sends nothing, changes nothing and plays nothing again'],
  ['and cannot replay a message or a call.', SECURITY, 'calls nothing, and does not make a call happen again'],
  [
    'What does not bear the signature is dropped, counted and logged as a warning.',
    SECURITY,
    'puts nothing before the handlers of a durable channel',
  ],
  [
    'A client that overwrites the row of a process or a service changes nothing: nodes that have read the row keep it and write it back,',
    SECURITY,
    'stops nothing and takes no name away by writing in the place of a row, which is written back',
  ],
  [
    'each row every ten seconds at most (`cluster.row_refused` with `bad-signature`).',
    'libs/foundation/src/backend/tables/table.replica.spec.ts',
    'is written back once in a while only, however often the stranger writes, and is kept all the time',
  ],
  [
    'A node writes its own record again with its next heartbeat.',
    SECURITY,
    'takes no node out by writing in the place of its record, under %s',
  ],
  [
    'A client that _removes_ a row cannot be distinguished from a node that does: the process stops, and a service is written again.',
    SECURITY,
    'can remove rows, which looks as if a node did: the process stops, and a service is written again',
  ],
  [
    'every group and replay ignores a copy,',
    SECURITY,
    'plays none a second time, whichever member of the group is given the copy',
  ],
  [
    'one that lies more than five minutes from the time it was signed for becomes a dead letter.',
    SECURITY,
    'plays none in an entry of another time: it becomes a dead letter',
  ],
  [
    'a client that removes this memory from Redis, which is logged as a warning,',
    SECURITY,
    'plays none a second time after it took the memory of the group away, and that is told',
  ],
  [
    'but not make a node run or accept what the cookie has not signed.',
    'libs/foundation/src/backend/directory/load.hints.spec.ts',
    'believes nothing that is not signed, was changed, or is of another time',
  ],
  [
    'A message of a channel that is not durable is valid for five minutes:',
    'libs/foundation/src/security/replay.guard.spec.ts',
    'old',
  ],
  [
    'Nodes with different cookies do not form a cluster, so stop all of them to introduce or change it.',
    SECURITY,
    'cannot join nodes that have none either',
  ],
  ['both sides prove that they know it before anything else is read.', `${DIRECT}/handshake.spec.ts`, 'cookie'],
  [
    'It authenticates peers;',
    `${DIRECT}/sockets.spec.ts`,
    'keeps no node out: of one address the oldest that has proven nothing makes room',
  ],
  ['Passwords and the cookie are in no log line, event or error.', RESOLVE, 'holds no secret of %s'],
])('The pages promise: %s', (sentence, file, test) => {
  expect(PAGES).toContain(sentence.replace(/\s+/g, ' '));
  expect(read(file)).toContain(test);
});
