import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { eventually } from '../testing/eventually.js';
import type { FoundationEvents } from './events.js';
import { Telemetry, type TelemetryListener } from './telemetry.js';

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
      expect.stringMatching(/^A function of yours failed, Telemetry.attach\('message.sent'\); .*: mine$/),
      expect.stringMatching(/^Error: mine\n/),
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

  it('counts what its listeners do, and what the listeners to that do in the log only', async () => {
    const telemetry = new Telemetry();
    const failures = jest.fn();
    telemetry.attach('callback.failed', (_event, payload) => {
      failures(payload);
      throw new Error('again');
    });
    telemetry.attach('callback.failed', async () => Promise.reject(new Error('and again')));
    telemetry.attach('message.*', async () => Promise.reject(new Error('mine')));
    telemetry.emit('message.sent', SENT);
    await eventually(() => failures.mock.calls.length > 0);
    expect(failures.mock.calls).toEqual([[{ callback: "Telemetry.attach('message.sent')", error: 'mine' }]]);
  });

  it('does nothing without listeners', () => {
    expect(() => new Telemetry().emit('message.sent', SENT)).not.toThrow();
  });

  it('logs a listener that throws again and again once', () => {
    const telemetry = new Telemetry();
    telemetry.attach('message.sent', () => {
      throw new Error('mine');
    });
    for (let times = 0; times < 100; times += 1) telemetry.emit('message.sent', SENT);
    expect(error).toHaveBeenCalledTimes(1);
  });

  describe('patterns', () => {
    const JOINED = { node: 'a', bootId: '1' };
    const LEFT = { node: 'a', bootId: '1', reason: 'timeout' } as const;

    it('call the listener for the events of a room, in the order of attaching', () => {
      const telemetry = new Telemetry();
      const seen: unknown[] = [];
      telemetry.attach('*', (event) => seen.push(['all', event]));
      const detach = telemetry.attach('cluster.*', (event, payload) => seen.push([event, payload]));
      telemetry.emit('cluster.node_joined', JOINED);
      telemetry.emit('message.sent', SENT);
      detach();
      telemetry.emit('cluster.node_left', LEFT);
      expect(seen).toEqual([
        ['all', 'cluster.node_joined'],
        ['cluster.node_joined', JOINED],
        ['all', 'message.sent'],
        ['all', 'cluster.node_left'],
      ]);
    });

    it('know the payload by the name', () => {
      const telemetry = new Telemetry();
      const reasons: string[] = [];
      telemetry.attach('cluster.*', (event, payload) => {
        if (event === 'cluster.node_left') reasons.push(payload.reason satisfies 'timeout' | 'shutdown' | 'terminated');
        // @ts-expect-error: not an event of that room
        if (event === 'message.sent') reasons.push('never');
      });
      telemetry.attach('*', (event, payload) => {
        if (event === 'message.sent') reasons.push(`${payload.size}`);
      });
      const one: TelemetryListener<'cluster.node_left'> = (_event, { reason }) => void reasons.push(`one ${reason}`);
      telemetry.attach('cluster.node_left', one);
      telemetry.emit('cluster.node_left', LEFT);
      telemetry.emit('message.sent', SENT);
      expect(reasons).toEqual(['timeout', 'one timeout', '12']);
      // @ts-expect-error: no such room
      telemetry.attach('cluter.*', () => undefined);
    });

    it.each(['', 'cluster', 'cluster.', '.*', '*.*', 'cluster.*.x', '__proto__', 7, undefined, null, {}])(
      'refuses what can be none: %p',
      (pattern) => {
        const telemetry = new Telemetry();
        expect(() => telemetry.attach(pattern as '*', () => undefined)).toThrow(ArgumentError);
      },
    );

    it('refuses what is no listener', () => {
      expect(() => new Telemetry().attach('*', undefined as never)).toThrow(ArgumentError);
    });
  });

  describe('diagnostics_channel', () => {
    const heard: [string | symbol, unknown][] = [];
    const hear = (message: unknown, name: string | symbol): void => void heard.push([name, message]);
    const NAMES = ['foundation:cluster:node_joined', 'foundation:message:sent'];
    beforeEach(() => {
      heard.length = 0;
      for (const name of NAMES) subscribe(name, hear);
    });
    afterEach(() => {
      for (const name of NAMES) unsubscribe(name, hear);
    });

    it('has every event under its name, whether a listener is attached or not', () => {
      const telemetry = new Telemetry();
      telemetry.emit('message.sent', SENT);
      telemetry.attach('message.sent', () => undefined);
      telemetry.emit('message.sent', SENT);
      telemetry.emit('cluster.node_joined', { node: 'a', bootId: '1' });
      telemetry.emit('cluster.node_left', { node: 'a', bootId: '1', reason: 'shutdown' });
      expect(heard).toEqual([
        ['foundation:message:sent', SENT],
        ['foundation:message:sent', SENT],
        ['foundation:cluster:node_joined', { node: 'a', bootId: '1' }],
      ]);
    });

    it('costs nothing without a subscriber: then no event is wanted', () => {
      const telemetry = new Telemetry();
      const wants = (event: keyof FoundationEvents) => telemetry.wants(event);
      expect([wants('message.sent'), wants('message.received')]).toEqual([true, false]);
      unsubscribe('foundation:message:sent', hear);
      expect(wants('message.sent')).toBe(false);
      const detach = telemetry.attach('message.*', () => undefined);
      expect([wants('message.sent'), wants('message.received'), wants('cluster.isolated')]).toEqual([
        true,
        true,
        false,
      ]);
      detach();
      expect(wants('message.received')).toBe(false);
    });
  });
});
