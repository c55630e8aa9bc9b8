import { describe, expect, it, jest } from '@jest/globals';
import { Gate } from './gate.js';
import { Listeners } from './listeners.js';

describe('Listeners', () => {
  const failed = jest.fn();
  const make = () => new Listeners<[text: string]>('onText', new Gate({ emit: failed }));

  it('calls every listener, also after one that throws', () => {
    const listeners = make();
    const heard: string[] = [];
    listeners.add((text) => heard.push(`one ${text}`));
    listeners.add(() => {
      throw new Error('a listener that throws');
    });
    listeners.add((text) => heard.push(`two ${text}`));
    listeners.tell('x');
    expect(heard).toEqual(['one x', 'two x']);
    expect(failed).toHaveBeenCalledWith('callback.failed', { callback: 'onText', error: 'a listener that throws' });
  });

  it('calls no listener that was removed, also by another one meanwhile, and none that comes meanwhile', () => {
    const listeners = make();
    const heard: string[] = [];
    const end = listeners.add(() => heard.push('removed before'));
    listeners.add(() => {
      heard.push('first');
      endLast();
      listeners.add(() => heard.push('new'));
    });
    const endLast = listeners.add(() => heard.push('removed meanwhile'));
    end();
    listeners.tell('x');
    expect([heard, listeners.size]).toEqual([['first'], 2]);
  });
});
