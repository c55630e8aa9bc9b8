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

  it('calls no listener that was removed, and all that were there when it began', () => {
    const listeners = make();
    const heard: string[] = [];
    const end = listeners.add(() => heard.push('one'));
    const endLast = listeners.add(() => heard.push('last'));
    listeners.add(() => endLast());
    end();
    listeners.tell('x');
    listeners.tell('y');
    expect([heard, listeners.size]).toEqual([['last'], 1]);
  });
});
