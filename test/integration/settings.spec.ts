// The cluster-wide configuration: what one node sets, all have, or none. On real Redis.
import { describe, expect, it } from '@jest/globals';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { IsInt, IsString, Max, Min } from 'class-validator';
import {
  ArgumentError,
  Channels,
  ClusterConfig,
  ConfigConflictError,
  ConfigQuorumError,
  ConfigValueError,
  FoundationConfigError,
  type FoundationOptions,
  type StandardSchema,
  UnknownChannelError,
} from 'nestjs-foundation';
import { z } from 'zod';
import { runtimeOf } from '../../libs/foundation/src/channels/channels.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis, type Provider } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

const Settings = z.object({
  limits: z.object({ uploads: z.number().int().min(1).max(100), downloads: z.number() }),
  banner: z.string(),
  tags: z.array(z.string()),
});
type Settings = z.infer<typeof Settings>;
const defaults: Settings = { limits: { uploads: 5, downloads: 7 }, banner: 'hello', tags: [] };
const clusterConfig = { schema: Settings, defaults };

const bootNode = (options: FoundationOptions = {}, providers: Provider[] = []) =>
  boot(server.url, appName, providers, { clusterConfig, ...options });
const configOf = ({ app }: Booted) => app.get<ClusterConfig<Settings>>(ClusterConfig);
const everywhere = (nodes: Booted[], path: 'banner' | 'limits.uploads', value: unknown) =>
  eventually(() => nodes.every((node) => configOf(node).get(path) === value), { what: `${path} = ${String(value)}` });

