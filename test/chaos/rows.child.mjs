// One node for rows.mjs: starts short jobs when it is asked to, and tells how busy it is and what it said to Redis.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { FoundationModule, Membership, ProcessManager, Telemetry } from 'nestjs-foundation';

const { redis, appName, nodeName, runsJobs } = JSON.parse(process.argv[2]);

/** Commands by name, a script by its own; `heard` are the messages of pub/sub. */
let commands = {};
const count = (name) => (commands[name] = (commands[name] ?? 0) + 1);
const scripts = new Map();
const { sendCommand, defineCommand, emit } = Redis.prototype;
Redis.prototype.defineCommand = function (name, definition) {
  scripts.set(createHash('sha1').update(definition.lua).digest('hex'), name);
  return defineCommand.call(this, name, definition);
};
Redis.prototype.sendCommand = function (command, ...rest) {
  count(command.name === 'evalsha' ? (scripts.get(command.args[0]) ?? 'evalsha of others') : command.name);
  return sendCommand.call(this, command, ...rest);
};
Redis.prototype.emit = function (event, ...rest) {
  if (event === 'message') count('heard');
  return emit.call(this, event, ...rest);
};

let [started, failed, lost, ran] = [0, 0, 0, 0];

class Job {
  onProcessStart(ctx) {
    ran += 1;
    setTimeout(() => ctx.complete(), 10);
  }
}
class Root {}
Module({
  imports: [FoundationModule.forRoot({ cluster: true, redis, appName, nodeName })],
  providers: runsJobs ? [Job] : [],
})(Root);

const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
await app.get(Membership).whenReady();
app.get(Telemetry).attach('lease.lost', () => (lost += 1));
const manager = app.get(ProcessManager);
let timer;

process.on('message', ({ jobs }) => {
  if (jobs === undefined) return tell();
  clearInterval(timer);
  if (jobs > 0) timer = setInterval(start, 1000 / jobs);
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
  process.send({ cpuPercent, loopPercent: utilization * 100, started, failed, lost, ran, seconds, commands });
  [started, failed, lost, ran, commands] = [0, 0, 0, 0, {}];
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
