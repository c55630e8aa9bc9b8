// What must hold while nodes of two versions are one cluster. Each row begins with no node; `start('now' | 'before',
// name, classes)` gives one, `foundation(which, …words)` is the command line of a version.
import { eventually } from 'nestjs-foundation/testing';

const WITHIN_MS = 30_000;
const MESSAGES = 500;

export const ROWS = {
  'see one another': async ({ start, foundation }) => {
    const nodes = await both(start);
    for (const which of ['now', 'before']) {
      const said = foundation(which, 'status', '--json');
      for (const { name } of nodes) check(said.includes(`"${name}"`), `status of ${which} has no ${name}: ${said}`);
      check(/\b0 failed/.test(foundation(which, 'doctor')), `doctor of ${which} finds something wrong`);
    }
  },

  'call one another': async ({ start }) => {
    const nodes = await both(start);
    const owner = await ownerOf(nodes, 'ledger');
    const caller = nodes.find(({ name }) => name !== owner);
    for (let total = 1; total <= 100; total++) {
      const answer = await caller.ask('add', 1);
      check(answer.total === total && answer.node === owner, `The answer ${total} is ${JSON.stringify(answer)}`);
    }
    // And the other way round.
    check((await caller.ask('move', 'ledger', caller.name)) === caller.name, 'The ledger has not moved');
    const answer = await nodes.find(({ name }) => name === owner).ask('add', 1);
    check(answer.total === 101 && answer.node === caller.name, `After the move: ${JSON.stringify(answer)}`);
    await until(nodes, 'shifts', (answers) => answers === 2);
    for (const node of nodes) await node.ask('offer');
    await until(nodes, ['ask', 'of-now'], (answer) => answer === 'hello from now');
    await until(nodes, ['ask', 'of-before'], (answer) => answer === 'hello from before');
  },

  'hear one another, in order, nothing missing': async ({ start }) => {
    const nodes = await both(start);
    for (let index = 0; index < MESSAGES; index++) await Promise.all(nodes.map((node) => node.ask('say', index)));
    for (const node of nodes) {
      for (const from of ['now', 'before']) {
        const heard = await eventually(
          async () => {
            const all = (await node.ask('heard')).filter((each) => each.from === from).map(({ index }) => index);
            return all.length >= MESSAGES && all;
          },
          { timeout: WITHIN_MS, what: `${MESSAGES} messages of ${from} on ${node.name}` },
        );
        check(
          heard.every((each, index) => each === index) && heard.length === MESSAGES,
          `Order on ${node.name}: ${heard}`,
        );
      }
      check((await node.ask('gaps')) === 0, `${node.name} reports gaps`);
    }
  },

  'share durable channels': async ({ start }) => {
    const nodes = await both(start);
    for (let index = 0; index < MESSAGES; index++) await Promise.all(nodes.map((node) => node.ask('pay', index)));
    const seen = await eventually(
      async () => {
        const all = (await Promise.all(nodes.map((node) => node.ask('consumed')))).flat();
        return all.length >= 2 * MESSAGES && all;
      },
      { timeout: WITHIN_MS, what: 'everything that was paid' },
    );
    const distinct = new Set(seen.map(({ from, index }) => `${from} ${index}`));
    check(distinct.size === 2 * MESSAGES, `${distinct.size} of ${2 * MESSAGES} were handled`);
  },

  'take over from one another after SIGKILL': async ({ start }) => {
    for (const [which, other] of [
      ['before', 'now'],
      ['now', 'before'],
    ]) {
      const [first, second] = await both(start, `${which}-dies-`);
      const [dies, lives] = which === 'before' ? [first, second] : [second, first];
      await ownerOf([lives], 'ledger');
      await lives.ask('move', 'ledger', dies.name);
      dies.child.kill('SIGKILL');
      const answer = await eventually(() => lives.ask('add', 1).catch(() => undefined), {
        timeout: WITHIN_MS,
        what: 'an answer after the death',
      });
      check(answer.node === lives.name && answer.which === other, `It runs on ${JSON.stringify(answer)}`);
      lives.child.kill('SIGKILL');
      await new Promise((done) => lives.child.once('exit', done));
    }
  },

  'are replaced one by one, and no call fails': async ({ start }) => {
    const old = [await start('before', 'old-1'), await start('before', 'old-2')];
    await members(old, 2);
    const caller = await start('now', 'new-0');
    await ownerOf([caller], 'ledger');
    let [calls, isOver] = [0, false];
    const failures = [];
    const calling = (async () => {
      while (!isOver)
        await caller.ask('add', 1).then(
          () => (calls += 1),
          (error) => failures.push(error.message),
        );
    })();
    for (const [index, node] of old.entries()) {
      await start('now', `new-${index + 1}`);
      node.child.kill('SIGTERM');
      await new Promise((done) => node.child.once('exit', done));
    }
    isOver = true;
    await calling;
    check(failures.length === 0, `${failures.length} of ${calls} calls failed: ${failures[0]}`);
    // The hand-over brought the total along, from version to version.
    const { total } = await caller.ask('add', 1);
    check(total === calls + 1, `The total is ${total} after ${calls} calls`);
  },

  'fire a cron job once for all': async ({ start }) => {
    const nodes = await both(start);
    const all = () => Promise.all(nodes.map((node) => node.ask('ticks'))).then((each) => each.flat());
    const seen = await eventually(async () => (await all()).length >= 5 && all(), {
      timeout: WITHIN_MS,
      what: 'ticks',
    });
    const seconds = seen.map((at) => Math.round(at / 1000));
    check(new Set(seconds).size === seconds.length, `Fired twice: ${seconds}`);
  },

  'start a class that only the new version has': async ({ start }) => {
    const [before, now] = [await start('before', 'before'), await start('now', 'now', ['Newcomer'])];
    await until([before, now], 'states', ({ newcomer }) => newcomer?.node === 'now');
  },

  'leave a class of the old version orphaned, to be forgotten': async ({ start, foundation }) => {
    const [before, now] = [await start('before', 'before', ['Bygone']), await start('now', 'now')];
    await until([before, now], 'states', ({ bygone }) => bygone?.node === 'before');
    before.child.kill('SIGTERM');
    await until([now], 'states', ({ bygone }) => bygone?.state === 'orphaned');
    foundation('now', 'forget', 'bygone');
    await until([now], 'states', (states) => states.bygone === undefined);
  },
};

async function both(start, prefix = '') {
  const nodes = [await start('before', `${prefix}before`), await start('now', `${prefix}now`)];
  await members(nodes, 2);
  return nodes;
}

async function members(nodes, count) {
  await until(nodes, 'members', (all) => all.filter(({ state }) => state === 'up').length === count);
}

async function ownerOf(nodes, name) {
  const [states] = await until(nodes, 'states', (each) => each[name]?.state === 'running');
  return states[name].node;
}

/** Asks all of them until each answer is right. */
async function until(nodes, question, isRight) {
  const words = [question].flat();
  let answers;
  return eventually(
    async () => {
      answers = await Promise.all(
        nodes.map((node) => node.ask(...words).catch((error) => ({ failed: error.message }))),
      );
      return answers.every(isRight) && answers;
    },
    { timeout: WITHIN_MS, what: `The answer to ${words.join(' ')}`, lastSeen: () => answers },
  );
}

function check(isRight, message) {
  if (!isRight) throw new Error(message);
}
