// What specs import of `@jest/globals`, without Jest: the same circus, expectations, mocks and clocks in one process
// that starts in a third of a second, because a mutant needs one of its own. Ends at the first test that fails.
import { createRequire } from 'node:module';

const required = createRequire(import.meta.resolve('jest'));
const circus = required('jest-circus');
const { expect: plain } = required('expect');
const { ModuleMocker } = required('jest-mock');
const { ModernFakeTimers } = required('@jest/fake-timers');
const { format } = required('pretty-format');

const mocker = new ModuleMocker(globalThis);
const timers = new ModernFakeTimers({ config: { fakeTimers: {} }, global: globalThis });
const clock = Object.fromEntries(
  Object.getOwnPropertyNames(ModernFakeTimers.prototype).map((name) => [name, (...args) => timers[name](...args)]),
);

plain.extend({
  toMatchInlineSnapshot(received, shown) {
    const bare = (text) => text.replace(/\s+/g, ' ').trim();
    const pass = bare(format(received, { escapeString: false, printBasicPrototype: false })) === bare(shown);
    return { pass, message: () => 'the snapshot differs' };
  },
});

export const { describe, it, test, beforeAll, beforeEach, afterAll, afterEach } = circus;
export const expect = plain;
export const jest = {
  ...clock,
  fn: (implementation) => mocker.fn(implementation),
  spyOn: (object, name, kind) => mocker.spyOn(object, name, kind),
  restoreAllMocks: () => mocker.restoreAllMocks(),
  clearAllMocks: () => mocker.clearAllMocks(),
  useFakeTimers: (config = {}) => timers.useFakeTimers(config),
  setTimeout: (testTimeout) => circus.setState({ ...circus.getState(), testTimeout }),
};
