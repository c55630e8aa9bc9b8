// Several nodes in one process, for formation.mjs.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FoundationModule, Membership } from 'nestjs-foundation';
import { historyNow } from 'nestjs-foundation/testing';

const { redis, appName, prefix, count, total } = JSON.parse(process.argv[2]);

process.once('disconnect', () => process.exit());
process.once('message', () => void form());
process.send('ready');

async function form() {
  await Promise.all(Array.from({ length: count }, (_, index) => start(`${prefix}-${index}`)));
  process.send(historyNow());
}

async function start(nodeName) {
  class Root {}
  Module({ imports: [FoundationModule.forRoot({ cluster: true, redis, appName, nodeName })] })(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: ['error'], abortOnError: false });
  app.enableShutdownHooks();
  await app.get(Membership).whenReady({ minNodes: total, timeout: 120_000 });
}
