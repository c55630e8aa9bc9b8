import 'reflect-metadata';
import { Injectable, Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Callable, FoundationModule, InjectSingleton, Membership, Partitioned, ProcessManager, Replicated, Singleton, Telemetry, type ProcessContext, type Remote } from 'nestjs-foundation';
@Singleton({ name: 'feed', handoff: true }) class Feed {
  ctx!: ProcessContext; n = 0;
  onProcessStart(ctx: ProcessContext) { this.ctx = ctx; this.n = (ctx.handoff as number | undefined) ?? 0; }
  onHandoff() { return this.n; }
  @Callable() add(k: number) { this.n += k; return { n: this.n, node: this.ctx.node }; }
  @Callable() boom() { throw Object.assign(new TypeError('boom'), { code: 'E_BOOM' }); }
  secret() { return 1; }
}
@Replicated() class Every { ctx!: ProcessContext; onProcessStart(ctx: ProcessContext) { this.ctx = ctx; } @Callable() where() { return this.ctx.node; } }
@Replicated({ name: 'three', replicas: 3 }) class Three { }
@Partitioned({ name: 'parts', partitions: 16 }) class Parts { ctx!: ProcessContext; onProcessStart(ctx: ProcessContext) { this.ctx = ctx; } @Callable() where() { return [this.ctx.index, this.ctx.node]; } }
@Injectable() class Dyn { onProcessStart() { /* */ } }
@Injectable() class Orders { constructor(@InjectSingleton(Feed) readonly feed: Remote<Feed>) {} }
const apps: INestApplicationContext[] = [];
async function node(name: string): Promise<INestApplicationContext> {
  @Module({ imports: [FoundationModule.forRoot({ cluster: true, appName: 'smoke3-' + process.pid, nodeName: name })], providers: [Feed, Every, Three, Parts, Dyn, Orders] })
  class App {}
  const app = await NestFactory.createApplicationContext(App as Type, { logger: ['warn', 'error'] });
  app.get(Telemetry).attach('process.crashed', (e, p) => console.log(e, p));
  apps.push(app); return app;
}
const [a, b] = await Promise.all([node('a'), node('b'), node('c')]);
const pm = a!.get(ProcessManager);
const until = async (f: () => Promise<boolean>) => { for (let i = 0; i < 400; i++) { if (await f()) return; await new Promise(r => setTimeout(r, 25)); } console.log('TIMEOUT'); };
const table = async () => { const by: Record<string, string[]> = {}; for (const p of await pm.list()) (by[p.node ?? p.state] ??= []).push(p.name); return by; };
await until(async () => (await pm.list()).every(p => p.state === 'running') && (await pm.list()).length === 1 + 3 + 3 + 16);
console.log(await table());
const feed = b!.get(Orders).feed;
console.log(await feed.add(2), await feed.add(3));
try { await feed.boom(); } catch (e) { console.log((e as Error).name, (e as Error).message, (e as { code: string }).code, e instanceof Error); }
try { await (feed as unknown as { secret(): Promise<number> }).secret(); } catch (e) { console.log((e as Error).message); }
const ref = await pm.lookupSingleton(Feed);
const to = ['a', 'b', 'c'].find(n => n !== ref!.node)!;
let t = performance.now();
const moved = await pm.move('feed', to);
console.log('moved', ref!.node, '->', moved.node, to, Math.round(performance.now() - t), 'ms', await feed.add(1));
console.log(pm.explainPlacement('feed'));
const rs = await pm.startReplicated(Every);
console.log(rs.map(r => r.ok ? r.node : [r.node, r.error.message]));
console.log(await Promise.all(rs.map(r => r.ok ? r.ref.call('where') : 'x')));
const pr = pm.lookupPartitioned(Parts)!;
console.log(await Promise.all(['x', 'y', 'z'].map(k => pr.for(k).call('where'))));
const d = await pm.startReplicated(Dyn, [], { name: 'dyn', replicas: 2 });
console.log(d.map(r => r.ok ? r.ref.name + ' ' + r.node : r.error.message));
const N = 20000; t = performance.now(); let done = 0;
await Promise.all(Array.from({ length: 100 }, async () => { while (done < N) { done++; await feed.add(0); } }));
console.log('calls/s c=100', Math.round(N / (performance.now() - t) * 1000));
t = performance.now(); for (let i = 0; i < 500; i++) await feed.add(0); console.log('c=1 avg ms', (performance.now() - t) / 500);
const before = new Map((await pm.list()).filter(p => p.name.startsWith('parts/')).map(p => [p.name, p.node]));
await node('d');
await until(async () => { const l = await pm.list(); return l.filter(p => p.name.startsWith('parts/') && p.node === 'd').length > 0 && a!.get(Membership).members().length === 4; });
await new Promise(r => setTimeout(r, 9000));
const after = (await pm.list()).filter(p => p.name.startsWith('parts/'));
console.log('moved share', after.filter(p => before.get(p.name) !== p.node).length, after.filter(p => p.node === 'd').length, 'of 16');
console.log(await table());
t = performance.now(); await pm.drain(); console.log('drained', Math.round(performance.now() - t));
await until(async () => (await b!.get(ProcessManager).list()).filter(p => !p.name.startsWith('Every')).every(p => p.state === 'running' && p.node !== 'a'));
console.log(await table());
console.log(await feed.add(1));
for (const app of apps) await app.close();
