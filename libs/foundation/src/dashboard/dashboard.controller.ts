/**
 * The page and what is behind it: a session, the feed, and the commands of an operator.
 * Made by the module, for the path that it is given; underneath Nest's own HTTP layer, Express or Fastify.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import {
  BadRequestException,
  Body,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Req,
  Res,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { CronJobs } from '../cron/cron.jobs.js';
import { show } from '../errors/describe.js';
import { ProcessManager } from '../processes/process.manager.js';
import { carryOut, requireOwnHeader, wordOf } from './dashboard.commands.js';
import { DashboardFeed } from './dashboard.feed.js';
import {
  DASHBOARD,
  type DashboardRequest,
  type DashboardRole,
  guardsOf,
  tokensOf,
  TokenVerifier,
} from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';
import { cookieName, SESSION_MS, sessionFor } from './login.session.js';
import { PAGE_FILES } from './page.files.js';

/** Express hands out Node's response, Fastify wraps it. */
type Reply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

/**
 * A controller at this path. The guard of the application guards all of it; with a token the page, which shows nothing
 * by itself, is open.
 */
export function dashboardControllerAt(config: DashboardConfig): Type {
  const { traces, calls } = config;
  const { looking, acting } = guardsOf(config);
  const page = readPage(traces !== undefined, calls);
  const modules = readModules();

  @DashboardRoute(config, '', 'outer')
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

    /** What who asks may do; the guard has answered whether. */
    @Get('session')
    @UseGuards(...looking)
    @AnswersAsIs()
    session(@Req() { role = 'operator' }: DashboardRequest): { role: DashboardRole } {
      return { role };
    }

    @Post('login')
    @HttpCode(204)
    login(@Body() body: unknown, @Req() request: DashboardRequest, @Res({ passthrough: true }) reply: Reply): void {
      requireOwnHeader(request.headers);
      const tokens = tokensOf(this.config);
      if (tokens.length === 0) throw new BadRequestException('There is no token: the application has a guard.');
      const shown = (body as { token?: unknown } | null | undefined)?.token;
      const { token } = this.doorman.check(tokens, shown, request);
      // Of both, one is left: whoever signs in with the read-only token expects to be no operator from then on.
      const others = tokens.filter((each) => each.token !== token).map((each) => cookie(request, each.token));
      setCookies(reply, [...others, cookie(request, token, sessionFor(token, Date.now()))]);
    }

    @Post('logout')
    @HttpCode(204)
    logout(@Req() request: DashboardRequest, @Res({ passthrough: true }) reply: Reply): void {
      requireOwnHeader(request.headers);
      const tokens = tokensOf(this.config);
      for (const { token } of tokens) {
        const session = this.doorman.session(token, request);
        if (session === undefined) continue;
        this.doorman.end(session);
        this.feed.end(session.value);
      }
      if (tokens.length > 0) {
        setCookies(
          reply,
          tokens.map(({ token }) => cookie(request, token)),
        );
      }
    }

    @Get('events')
    @UseGuards(...looking)
    events(@Req() request: DashboardRequest, @Res() reply: Reply): void {
      const response = rawOf(reply);
      // HEAD comes here too, and has no use for a stream.
      if ((request.raw ?? request).method !== 'GET') return void response.writeHead(204).end();
      if (this.feed.watch(response, request.session)) return;
      response.writeHead(503, { 'retry-after': '5' });
      response.end();
    }

    @Post('drain')
    @UseGuards(...acting)
    @AnswersAsIs()
    drain(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const node = wordOf(body, 'node', request);
      return carryOut(request, `drain ${show(node)}`, () => this.processes.drain({ node }));
    }

    @Post('undrain')
    @UseGuards(...acting)
    @AnswersAsIs()
    undrain(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const node = wordOf(body, 'node', request);
      return carryOut(request, `undrain ${show(node)}`, () => this.processes.undrain({ node }));
    }

    @Post('move')
    @UseGuards(...acting)
    @AnswersAsIs()
    move(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const [process, node] = [wordOf(body, 'process', request), wordOf(body, 'node', request)];
      return carryOut(request, `move ${show(process)} to ${show(node)}`, () => this.processes.move(process, node));
    }

    @Post('restart')
    @UseGuards(...acting)
    @AnswersAsIs()
    restart(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const process = wordOf(body, 'process', request);
      return carryOut(request, `restart ${show(process)}`, () => this.processes.restart(process));
    }

    @Post('run')
    @UseGuards(...acting)
    @AnswersAsIs()
    run(@Body() body: unknown, @Req() request: DashboardRequest): Promise<{ ok: true }> {
      const job = wordOf(body, 'job', request);
      return carryOut(request, `run ${show(job)}`, () => this.cronJobs.runNow(job));
    }
  }
  return FoundationDashboardController;
}

function readPage(hasTraces: boolean, hasCalls: boolean): string {
  // By a function, because a `$` in the file means nothing.
  const page = PAGE_FILES['page.html']!.replace('/*page.css*/', () => PAGE_FILES['page.css']!);
  return page.replace('__TRACES__', hasTraces ? 'on' : 'off').replace('__CALLS__', hasCalls ? 'on' : 'off');
}

/** Name → text. All that is served is in this map, so no name leads out of it. */
function readModules(): Map<string, string> {
  return new Map(Object.entries(PAGE_FILES).filter(([name]) => name.endsWith('.js')));
}

function rawOf(reply: Reply): ServerResponse {
  reply.hijack?.();
  return reply.raw ?? reply;
}

/** The cookie of a session of this token; without one it ends what the browser has. */
function cookie(request: DashboardRequest, token: string, session?: string): string {
  const { socket, headers } = request.raw ?? request;
  // Behind a proxy that speaks TLS the connection to here does not.
  const proto = String(headers['x-forwarded-proto'] ?? '')
    .split(',')[0]!
    .trim()
    .toLowerCase();
  const isSecure = 'encrypted' in socket || proto === 'https';
  const seconds = session === undefined ? 0 : SESSION_MS / 1000;
  // Without a path it is that of the dashboard, as the browser sees it, and goes to no other application of the host.
  const parts = [`${cookieName(token)}=${session ?? ''}`, `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Strict'];
  return [...parts, ...(isSecure ? ['Secure'] : [])].join('; ');
}

function setCookies(reply: Reply, cookies: string[]): void {
  // On the response beneath, which Express and Fastify send the headers of.
  (reply.raw ?? reply).setHeader('set-cookie', cookies);
}
