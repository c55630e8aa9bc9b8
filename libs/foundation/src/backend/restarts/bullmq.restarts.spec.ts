// What BullMQ does to a process when it is closed before its connection is ready.
import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import { closable } from './bullmq.restarts.js';

it('what is closed before its connection is ready may fail later, and ends no process by that', () => {
  const [connection, blockingConnection] = [new EventEmitter(), new EventEmitter()];
  const heard: unknown[] = [];
  const worker = closable({ connection, blockingConnection });
  for (const each of [worker.connection, worker.blockingConnection]) {
    each.on('error', (error) => heard.push(error));
    each.emit('error', 'before');
    // BullMQ 5 closes so, and emits so when the INFO that it waits for is refused.
    each.removeAllListeners();
    expect(() => each.emit('error', new Error('after'))).not.toThrow();
    expect(each.listenerCount('error')).toBe(1);
  }
  expect(heard).toEqual(['before', 'before']);
  expect(() => closable({})).not.toThrow();
});
