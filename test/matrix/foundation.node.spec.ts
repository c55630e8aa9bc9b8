// Copied into a real application by test/matrix.mjs: what its own `npm test` says of a cluster of one.
import { Test } from '@nestjs/testing';
import { NodeModule, Shop } from './foundation.node.js';

describe('an application with Foundation', () => {
  it('starts its singleton, calls it and ends, without a Redis', async () => {
    const module = await Test.createTestingModule({ imports: [NodeModule] }).compile();
    const app = await module.createNestApplication().init();
    expect(await app.get(Shop).price('EUR')).toMatch(/^EUR from /);
    await app.close();
  });
});
