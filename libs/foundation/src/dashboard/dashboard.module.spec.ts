// Where the token of the dashboard comes from: at once, or from a provider of the application.
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type DynamicModule, type INestApplication, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { FoundationModule } from '../foundation.module.js';
import { FoundationDashboardModule } from './dashboard.module.js';

const TOKEN = 'sixteen letters, or more';

class Settings {
  token = TOKEN;
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

describe('FoundationDashboardModule.forRootAsync', () => {
  let app: INestApplication | undefined;
  afterEach(() => app?.close());

  const from = (useFactory: (settings: Settings) => unknown, more = {}): DynamicModule =>
    FoundationDashboardModule.forRootAsync({
      ...{ imports: [SettingsModule], inject: [Settings], useFactory: useFactory as () => string },
      ...more,
    });

  async function start(dashboard: DynamicModule): Promise<string> {
    const imports = [FoundationModule.forRoot({ cluster: false }), dashboard];
    app = (await Test.createTestingModule({ imports }).compile()).createNestApplication();
    await app.listen(0, '127.0.0.1');
    return `http://127.0.0.1:${((app.getHttpServer() as Server).address() as AddressInfo).port}`;
  }

  const session = async (url: string, token: string): Promise<number> =>
    (await fetch(`${url}/session`, { headers: { authorization: `Bearer ${token}` } })).status;

  it('lets in who knows the token of a provider', async () => {
    const url = `${await start(from(async (settings) => settings.token))}/foundation`;
    expect((await fetch(url)).status).toBe(200);
    expect([await session(url, TOKEN), await session(url, `${TOKEN}!`)]).toEqual([200, 401]);
    expect(await session(url, '-'.repeat(16))).toBe(401);
  });

  it('takes the path at once', async () => {
    const url = await start(from((settings) => settings.token, { path: 'ops/cluster' }));
    expect([(await fetch(`${url}/ops/cluster`)).status, (await fetch(`${url}/foundation`)).status]).toEqual([200, 404]);
  });

  it.each([
    ['a short one', () => 'short', /dashboard\.token.*5 characters/],
    ['none', () => undefined, /dashboard\.token.*received nothing/],
    ['what is no text', () => 1234, /dashboard\.token.*a number/],
  ])('does not start with %s', async (_, useFactory, words) => {
    await expect(start(from(useFactory))).rejects.toThrow(words);
  });

  it('refuses at once what it cannot make routes of', () => {
    expect(() => from(() => TOKEN, { path: '/' })).toThrow(/dashboard\.path/);
    expect(() => from(undefined as never)).toThrow(/dashboard\.useFactory/);
    expect(() => from(() => TOKEN, { guard: Settings })).toThrow(/a token and a guard/);
  });
});
