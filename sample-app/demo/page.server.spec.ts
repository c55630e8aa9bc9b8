// What the page lets through: the commands of the page itself, and of nothing else.
import { get, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type PageCommand, PageServer } from './page.server.js';

describe('the page of the demo', () => {
  let server: PageServer;
  let url: string;
  let commands: PageCommand[];
  let refusal: string | undefined;

  beforeEach(async () => {
    commands = [];
    refusal = undefined;
    const subject = {
      view: () => ({ seen: commands.length }),
      command: (command: PageCommand) => (commands.push(command), refusal),
    };
    server = new PageServer(subject, join(import.meta.dirname, 'page'));
    url = await server.listen();
  });
  afterEach(() => server.close());

  const own = (): Record<string, string> => ({ origin: new URL(url).origin, 'content-type': 'application/json' });
  const kill = '{"action":"kill","node":"a","pid":1}';

  // `fetch` chooses Host and Origin itself.
  function send(path: string, headers: Record<string, string> = {}, body?: string, method = 'POST') {
    return new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((done, fail) => {
      const options = { headers, method: body === undefined ? 'GET' : method };
      const sent = request(new URL(path, url), options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => done({ status: response.statusCode!, text, headers: response.headers }));
      });
      sent.once('error', fail);
      sent.end(body);
    });
  }

  it('serves its three files, which load nothing from elsewhere', async () => {
    expect(new URL(url).hostname).toBe('127.0.0.1');
    for (const [path, type] of Object.entries({ '': 'html', 'page.css': 'css', 'page.js': 'javascript' })) {
      const { status, headers, text } = await send(path);
      expect([status, headers['content-type']]).toEqual([200, `text/${type}; charset=utf-8`]);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
      expect(text.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\/|\sstyle=|\son\w+=/);
    }
  });

  it.each(['/', '/page.js', '/command', '/x/command', '/../page.server.ts'])('shows nothing at %s', async (path) => {
    expect((await send(path)).status).toBe(404);
    expect((await send(path, own(), kill)).status).toBe(404);
    expect(commands).toEqual([]);
  });

  it.each(['page.html', 'page.server.ts', '..%2fpage.server.ts', 'x/page.js', 'toString'])(
    'has no file %s',
    async (path) => {
      expect((await send(path)).status).toBe(404);
    },
  );

  it('carries out what the page asks', async () => {
    expect((await send('command', own(), kill)).status).toBe(204);
    expect((await send('command', { ...own(), 'sec-fetch-site': 'same-origin' }, kill)).status).toBe(204);
    expect(commands).toEqual(Array(2).fill({ action: 'kill', node: 'a', pid: 1 }));
  });

  it('says why a command was refused', async () => {
    refusal = 'a is dead already.';
    expect(await send('command', own(), kill)).toMatchObject({ status: 409, text: 'a is dead already.\n' });
  });

  it.each([
    ['of another site', { origin: 'http://example.com' }],
    ['of another port', { origin: 'http://127.0.0.1:1' }],
    ['of a page without an origin', { origin: 'null' }],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['of a form', { 'content-type': 'text/plain' }],
  ])('refuses a command %s', async (_, headers) => {
    expect((await send('command', { ...own(), ...headers }, kill)).status).toBe(403);
    expect(commands).toEqual([]);
  });

  it('refuses a command without an origin', async () => {
    expect((await send('command', { 'content-type': 'application/json' }, kill)).status).toBe(403);
  });

  it('answers to no other name', async () => {
    expect((await send('', { host: 'evil.example' })).status).toBe(421);
    expect((await send('command', { ...own(), host: `evil.example:${new URL(url).port}` }, kill)).status).toBe(421);
    expect(commands).toEqual([]);
  });

  it.each([
    [
      '',
      'no JSON',
      '{"action":"stop","node":"a","pid":1}',
      '{"action":"kill","pid":1}',
      '{"action":"kill","node":"a"}',
    ],
    ['null', '[]', '{"action":"kill","node":"a","pid":"1"}', `{"action":"kill","node":"${'a'.repeat(2000)}","pid":1}`],
  ])('refuses commands that are none', async (...bodies) => {
    for (const body of bodies) expect((await send('command', own(), body)).status).toBe(400);
    expect(commands).toEqual([]);
  });

  it('refuses other methods', async () => {
    expect((await send('command', own(), kill, 'PUT')).status).toBe(405);
    expect((await send('', own(), '', 'DELETE')).status).toBe(405);
  });

  it('sends the view as it changes, and goodbye at its end', async () => {
    const text = await new Promise<string>((done, fail) => {
      get(new URL('events', url), (response) => {
        let heard = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          heard += part;
          if (part.includes('"seen":0') && commands.length === 0) void send('command', own(), kill);
          if (part.includes('"seen":1')) void server.close();
        });
        response.once('end', () => done(heard));
      }).once('error', fail);
    });
    expect(text).toMatch(/data: \{"seen":0\}[^]*data: \{"seen":1\}[^]*event: end/);
  });
});
