import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { writeChronicle } from './node.chronicle.js';
import { Telemetry } from './telemetry/telemetry.js';

describe('writeChronicle', () => {
  const telemetry = new Telemetry();
  let lines: string[];
  let end: () => void;

  beforeEach(() => {
    lines = [];
    const note = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
    Logger.overrideLogger({ log: note('log'), warn: note('warn'), error: note('error') });
    end = writeChronicle(telemetry, 'shop-1');
  });
  afterEach(() => {
    end();
    Logger.overrideLogger(false);
  });

  const ids = { node: 'shop-1', epoch: 7 };

  it('says what becomes of processes', () => {
    telemetry.emit('process.started', { name: 'feed', ...ids, startMs: 1 });
    telemetry.emit('process.started', { name: 'price-feed', ...ids, startMs: 1, before: 'shop-2' });
    for (const reason of ['stop', 'move', 'complete', 'lease-lost', 'shutdown', 'restart', 'crash'] as const)
      telemetry.emit('process.stopped', { name: 'feed', ...ids, reason, clean: true });
    expect(lines).toEqual([
      'log feed runs here, epoch 7',
      'log price-feed runs here, epoch 7, before on shop-2',
      'log feed was stopped here, epoch 7',
      'log feed stopped here and moves to another node, epoch 7',
      'log feed has completed, epoch 7',
      'warn feed stopped here because it lost its lease, epoch 7',
      'log feed stopped here because this node drains, epoch 7',
      'log feed stopped here to restart, epoch 7',
    ]);
  });

  it('says what becomes of other nodes', () => {
    for (const node of ['shop-1', 'shop-2']) {
      telemetry.emit('cluster.node_joined', { node, bootId: 'b' });
      telemetry.emit('cluster.node_suspect', { node, bootId: 'b', suspect: true });
      telemetry.emit('cluster.node_suspect', { node, bootId: 'b', suspect: false });
      for (const reason of ['shutdown', 'timeout', 'terminated'] as const)
        telemetry.emit('cluster.node_left', { node, bootId: 'b', reason });
    }
    expect(lines).toEqual([
      'log Node shop-2 has joined',
      'warn Node shop-2 is suspected: its heartbeats are late',
      'log Node shop-2 is heard again',
      'log Node shop-2 has left',
      'warn Node shop-2 is down: it sent no heartbeat in its time',
      'log Node shop-2 is down: its topology strategy says that it has ended',
    ]);
  });

  it('says nothing after its end', () => {
    end();
    telemetry.emit('cluster.node_joined', { node: 'shop-2', bootId: 'b' });
    expect(lines).toEqual([]);
  });
});
