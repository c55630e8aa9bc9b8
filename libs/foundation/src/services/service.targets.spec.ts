import { describe, expect, it } from '@jest/globals';
import { ServiceTargets } from './service.targets.js';

describe('ServiceTargets', () => {
  const target = { greet: () => 'hello' };

  it('has what was added, by the name that calls use, and nothing else', () => {
    const targets = new ServiceTargets();
    const { name, epoch } = targets.calleeOf('b.1');
    expect(targets.running(name)).toBeUndefined();
    targets.add('b.1', target);
    expect(targets.running(name)).toMatchObject({ target, lease: { epoch } });
    expect(targets.running('b.1')).toBeUndefined();
    expect(targets.running(targets.calleeOf('b.2').name)).toBeUndefined();
  });

  it('uses names that no process can have', () => {
    expect(new ServiceTargets().calleeOf('b.1').name).toContain(':');
  });

  it('says that an object may no more be called once it was removed, also to who holds it', () => {
    const targets = new ServiceTargets();
    targets.add('b.1', target);
    targets.add('b.2', target);
    const [first, second] = ['b.1', 'b.2'].map((id) => targets.running(targets.calleeOf(id).name)!);
    targets.delete('b.1');
    expect([first!.lease.isHeld(), second!.lease.isHeld()]).toEqual([false, true]);
    targets.clear();
    expect(second!.lease.isHeld()).toBe(false);
    expect(targets.running(targets.calleeOf('b.2').name)).toBeUndefined();
  });

  it('hands on what a call returns or throws, as a promise', async () => {
    const targets = new ServiceTargets();
    targets.add('b.1', target);
    const { call } = targets.running(targets.calleeOf('b.1').name)!;
    expect(await call(() => 7)).toBe(7);
    const thrown = call(() => {
      throw new Error('no');
    });
    await expect(thrown).rejects.toThrow('no');
  });
});
