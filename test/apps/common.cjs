// A node of an application that is CommonJS and has no build: it answers what its parent asks of the singleton "feed".
const process = require('node:process');
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const foundation = require('nestjs-foundation');

const { Callable, Channel, Channels, FoundationModule, Membership, ProcessManager, Singleton } = foundation;
const [, , redis, appName, nodeName] = process.argv;
const heard = [];

class Feed {
  price(of) {
    return `${of} from ${nodeName}`;
  }
}
decorate(Callable(), Feed, 'price');
Singleton({ name: 'feed' })(Feed);

class Listener {
  onHello({ from }) {
    heard.push(from);
  }
}
decorate(Channel('events', { type: 'hello' }), Listener, 'onHello');

class App {}
const options = { cluster: true, redis, appName, nodeName, lease: { ttl: 1500 } };
Module({ imports: [FoundationModule.forRoot(options)], providers: [Feed, Listener] })(App);

function decorate(decorator, type, method) {
  decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
}

async function main() {
  const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  const questions = {
    members: () => app.get(Membership).members().length,
    price: async (of) => (await app.get(ProcessManager).lookupSingleton('feed'))?.call('price', [of]),
    say: () => app.get(Channels).broadcast('events', { from: nodeName }, { type: 'hello' }),
    heard: () => heard,
    formats: async () => {
      // The same package once more, in the other format.
      const other = await import('nestjs-foundation');
      return other.FoundationModule === FoundationModule ? 'one' : 'two';
    },
  };
  process.on('message', async ([id, question, ...args]) => {
    const answer = await Promise.resolve()
      .then(() => questions[question](...args))
      .catch((error) => String(error));
    process.send([id, answer]);
  });
  process.send('ready');
}

void main();
