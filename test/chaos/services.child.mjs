// One node for services.mjs: offers services, holds a lease, and leaves when it is told to.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FoundationModule, Membership, ProcessManager, ServiceMesh, Singleton, Telemetry } from 'nestjs-foundation';

const { redis, appName, nodeName, total, offers } = JSON.parse(process.argv[2]);
const AT_ONCE = 200;

class Steady {}
Singleton({ name: `steady-${nodeName}` })(Steady);
class Root {}
Module({ imports: [FoundationModule.forRoot({ cluster: true, redis, appName, nodeName })], providers: [Steady] })(Root);

process.once('disconnect', () => process.exit());
const app = await NestFactory.createApplicationContext(Root, { logger: ['error'], abortOnError: false });
const bad = [];
app.get(Telemetry).attach('*', (event, payload) => {
  const isSwept = event === 'cluster.node_left' && payload.reason === 'timeout';
  if (isSwept || event === 'lease.lost' || event === 'cluster.isolated') bad.push({ event, ...payload });
});
await app.get(Membership).whenReady({ minNodes: total, timeout: 120_000 });
for (let at = 0; at < offers; at += AT_ONCE)
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, offers - at) }, () => app.get(ServiceMesh).registerService('till', {})),
  );

process.on('message', async (what) => {
  if (what === 'leave') {
    const began = performance.now();
    await app.close();
    process.send({ ms: performance.now() - began });
    process.disconnect();
  } else {
    const services = await app.get(ServiceMesh).discoverServices({ name: 'till' });
    const owned = (await app.get(ProcessManager).list()).filter(({ node }) => node === nodeName).length;
    process.send({ services: services.length, owned, bad });
  }
});
process.send('offered');
