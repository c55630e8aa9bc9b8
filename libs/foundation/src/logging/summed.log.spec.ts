import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Kind, SummedLog } from './summed.log.js';

const STARTED: Kind = { level: 'log', one: '{process} runs here', more: '{count} more run here: {some}' };
const STOPPED: Kind = { level: 'warn', one: '{process} stopped', more: '{count} more stopped: {some}' };

describe('SummedLog', () => {
  let lines: string[];
  let now: number;
  let timers: { at: number; work: () => void }[];
  let log: SummedLog;
  const say = (kind: Kind, ...names: string[]) => {
    for (const name of names) log.say(kind, name, { process: name });
  };
  const many = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`);
  const pass = (ms: number) => {
    now += ms;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { work } of due) work();
  };

  beforeEach(() => {
    [lines, now, timers] = [[], 0, []];
    const note = (line: string) => void lines.push(line);
    Logger.overrideLogger({ log: note, warn: note, error: jest.fn() });
    const later = (work: () => void, ms: number) => {
      timers.push({ at: now + ms, work });
      return 0 as unknown as NodeJS.Timeout;
    };
    log = new SummedLog(() => now, later);
  });
  afterEach(() => void Logger.overrideLogger(false));

  it('says a few as they come, and sums the others of the same kind', () => {
    say(STARTED, ...many(10_000));
    say(STOPPED, 'other');
    expect(lines).toEqual([...many(5).map((name) => `${name} runs here`), 'other stopped']);
    pass(1000);
    expect(lines.at(-1)).toBe('9995 more run here: p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, …');
    expect(lines).toHaveLength(7);
  });

  it('sums every ten seconds while there are more, and says again what comes alone', () => {
    say(STARTED, ...many(6));
    pass(1000);
    say(STARTED, 'a', 'b');
    pass(9999);
    expect(lines.at(-1)).toBe('1 more run here: p5');
    pass(1);
    expect(lines.at(-1)).toBe('2 more run here: a, b');
    pass(10_000);
    say(STARTED, 'c');
    expect(lines.at(-1)).toBe('c runs here');
    expect(timers).toEqual([]);
  });

  it('counts the few again each second', () => {
    for (let second = 0; second < 10; second += 1, pass(1000)) say(STARTED, 'a', 'b');
    expect(lines).toHaveLength(20);
  });

  it('says at the end what it would have said later', () => {
    say(STARTED, ...many(7));
    log.flush();
    expect(lines.at(-1)).toBe('2 more run here: p5, p6');
    log.flush();
    expect(lines).toHaveLength(6);
  });
});
