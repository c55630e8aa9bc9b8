import { describe, expect, it } from '@jest/globals';
import { calleeOf, ServiceTargets } from './service.targets.js';

describe('ServiceTargets', () => {
  const target = { greet: () => 'hello' };

  it('has what was added, by the name that calls use, and nothing else', () => {
    const targets = new ServiceTargets();
    const { name, epoch } = calleeOf('b.1');
    expect(targets.running(name)).toBeUndefined();
    targets.add('b.1', target);
    expect(targets.running(name)).toMatchObject({ target, lease: { epoch } });
    expect(targets.running('b.1')).toBeUndefined();
    expect(targets.running(calleeOf('b.2').name)).toBeUndefined();
  });

  it('uses names that no process can have', () => {
    expect(calleeOf('b.1').name).toContain(':');
  });

  it('has nothing of what was removed, and lets calls under way end and count', async () => {
    const targets = new ServiceTargets();
    targets.add('b.1', target);
    targets.add('b.2', target);
    const [first, second] = ['b.1', 'b.2'].map((id) => targets.running(calleeOf(id).name)!);
    let end!: (value: number) => void;
    const call = first!.call(() => new Promise<number>((resolve) => (end = resolve)));
    const failing = second!.call(() => Promise.reject(new Error('no')));
    targets.delete('b.1');
    targets.clear();
    for (const id of ['b.1', 'b.2']) expect(targets.running(calleeOf(id).name)).toBeUndefined();
    let settled = false;
    const settling = targets.settled().then(() => (settled = true));
    await expect(failing).rejects.toThrow('no');
    expect(settled).toBe(false);
    end(7);
    expect([await call, first!.lease.isHeld()]).toEqual([7, true]);
    await settling;
  });

  it('hands on what a call returns or throws, as a promise', async () => {
    const targets = new ServiceTargets();
    targets.add('b.1', target);
    const { call } = targets.running(calleeOf('b.1').name)!;
    expect(await call(() => 7)).toBe(7);
    const thrown = call(() => {
      throw new Error('no');
    });
    await expect(thrown).rejects.toThrow('no');
  });
});
