/**
 * Preloaded into a node of a test (`node --require`): lets its application be asked over IPC, writes its history, and
 * ends with the test. The application knows nothing of it.
 */
import { subscribe } from 'node:diagnostics_channel';
import { errorWords } from '../../errors/describe.js';
import type { NodeMade, NodeOptionsGiven } from '../../node.witness.js';
import { NODE_BEGUN, NODE_MADE, OPTIONS_GIVEN } from '../../node.witness.js';
import { historyFile, recordHistory } from '../history/history.js';
import { boundedSink } from './bounded.sink.js';
import { type FromNode, type NodeSetting, type Question, SETTING } from './kit.messages.js';
import { answer, NodeAgent } from './node.agent.js';
import { withKitOptions } from './node.options.js';
import { compileTypeScript } from './typescript.hooks.js';

/** How often it is looked whether the application listens. */
const LOOK_EVERY_MS = 25;
/**
 * An application with an HTTP server that does not listen this long after it has begun may never do so. Hooks of the
 * application come in between, on a machine that starts several nodes at once.
 */
const LISTEN_MS = 5000;
const LOOK_AGAIN_MS = 250;

const text = process.env[SETTING];
if (text !== undefined) {
  delete process.env[SETTING];
  attend(JSON.parse(text) as NodeSetting);
}

function attend(setting: NodeSetting): void {
  if (setting.compiled !== undefined) compileTypeScript({ cwd: setting.cwd, folder: setting.compiled });
  // The test has gone: nothing else ends this process.
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  let agent: NodeAgent | undefined;
  subscribe(OPTIONS_GIVEN, (message) => {
    const given = message as NodeOptionsGiven;
    given.options = withKitOptions(given.options, setting.options);
  });
  subscribe(NODE_MADE, (message) => {
    const made = message as NodeMade;
    agent = new NodeAgent(made);
    if (setting.history !== undefined) {
      recordHistory(made.parts.telemetry, boundedSink(historyFile(setting.history)), agent.self);
    }
    send({ foundationTest: 'made', bootId: agent.self.bootId });
    announce(agent, begin(made));
  });
  process.on('message', (message: Question) => {
    if (message?.foundationTest !== 'ask') return;
    const { id, question, args } = message;
    const asked = agent;
    const work = (): Promise<string | undefined> => {
      if (asked === undefined) throw new Error('The application of this node has no FoundationModule yet');
      return answer(asked, question, JSON.parse(args) as unknown[]);
    };
    void Promise.resolve()
      .then(work)
      .then(
        (value) => send({ foundationTest: 'answer', id, ...(value === undefined ? {} : { value }) }),
        (error: unknown) => send({ foundationTest: 'answer', id, error: errorWords(error) }),
      );
  });
  // The test alone keeps no application running that has ended.
  process.channel?.unref();
}

/** Answers when the start of the application waited for the node no longer; `undefined` until then. */
function begin({ parts }: NodeMade): () => number | undefined {
  let begunAt: number | undefined;
  subscribe(NODE_BEGUN, (message) => {
    if ((message as Pick<NodeMade, 'parts'>).parts === parts) begunAt ??= performance.now();
  });
  return () => begunAt;
}

/** Says when the node has begun, and where it listens, each as soon as it is so. */
function announce(agent: NodeAgent, begun: () => number | undefined): void {
  let isReady = false;
  let said: number | undefined;
  const look = (): void => {
    const { port } = agent;
    const begunAt = begun();
    if (port !== undefined && port !== said) send({ foundationTest: 'listens', port: (said = port) });
    if (begunAt !== undefined && agent.isUp && !isReady) {
      isReady = port !== undefined || !agent.isServer || performance.now() - begunAt > LISTEN_MS;
      if (isReady) send({ foundationTest: 'ready' });
    }
    const isOver = isReady && (port !== undefined || !agent.isServer);
    if (!isOver) setTimeout(look, isReady ? LOOK_AGAIN_MS : LOOK_EVERY_MS).unref();
  };
  look();
}

function send(message: FromNode): void {
  // The callback takes the error of a test that has just gone.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