describe('The cluster-wide configuration', () => {
  it('is what the defaults say until it is set, and then the same on all nodes', async () => {
    const nodes = [await bootNode(), await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a, b, c] = nodes as [Booted, Booted, Booted];
    expect(configOf(b).get()).toEqual(defaults);
    const heard: unknown[] = [];
    for (const node of nodes) {
      configOf(node).watch('limits.uploads', (change) =>
        heard.push([node.name, change.before, change.value, change.node]),
      );
    }
    const commit = await configOf(a).set('limits.uploads', 9);
    expect(commit.accepted.length).toBeGreaterThanOrEqual(2);
    expect(configOf(a).get('limits.uploads')).toBe(9);
    await everywhere(nodes, 'limits.uploads', 9);
    expect(configOf(c).get('limits')).toEqual({ uploads: 9, downloads: 7 });
    await eventually(() => heard.length === 3);
    expect(heard.sort()).toEqual(nodes.map(({ name }) => [name, 5, 9, a.name]).sort());
    const second = await configOf(b).set('limits', { uploads: 10, downloads: 1 }, { quorum: 'all' });
    expect(second.revision).toBeGreaterThan(commit.revision);
    expect(second).toMatchObject({ accepted: expect.arrayContaining([a.name, b.name, c.name]), missing: [] });
    await everywhere(nodes, 'limits.uploads', 10);
  });

  it('survives a restart of all nodes, and is there when a node joins', async () => {
    const first = await bootNode();
    await configOf(first).set('banner', 'kept');
    await first.app.close();
    const seen: unknown[] = [];
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly config: ClusterConfig<Settings>) {
        seen.push(config.get('banner'));
      }
      onModuleInit(): void {
        seen.push(this.config.get('banner'));
      }
    }
    const again = await bootNode({}, [Early]);
    expect(configOf(again).get('banner')).toBe('kept');
    expect(seen).toEqual(['hello', 'hello']);
    // A release with other defaults has what was set, and its own values for all else.
    const later = await bootNode({
      clusterConfig: { schema: Settings, defaults: { ...defaults, banner: 'new', tags: ['new'] } },
    });
    expect(configOf(later).get()).toEqual({ ...defaults, banner: 'kept', tags: ['new'] });
  });

  it('asks on a channel of its own, which no application hears, asks, or sees', async () => {
    const a = await bootNode();
    const channels = a.app.get(Channels);
    const voice = (): void => undefined;
    await expect(channels.subscribe('#config:app', voice)).rejects.toBeInstanceOf(UnknownChannelError);
    await expect(channels.gather('#config:app', 1)).rejects.toBeInstanceOf(UnknownChannelError);
    await expect(channels.broadcast('#config:app', 1)).rejects.toBeInstanceOf(UnknownChannelError);
    await configOf(a).set('banner', 'asked');
    expect(runtimeOf(channels).statistics()).toEqual({});
  });

  it('refuses what is no value and no path, and changes nothing', async () => {
    const a = await bootNode();
    const config = configOf(a) as unknown as ClusterConfig;
    const circle: unknown[] = [];
    circle.push(circle);
    const deep = JSON.parse(`${'['.repeat(21)}${']'.repeat(21)}`) as unknown;
    const hostile = JSON.parse('{"a":{"__proto__":{"x":1}}}') as unknown;
    for (const value of [
      undefined,
      () => 1,
      { a: () => 1 },
      1n,
      NaN,
      circle,
      deep,
      new Map(),
      hostile,
      { constructor: 1 },
    ]) {
      await expect(config.set('banner', value)).rejects.toBeInstanceOf(ArgumentError);
    }
    await expect(config.set('banner', 'x'.repeat(1_000_001))).rejects.toBeInstanceOf(ArgumentError);
    const paths = [
      '',
      '.',
      'a..b',
      '__proto__.x',
      'limits.constructor',
      'prototype',
      'a.'.repeat(50) + 'a',
      'x'.repeat(1001),
      5,
      null,
    ];
    for (const path of paths) {
      await expect(config.set(path as string, 'x')).rejects.toBeInstanceOf(ArgumentError);
      expect(() => config.get(path as string)).toThrow(ArgumentError);
      expect(() => config.watch(path as string, () => undefined)).toThrow(ArgumentError);
    }
    for (const options of [{ quorum: 0 }, { quorum: 'most' }, { timeout: 0 }, { nodes: 1 }, null]) {
      await expect(config.set('banner', 'x', options as never)).rejects.toBeInstanceOf(ArgumentError);
    }
    await expect(config.set('limits.uploads', 101)).rejects.toBeInstanceOf(ConfigValueError);
    await expect(config.set('limits', 5)).rejects.toBeInstanceOf(ConfigValueError);
    await expect(config.set('banner.below', 5)).rejects.toBeInstanceOf(ConfigValueError);
    expect(() => config.watch('banner', 5 as never)).toThrow(ArgumentError);
    expect(config.get()).toEqual(defaults);
    expect(config.get('toString')).toBeUndefined();
    expect(await server.cli('EXISTS', keys.settings)).toBe('0');
    expect(() => Object.assign(config.get('limits') as object, { uploads: 50 })).toThrow(TypeError);
  });

  it('is what a quorum has accepted: all or nothing', async () => {
    const a = await bootNode();
    const strict = { schema: Settings.extend({ banner: z.string().max(5) }), defaults };
    const [b, c] = [await bootNode({ clusterConfig: strict }), await bootNode({ clusterConfig: strict })];
    await formed(a, b, c);
    const refused = configOf(a).set('banner', 'longer than five');
    await expect(refused).rejects.toBeInstanceOf(ConfigQuorumError);
    await expect(refused).rejects.toMatchObject({ accepted: 1, needed: 2 });
    await expect(configOf(a).set('banner', 'short', { quorum: 4 })).rejects.toMatchObject({ needed: 4 });
    for (const node of [a, b, c]) expect(configOf(node).get('banner')).toBe('hello');
    // One is enough for who says so: the others keep what they can read, and say so.
    await configOf(a).set('banner', 'longer than five', { quorum: 1 });
    await eventually(() => b.of('config.refused').length === 1 && c.of('config.refused').length === 1);
    expect(configOf(b).get('banner')).toBe('hello');
    await configOf(a).set('banner', 'fits', { quorum: 'all' });
    await everywhere([a, b, c], 'banner', 'fits');
  });

  it('takes one of two changes of the same value at the same time, and both of different ones', async () => {
    const nodes = [await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a, b] = nodes as [Booted, Booted];
    const told: unknown[][] = [[], []];
    nodes.forEach((node, index) =>
      configOf(node).watch('banner', ({ value, before }) => told[index]!.push([before, value])),
    );
    let won: unknown = 'hello';
    let conflicts = 0;
    for (let round = 0; round < 30; round++) {
      const results = await Promise.allSettled([
        configOf(a).set('banner', `a${round}`),
        configOf(b).set('banner', `b${round}`),
        configOf(b).set('limits.downloads', round),
      ]);
      const [one, other, third] = results;
      expect(third.status).toBe('fulfilled');
      const wins = [one, other].filter(({ status }) => status === 'fulfilled').length;
      expect(wins).toBeGreaterThanOrEqual(1);
      for (const each of [one, other]) {
        if (each.status === 'fulfilled') continue;
        expect(each.reason).toBeInstanceOf(ConfigConflictError);
        conflicts += 1;
      }
      await eventually(() => configOf(a).get('banner') === configOf(b).get('banner'));
      await everywhere(nodes, 'banner', configOf(a).get('banner'));
      if (wins === 1) expect(configOf(a).get('banner')).toBe(one.status === 'fulfilled' ? `a${round}` : `b${round}`);
      won = configOf(a).get('banner');
    }
    expect(conflicts).toBeGreaterThan(0);
    await eventually(() => told[0]!.length === told[1]!.length && (told[0]!.at(-1) as unknown[])[1] === won);
    expect(told[0]).toEqual(told[1]);
    // Each goes on from the one before.
    let before: unknown = 'hello';
    for (const [from, to] of told[0] as [unknown, unknown][]) {
      expect(from).toBe(before);
      before = to;
    }
  });

  it('tells a node of each change in order, however many there are at a time, whatever its listeners do', async () => {
    const nodes = [await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a, b] = nodes as [Booted, Booted];
    const heard: number[] = [];
    configOf(b).watch('limits.downloads', () => {
      throw new Error('on purpose');
    });
    configOf(b).watch('limits.downloads', ({ value }) => heard.push(value));
    const others = configOf(b).watch('banner', () => heard.push(-1));
    await Promise.all(Array.from({ length: 60 }, (_, index) => configOf(a).set('limits.downloads', 100 + index)));
    await eventually(() => heard.length === 60);
    expect(heard).toEqual(Array.from({ length: 60 }, (_, index) => 100 + index));
    expect(b.of('callback.failed').length).toBeGreaterThan(0);
    others();
    // Set to what it is: no change.
    await configOf(b).set('limits.downloads', 159);
    await configOf(b).set('banner', 'last');
    expect(heard).toHaveLength(60);
  });

  it('keeps its last good values where what lies in Redis is none, and mends it', async () => {
    const nodes = [await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a] = nodes as [Booted];
    await configOf(a).set('banner', 'good');
    await everywhere(nodes, 'banner', 'good');
    const version = async () => Number(await server.cli('ZSCORE', keys.settingVersions, 'app'));
    const write = async (text: string) => {
      await server.cli('HSET', keys.settings, 'app', text);
      await server.cli('ZADD', keys.settingVersions, String((await version()) + 1), 'app');
      await server.cli('PUBLISH', keys.hints, '{"t":"settings"}');
    };
    const change = { path: 'banner', value: 5, id: 'x', node: 'y', revision: 0 };
    const row = (more: object) => JSON.stringify({ values: [change], changes: [change], count: 1, ...more });
    const bad = { path: '__proto__.x', value: 1 };
    for (const text of ['', 'no', '{}', row({ values: [bad] }), row({ changes: [] }), row({ values: 5 })]) {
      const before = a.of('cluster.row_refused').length;
      await write(text);
      await eventually(() => a.of('cluster.row_refused').length > before || text === '', { what: text });
    }
    // It can be read, and its schema does not take it.
    await write(row({}));
    await eventually(() => nodes.every((node) => node.of('config.refused').length > 0));
    for (const node of nodes) expect(configOf(node).get('banner')).toBe('good');
    await configOf(a).set('banner', 'better', { quorum: 'all' });
    await everywhere(nodes, 'banner', 'better');
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('takes what the schema of a node refused as soon as that schema takes it', async () => {
    let isOff = false;
    const failing: StandardSchema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => (isOff ? { issues: [{ message: 'off' }] } : { value }),
      },
    };
    const [a, b] = [await bootNode(), await bootNode({ clusterConfig: { schema: failing, defaults } })];
    await formed(a, b);
    const heard: string[] = [];
    configOf(b).watch('banner', ({ value }) => heard.push(value));
    isOff = true;
    await configOf(a).set('banner', 'later', { quorum: 1 });
    await eventually(() => b.of('config.refused').length > 0);
    expect(configOf(b).get('banner')).toBe('hello');
    isOff = false;
    await everywhere([a, b], 'banner', 'later');
    expect(heard).toEqual(['later']);
    expect(b.of('config.refused')).toHaveLength(1);
  });

  it('is written again where an operator has removed its row', async () => {
    const nodes = [await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a] = nodes as [Booted];
    await configOf(a).set('banner', 'there');
    await everywhere(nodes, 'banner', 'there');
    await server.cli('DEL', keys.settings);
    await configOf(a).set('limits.uploads', 8);
    await everywhere(nodes, 'limits.uploads', 8);
    for (const node of nodes) expect(configOf(node).get('banner')).toBe('there');
  });

  it('is restored by the nodes when Redis loses its data', async () => {
    const nodes = [await bootNode(), await bootNode()];
    await formed(...nodes);
    const [a, b] = nodes as [Booted, Booted];
    await configOf(a).set('banner', 'kept');
    await everywhere(nodes, 'banner', 'kept');
    await server.cli('FLUSHALL');
    await eventually(async () => (await server.cli('HEXISTS', keys.settings, 'app')) === '1', { timeout: 20_000 });
    await eventually(
      () =>
        configOf(b)
          .set('banner', 'after')
          .then(
            () => true,
            () => false,
          ),
      { timeout: 20_000 },
    );
    await everywhere(nodes, 'banner', 'after');
  });

  it('is there without a cluster, by a class, and refuses bad options at the start', async () => {
    class Limits {
      @IsInt() @Min(1) @Max(9) uploads = 1;
      @IsString() name = 'x';
    }
    const local = (options: FoundationOptions) => boot(undefined, appName, [], { cluster: false, ...options });
    const a = await local({ clusterConfig: { schema: Limits, defaults: { uploads: 2, name: 'n' } } });
    const config = a.app.get<ClusterConfig<Limits>>(ClusterConfig);
    expect(config.get()).toBeInstanceOf(Limits);
    await config.set('uploads', 3);
    expect(config.get('uploads')).toBe(3);
    await expect(config.set('uploads', 10)).rejects.toThrow(/uploads must not be greater than 9/);
    for (const wrong of [
      {},
      { schema: Limits },
      { schema: Limits, defaults: { uploads: 0 } },
      { schema: class {}, defaults: {} },
    ]) {
      await expect(local({ clusterConfig: wrong as never })).rejects.toBeInstanceOf(FoundationConfigError);
    }
    const none = await local({});
    expect(() => none.app.get(ClusterConfig).get()).toThrow(/clusterConfig/);
    await expect(none.app.get(ClusterConfig).set('a', 1)).rejects.toBeInstanceOf(ArgumentError);
  });
});
