import { describe, expect, it } from '@jest/globals';
import { COMMANDS, readCommand, usage, UsageError } from './arguments.js';

describe('readCommand', () => {
  it.each([
    [['status'], { command: 'status', args: [], json: false, interval: 1000 }],
    [['status', '--json', '--app', 'shop'], { command: 'status', json: true, app: 'shop' }],
    [['--redis', 'redis://h:1', 'doctor'], { command: 'doctor', redis: 'redis://h:1' }],
    [['move', 'feed', 'node-b'], { command: 'move', args: ['feed', 'node-b'] }],
    [['restart', 'accounts/3'], { command: 'restart', args: ['accounts/3'] }],
    [['top', '--interval', '0.5'], { command: 'top', interval: 500 }],
    [['status', '--env-file', '.env'], { command: 'status', envFile: '.env' }],
    [['history'], { command: 'history', args: [], query: { limit: 50 } }],
    [
      ['history', 'billing', '--since', '1d', '--kind', 'process.*', '--node', 'a', '--limit', '7'],
      { args: ['billing'], query: { since: '1d', kind: 'process.*', node: 'a', limit: 7 } },
    ],
    [['drain', 'a', '--reason', 'new disk'], { command: 'drain', args: ['a'], reason: 'new disk' }],
    [['cron', 'run', 'nightly'], { command: 'cron', args: ['run', 'nightly'] }],
    [['--help'], { command: 'help' }],
    [['drain', '-h'], { command: 'help' }],
    [['help'], { command: 'help' }],
    [['-v'], { command: 'version' }],
    // What begins with a dash is an argument after two of them.
    [['restart', '--', '-odd'], { command: 'restart', args: ['-odd'] }],
    [['wait'], { command: 'wait', ready: 1, isReadyGiven: false, forMs: 60_000 }],
    [['wait', '--ready', '3', '--for', '10m'], { ready: 3, isReadyGiven: true, forMs: 600_000 }],
    [
      ['rollout', '--json', '--', 'ssh', '{host}', '--json'],
      { json: true, args: [], words: ['ssh', '{host}', '--json'] },
    ],
    [['rollout', 'a', '--', 'restart'], { args: ['a'], words: ['restart'] }],
  ])('reads %p', (argv, expected) => {
    expect(readCommand(argv)).toMatchObject(expected);
  });

  it.each([
    [[], 'No command was given.'],
    [['stauts'], /Unknown command\. Available: status, top, doctor/],
    [['constructor'], /Unknown command/],
    [['__proto__'], /Unknown command/],
    [['status', 'more'], 'status takes no arguments.'],
    [['move', 'feed'], 'Write: move PROCESS NODE'],
    [['move', 'feed', 'a', 'b'], 'Write: move PROCESS NODE'],
    [['drain'], 'Write: drain NODE'],
    [['history', 'billing', 'more'], 'Write: history, or: history PROCESS'],
    [['cron', 'start', 'nightly'], 'Write: cron, or: cron run JOB'],
    [['history', '--limit', '0'], /--limit takes a number/],
    [['history', '--limit', 'many'], /--limit takes a number/],
    [['history', '--limit', '1001'], /--limit takes a number/],
    [['status', '--jsno'], /^Unknown option '--jsno'\.$/],
    [
      ['status', '--app', '--json'],
      /^--app has no value before what follows. One that begins with a dash: --app=-VALUE$/,
    ],
    [['history', '--until', '-1d'], /^--until has no value before what follows. [^\n]+$/],
    [['status', '--app'], /'--app <value>' argument missing/],
    [['status', '--json=yes'], /'--json' does not take an argument/],
    [['wait', '--ready', '0'], /--ready takes a number of nodes/],
    [['wait', '--ready', '3.5'], /--ready takes a number/],
    [['wait', '--for', '60'], /--for takes a time with its unit/],
    [['wait', '--for', '25h'], /--for takes a time/],
    [['wait', '--for', '0s'], /--for takes a time/],
    [['rollout'], /Write the command that restarts a node/],
    [['rollout', '--'], /Write the command/],
    [['rollout', 'a', 'b', '--', 'x'], 'Write: rollout, or: rollout NODE'],
    [['status', '--ready', '3'], 'status takes no --ready; it is of wait, rollout.'],
    [['wait', '--once'], 'wait takes no --once; it is of top.'],
    [['drain', 'a', '--for', '5s'], 'drain takes no --for; it is of wait, rollout.'],
    [['status', '--reason', 'why'], /status takes no --reason/],
    [['top', '--node', 'a'], /top takes no --node/],
    [['top', '--interval', 'often'], /--interval takes seconds/],
    [['top', '--interval', ''], /--interval takes seconds/],
    [['top', '--interval', '0'], /--interval takes seconds/],
  ])('refuses %p', (argv, message) => {
    expect(() => readCommand(argv)).toThrow(UsageError);
    expect(() => readCommand(argv)).toThrow(message);
  });

  it('shows no value in an error, because it may be a password', () => {
    for (const argv of [
      ['redis://:secret@h'],
      ['status', 'redis://:secret@h'],
      ['status', '--redi=redis://:secret@h'],
    ]) {
      expect(() => readCommand(argv)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('secret') }),
      );
    }
  });
});

describe('usage', () => {
  it('names every command, and fits into 110 columns', () => {
    const text = usage();
    for (const name of Object.keys(COMMANDS)) expect(text.join('\n')).toContain(`  ${name}`);
    expect(Math.max(...text.map((line) => line.length))).toBeLessThanOrEqual(110);
  });
});
