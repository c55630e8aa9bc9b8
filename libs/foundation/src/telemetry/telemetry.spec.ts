import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Telemetry } from './telemetry.js';

const SENT = { channel: 'events', size: 12 };

describe('Telemetry', () => {
  const error = jest.fn();
  beforeEach(() => void Logger.overrideLogger({ log: jest.fn(), warn: jest.fn(), error }));
  afterEach(() => void error.mockReset());

  it('calls the listeners of an event, and those of all events', () => {
    const telemetry = new Telemetry();
    const seen: unknown[] = [];
    telemetry.attach('message.sent', (event, payload) => seen.push(['one', event, payload]));
    telemetry.attach('*', (event, payload) => seen.push(['all', event, payload]));
    telemetry.attach('message.dropped', (event) => seen.push(['other', event]));
    telemetry.emit('message.sent', SENT);
    expect(seen).toEqual([
      ['one', 'message.sent', SENT],
      ['all', 'message.sent', SENT],
    ]);
  });

  it('detaches', () => {
    const telemetry = new Telemetry();
    const [gone, stays] = [jest.fn(), jest.fn()];
    const detach = telemetry.attach('message.sent', gone);
    telemetry.attach('message.sent', stays);
    detach();
    detach();
    telemetry.emit('message.sent', SENT);
    expect(gone).not.toHaveBeenCalled();
    expect(stays).toHaveBeenCalledTimes(1);
  });

  it('lets a listener detach itself while it is called', () => {
    const telemetry = new Telemetry();
    const listener = jest.fn(() => detach());
    const detach = telemetry.attach('message.sent', listener);
    telemetry.emit('message.sent', SENT);
    telemetry.emit('message.sent', SENT);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('survives a listener that throws, logs it and serves the others', () => {
    const telemetry = new Telemetry();
    const after = jest.fn();
    telemetry.attach('message.sent', () => {
      throw new Error('mine');
    });
    telemetry.attach('message.sent', after);
    expect(() => telemetry.emit('message.sent', SENT)).not.toThrow();
    expect(after).toHaveBeenCalledTimes(1);
    expect(error).toHaveBeenCalledWith(
      expect.stringContaining('telemetry listener'),
      expect.objectContaining({ event: 'message.sent', error: 'mine' }),
      'Foundation',
    );
  });

  it('survives a listener that throws an object with a cycle', () => {
    const telemetry = new Telemetry();
    const after = jest.fn();
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    telemetry.attach('message.sent', () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw cyclic;
    });
    telemetry.attach('message.sent', after);
    expect(() => telemetry.emit('message.sent', SENT)).not.toThrow();
    expect(after).toHaveBeenCalledTimes(1);
  });

  it('does nothing without listeners', () => {
    expect(() => new Telemetry().emit('message.sent', SENT)).not.toThrow();
  });
});
