import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { Log } from './log.js';

/** What a logger writes to the streams of the process. */
function printedBy(logger: ConsoleLogger, work: () => void): string {
  Logger.overrideLogger(logger);
  let text = '';
  const note = (chunk: unknown) => (text += String(chunk)) !== '';
  const spies = [process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write').mockImplementation(note));
  try {
    work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return text;
}

describe('Log', () => {
  afterEach(() => void Logger.overrideLogger(false));

  it('hands every logger a sentence that says all, and the object beside it', () => {
    const warn = jest.fn<(...values: unknown[]) => void>();
    Logger.overrideLogger({ log: warn, warn, error: warn });
    new Log().warn('A handler failed', { channel: 'events', error: 'no' });
    new Log().warn('It rains');
    expect(warn.mock.calls).toEqual([
      ['A handler failed (channel: events): no', { channel: 'events', error: 'no' }, 'Foundation'],
      ['It rains', 'Foundation'],
    ]);
  });

  it('hands the stack of a user and of its causes where Nest has it', () => {
    const error = jest.fn<(message: string, stack: string, context: string) => void>();
    Logger.overrideLogger({ log: jest.fn(), warn: jest.fn(), error });
    const thrown = new TypeError('no y', { cause: new Error('the file is empty') });
    new Log().error('Process "{process}" crashed', { process: 'feed', error: 'no y' }, thrown);
    const [message, stack, context] = error.mock.calls[0]!;
    expect([message, context]).toEqual(['Process "feed" crashed: no y', 'Foundation']);
    expect(stack).toMatch(/^TypeError: no y\n {4}at [^]*log\.spec[^]*\nCaused by: Error: the file is empty\n {4}at /);
  });

  it('prints one line in a console of text, and the object and the stack in one of JSON', () => {
    const work = () => {
      new Log().log('Node "{node}" has joined', { node: 'n1', after: 5 });
      new Log().error('It crashed', { process: 'feed', error: 'no y' }, new TypeError('no y'));
    };
    const text = printedBy(new ConsoleLogger({ colors: false }), work);
    expect(text).toMatch(/LOG \[Foundation\] Node "n1" has joined \(after: 5\)\n.*ERROR \[Foundation\] It crashed/);
    expect(text).toMatch(/It crashed \(process: feed\): no y\nTypeError: no y\n {4}at /);
    expect(text).not.toContain('{');
    const lines = printedBy(new ConsoleLogger({ json: true }), work)
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'log', context: 'Foundation', message: 'Node "n1" has joined (after: 5)', params: { node: 'n1' } },
      {
        level: 'error',
        params: { process: 'feed', error: 'no y' },
        stack: expect.stringMatching(/^TypeError: no y\n/),
      },
    ]);
  });
});
