/**
 * The page and what is behind it: a session, the feed, and the commands of an operator.
 * Made by the module, for the path that it is given; underneath Nest's own HTTP layer, Express or Fastify.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  applyDecorators,
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  ForbiddenException,
  Get,
  HttpCode,
  HttpException,
  Inject,
  Param,
  Post,
  Req,
  Res,
  type Type,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { actingAs } from '../context/actor.js';
import { CronJobs } from '../cron/cron.jobs.js';
import { RemoteError } from '../errors/call.errors.js';
import { describe, isA, show } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { Log } from '../logging/log.js';
import { ProcessManager } from '../processes/process.manager.js';
import { DashboardFeed } from './dashboard.feed.js';
import {
  DASHBOARD,
  type DashboardRequest,
  NoStoreInterceptor,
  TokenGuard,
  TokenVerifier,
  userOf,
} from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { cookieName, SESSION_MS, sessionFor } from './login.session.js';
import { PAGE_FILES } from './page.files.js';
import { RefusalFilter } from './refusal.filter.js';

/** Express hands out Node's response, Fastify wraps it. */
type Reply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

/** A form of another site cannot send this header. */
const OWN_HEADER = 'x-foundation-dashboard';

/**
 * A controller at this path. The guard of the application guards all of it; with a token the page, which shows nothing
 * by itself, is open.
 */
