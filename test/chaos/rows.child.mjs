// One node for rows.mjs: starts short jobs when it is asked to, and tells how busy it is.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FoundationModule, Membership, ProcessManager, Telemetry } from 'nestjs-foundation';

const { redis, appName, nodeName } = JSON.parse(process.argv[2]);

class Job {
  onProcessStart(ctx) {
    setTimeout(() => ctx.complete(), 10);
  }
}
class Root {}
Module({ imports: [FoundationModule.forRoot({ cluster: true, redis, appName, nodeName })], providers: [Job] })(Root);

const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
await app.get(Membership).whenReady();
let lost = 0;
app.get(Telemetry).attach('lease.lost', () => (lost += 1));
const manager = app.get(ProcessManager);
let timer;
let [started, failed] = [0, 0];

process.on('message', ({ jobs }) => {
  if (jobs === undefined) return tell();
  clearInterval(timer);
  timer = setInterval(start, 1000 / jobs);
});
process.once('disconnect', () => process.exit());
process.send('ready');

let mark = { cpu: process.cpuUsage(), loop: performance.eventLoopUtilization(), at: performance.now() };

/** What it did since it was asked last. */
function tell() {
  const cpu = process.cpuUsage(mark.cpu);
  const { utilization } = performance.eventLoopUtilization(mark.loop);
  const seconds = (performance.now() - mark.at) / 1000;
  mark = { cpu: process.cpuUsage(), loop: performance.eventLoopUtilization(), at: performance.now() };
  const cpuPercent = (cpu.user + cpu.system) / 10_000 / seconds;
  process.send({ cpuPercent, loopPercent: utilization * 100, started, failed, lost });
  [started, failed, lost] = [0, 0, 0];
}

function start() {
  const name = `job-${nodeName}-${Date.now()}-${Math.random()}`;
  manager.startSingleton(Job, [], { name, restart: 'temporary' }).then(
    () => (started += 1),
    (error) => {
      failed += 1;
      process.send({ error: String(error) });
    },
  );
}
