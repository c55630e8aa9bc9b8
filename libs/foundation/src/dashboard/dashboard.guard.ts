/**
 * Access to the dashboard: by the token, or by the session cookie that a login with it sets.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import { read } from '../errors/describe.js';
import type { DashboardConfig } from './dashboard.options.js';
import { LoginAttempts, networkOf } from './login.attempts.js';
import { cookieOf, EndedSessions, isToken, sessionEnd } from './login.session.js';

/** Injects the configuration. */
export const DASHBOARD = Symbol.for('foundation:dashboard');

/** Express hands out Node's request, Fastify wraps it. */
export type DashboardRequest = IncomingMessage & {
  raw?: IncomingMessage;
  /** The session that the request came with, and when it ends, in milliseconds since 1970. */
  session?: { value: string; until: number };
  /** Where a guard of the application puts who it is, as those of Passport do. */
  user?: unknown;
};

const NAMES = ['username', 'email', 'name', 'sub', 'id'] as const;

/** Who it is, for the journal, as far as the guard of the application has said. */
export function userOf({ user }: DashboardRequest): string | undefined {
  if (typeof user === 'string') return user;
  for (const name of NAMES) {
    const value = read(user, name);
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') return String(value);
  }
  return undefined;
}

/** Checks tokens, and makes clients with wrong ones wait. */
@Injectable()
export class TokenVerifier {
  readonly #attempts = new LoginAttempts();
  readonly #ended = new EndedSessions();

  /** The session of the request, if it belongs to this token and was not signed out. */
  session(token: string, request: DashboardRequest): { value: string; until: number } | undefined {
    const value = cookieOf(token, request.headers.cookie);
    const until = sessionEnd(token, value, Date.now());
    return value === undefined || until === undefined || this.#ended.has(value) ? undefined : { value, until };
  }

  /** Ends a session on this node only. */
  end({ value, until }: { value: string; until: number }): void {
    this.#ended.add(value, until, Date.now());
  }

  /** @throws UnauthorizedException for a wrong token, and an exception with status 429 after too many. */
  check(token: string, shown: unknown, request: DashboardRequest): void {
    const address = networkOf((request.raw ?? request).socket.remoteAddress ?? '');
    const wait = this.#attempts.waitFor(address, Date.now());
    if (wait > 0) throw new HttpException(`Too many wrong tokens; wait ${wait} seconds.`, 429);
    if (isToken(token, shown)) return;
    this.#attempts.fail(address, Date.now());
    throw new UnauthorizedException('Invalid token.');
  }
}

/** See the file header. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    @Inject(DASHBOARD) private readonly config: DashboardConfig,
    @Inject(TokenVerifier) private readonly doorman: TokenVerifier,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<DashboardRequest>();
    if (!('token' in this.config.access)) return false;
    const token = this.config.access.token.reveal();
    const bearer = /^Bearer (.{1,1024})$/.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      this.doorman.check(token, bearer, request);
      return true;
    }
    const session = this.doorman.session(token, request);
    if (session === undefined) throw new UnauthorizedException('Show the token of the dashboard.');
    request.session = session;
    return true;
  }
}

/**
 * Lets every request pass, and sees that what is answered, a refusal too, is kept by nobody on the way and taken for
 * nothing else.
 */
@Injectable()
export class NoStoreInterceptor implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const response = context.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    const raw = response.raw ?? response;
    raw.setHeader('cache-control', 'no-store');
    raw.setHeader('x-content-type-options', 'nosniff');
    return true;
  }
}