export function dashboardControllerAt({ path, access, decorators, traces }: DashboardConfig): Type {
  const isGuarded = 'guard' in access;
  const outer: Type<CanActivate>[] = isGuarded ? [NoStoreInterceptor, access.guard] : [NoStoreInterceptor];
  const inner: Type<CanActivate>[] = isGuarded ? [] : [TokenGuard];
  const page = readPage(traces !== undefined);
  const modules = readModules();

  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...outer)
  @UseFilters(RefusalFilter)
  @applyDecorators(...decorators)
  class FoundationDashboardController {
    constructor(
      @Inject(DashboardFeed) private readonly feed: DashboardFeed,
      @Inject(ProcessManager) private readonly processes: ProcessManager,
      @Inject(CronJobs) private readonly cronJobs: CronJobs,
      @Inject(DASHBOARD) private readonly config: DashboardConfig,
      @Inject(TokenVerifier) private readonly doorman: TokenVerifier,
    ) {}

    @Get()
    page(@Res() reply: Reply): void {
      const nonce = randomBytes(16).toString('base64');
      const response = rawOf(reply);
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'referrer-policy': 'no-referrer',
        'content-security-policy': [
          `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; connect-src 'self'`,
          `img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
        ].join('; '),
      });
      response.end(page.replaceAll('__NONCE__', nonce));
    }

    /** The modules of the page, which hold no data either. They inherit the nonce of the script that imports them. */
    @Get('page/:name')
    module(@Param('name') name: string, @Res() reply: Reply): void {
      const script = modules.get(name);
      const response = rawOf(reply);
      response.writeHead(script === undefined ? 404 : 200, { 'content-type': 'text/javascript; charset=utf-8' });
      response.end(script);
    }

    @Get('session')
    @UseGuards(...inner)
    @HttpCode(204)
    session(): void {
      // The guard has answered.
    }

    @Post('login')
    @HttpCode(204)
    login(@Body() body: unknown, @Req() request: DashboardRequest, @Res({ passthrough: true }) reply: Reply): void {
      requireOwnHeader(request.headers);
      if (!('token' in this.config.access))
        throw new BadRequestException('There is no token: the application has a guard.');
      const token = this.config.access.token.reveal();
      this.doorman.check(token, (body as { token?: unknown } | null | undefined)?.token, request);
      setCookie(reply, request, cookieName(token), sessionFor(token, Date.now()), SESSION_MS / 1000);
    }

    @Post('logout')
    @HttpCode(204)
    logout(@Req() request: DashboardRequest, @Res({ passthrough: true }) reply: Reply): void {
      requireOwnHeader(request.headers);
      if (!('token' in this.config.access)) return;
      const token = this.config.access.token.reveal();
      const session = this.doorman.session(token, request);
      if (session !== undefined) {
        this.doorman.end(session);
        this.feed.end(session.value);
      }
      setCookie(reply, request, cookieName(token), '', 0);
    }

    @Get('events')
    @UseGuards(...inner)
    events(@Req() request: DashboardRequest, @Res() reply: Reply): void {
      const response = rawOf(reply);
      // HEAD comes here too, and has no use for a stream.
      if ((request.raw ?? request).method !== 'GET') return void response.writeHead(204).end();
      if (this.feed.watch(response, request.session)) return;
      response.writeHead(503, { 'retry-after': '5' });
      response.end();
    }

    @Post('drain')
    @UseGuards(...inner)
    @HttpCode(200)
    drain(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const node = wordOf(body, 'node', request);
      return carryOut(request, `drain ${show(node)}`, () => this.processes.drain({ node }));
    }

    @Post('undrain')
    @UseGuards(...inner)
    @HttpCode(200)
    undrain(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const node = wordOf(body, 'node', request);
      return carryOut(request, `undrain ${show(node)}`, () => this.processes.undrain({ node }));
    }

    @Post('move')
    @UseGuards(...inner)
    @HttpCode(200)
    move(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const [process, node] = [wordOf(body, 'process', request), wordOf(body, 'node', request)];
      return carryOut(request, `move ${show(process)} to ${show(node)}`, () => this.processes.move(process, node));
    }

    @Post('restart')
    @UseGuards(...inner)
    @HttpCode(200)
    restart(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const process = wordOf(body, 'process', request);
      return carryOut(request, `restart ${show(process)}`, () => this.processes.restart(process));
    }

    @Post('run')
    @UseGuards(...inner)
    @HttpCode(200)
    run(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const job = wordOf(body, 'job', request);
      return carryOut(request, `run ${show(job)}`, () => this.cronJobs.runNow(job));
    }
  }
  return FoundationDashboardController;
}

function readPage(hasTraces: boolean): string {
  // By a function, because a `$` in the file means nothing.
  const page = PAGE_FILES['page.html']!.replace('/*page.css*/', () => PAGE_FILES['page.css']!);
  return page.replace('__TRACES__', hasTraces ? 'on' : 'off');
}

/** Name → text. All that is served is in this map, so no name leads out of it. */
function readModules(): Map<string, string> {
  return new Map(Object.entries(PAGE_FILES).filter(([name]) => name.endsWith('.js')));
}

function rawOf(reply: Reply): ServerResponse {
  reply.hijack?.();
  return reply.raw ?? reply;
}

function setCookie(reply: Reply, request: DashboardRequest, name: string, value: string, seconds: number): void {
  const { socket, headers } = request.raw ?? request;
  // Behind a proxy that speaks TLS the connection to here does not.
  const proto = String(headers['x-forwarded-proto'] ?? '')
    .split(',')[0]!
    .trim()
    .toLowerCase();
  const isSecure = 'encrypted' in socket || proto === 'https';
  // Without a path it is that of the dashboard, as the browser sees it, and goes to no other application of the host.
  const parts = [`${name}=${value}`, `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Strict'];
  // On the response beneath, which Express and Fastify send the headers of.
  (reply.raw ?? reply).setHeader('set-cookie', [...parts, ...(isSecure ? ['Secure'] : [])].join('; '));
}

function requireOwnHeader(headers: IncomingMessage['headers']): void {
  // With CORS that lets every origin in, another site could send the header; the browser says that it is one.
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ForbiddenException('A page of another site cannot do this.');
  if (headers[OWN_HEADER] === undefined) throw new ForbiddenException(`Send the header ${OWN_HEADER}: 1.`);
}

function wordOf(body: unknown, field: string, { headers }: DashboardRequest): string {
  requireOwnHeader(headers);
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value === 'string' && value.length > 0 && value.length <= 300) return value;
  throw new BadRequestException(`Send ${field} as a text of 1 to 300 characters.`);
}

/** What Foundation refuses is said in its own sentence; of anything else the log of this node has more. */
async function carryOut(
  request: DashboardRequest,
  what: string,
  command: () => Promise<unknown>,
): Promise<{ ok: true }> {
  const logger = new Log();
  logger.log('Command from the dashboard', { command: what });
  try {
    await actingAs({ via: 'dashboard', name: userOf(request) }, command);
    return { ok: true };
  } catch (error) {
    logger.warn('Command from the dashboard failed', { command: what, error: describe(error) });
    // The first from here, the second from the node that was asked.
    if (!(isA(error, FoundationError) || isA(error, RemoteError))) {
      throw new HttpException({ message: 'It failed; the log of this node says why.' }, 500);
    }
    const isBad = /FOUNDATION_(ARGUMENT|PROCESS_UNKNOWN)/.test(error.code ?? '');
    throw new HttpException({ message: error.message }, isBad ? 400 : 503);
  }
}
