import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { findProviders } from '../decorated.js';
import { Service } from './service.decorators.js';
import { exploreServices, servicesOf } from './service.explorer.js';

@Service({ name: 'printer', capabilities: ['print'], metadata: { dpi: 300 } })
class Printer {}

@Service()
class Till {}

class Child extends Printer {}

@Service({ name: 'process' })
class Process {}

class Unmarked {}

describe('servicesOf', () => {
  it('reads the mark of a class, and takes its name and nothing more by default', () => {
    const [printer, till] = [new Printer(), new Till()];
    expect(servicesOf(printer)).toEqual([
      { name: 'printer', capabilities: ['print'], metadata: { dpi: 300 }, target: printer },
    ]);
    expect(servicesOf(till)).toEqual([{ name: 'Till', capabilities: [], metadata: {}, target: till }]);
  });

  it('finds none without a mark, and does not inherit one', () => {
    expect([new Unmarked(), new Child(), {}].map((target) => servicesOf(target))).toEqual([[], [], []]);
  });
});

describe('exploreServices', () => {
  it('finds each shared provider once, and no processes', async () => {
    const providers = [Printer, Till, Child, Process, Unmarked, { provide: 'alias', useExisting: Printer }];
    const app = await Test.createTestingModule({ imports: [DiscoveryModule], providers }).compile();
    await app.init();
    const found = exploreServices(findProviders(app.get(DiscoveryService)), (type: Type) => type === Process);
    expect(found.map(({ name }) => name).sort()).toEqual(['Till', 'printer']);
    expect(found.find(({ name }) => name === 'printer')?.target).toBe(app.get(Printer));
    await app.close();
  });
});
