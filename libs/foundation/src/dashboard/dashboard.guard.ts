/**
 * Access to the dashboard: by the token, or by the session cookie that a login with it sets.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  HttpException,
  Inject,
  Injectable,
  type Type,
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
  session?: Session;
  /** What who sent it may do. */
  role?: DashboardRole;
  /** Where a guard of the application puts who it is, as those of Passport do. */
  user?: unknown;
};

/** `viewer`: who has shown the read-only token may look, and not act. */
export type DashboardRole = 'operator' | 'viewer';

interface Session {
  value: string;
  until: number;
}

/** A secret of the dashboard, and what who knows it may do. */
export interface RoleToken {
  role: DashboardRole;
  token: string;
}

/** The tokens of the dashboard, that of operators first; none where the application has a guard. */
export function tokensOf({ access }: Pick<DashboardConfig, 'access'>): RoleToken[] {
  if (!('token' in access)) return [];
  const viewer: RoleToken[] =
    access.readOnly === undefined ? [] : [{ role: 'viewer', token: access.readOnly.reveal() }];
  return [{ role: 'operator', token: access.token.reveal() }, ...viewer];
}

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
  session(token: string, request: DashboardRequest): Session | undefined {
    const value = cookieOf(token, request.headers.cookie);
    const until = sessionEnd(token, value, Date.now());
    return value === undefined || until === undefined || this.#ended.has(value) ? undefined : { value, until };
  }

  /** Ends a session on this node only. */
  end({ value, until }: { value: string; until: number }): void {
    this.#ended.add(value, until, Date.now());
  }

  /**
   * Which token was shown.
   *
   * @throws UnauthorizedException for a wrong token, and an exception with status 429 after too many.
   */
  check(tokens: readonly RoleToken[], shown: unknown, request: DashboardRequest): RoleToken {
    const address = networkOf((request.raw ?? request).socket.remoteAddress ?? '');
    const wait = this.#attempts.waitFor(address, Date.now());
    if (wait > 0) throw new HttpException(`Too many wrong tokens; wait ${wait} seconds.`, 429);
    // All of them, so that the time does not tell which one it is.
    const [found] = tokens.filter(({ token }) => isToken(token, shown));
    if (found !== undefined) return found;
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
    const tokens = tokensOf(this.config);
    if (tokens.length === 0) return false;
    const bearer = /^Bearer (.{1,1024})$/.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      request.role = this.doorman.check(tokens, bearer, request).role;
      return true;
    }
    for (const { role, token } of tokens) {
      const session = this.doorman.session(token, request);
      if (session === undefined) continue;
      Object.assign(request, { session, role });
      return true;
    }
    throw new UnauthorizedException('Show the token of the dashboard.');
  }
}

/** Comes after {@link TokenGuard}: lets those act who have shown the token, and not the read-only one. */
@Injectable()
export class OperatorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<DashboardRequest>().role === 'operator') return true;
    throw new ForbiddenException(
      'Who has shown the read-only token can look, and not act. Sign in with the other one.',
    );
  }
}

/** What a request has to pass: first whatever it asks for, then also to look, and then also to act. */
export type Access = 'outer' | 'looking' | 'acting';

/** The guards of each, besides the outer ones. */
export function guardsOf({ access }: DashboardConfig): Record<Access, Type<CanActivate>[]> {
  if ('guard' in access) {
    const { guard, operators } = access;
    return { outer: [NoStoreInterceptor, guard], looking: [], acting: operators === undefined ? [] : [operators] };
  }
  return { outer: [NoStoreInterceptor], looking: [TokenGuard], acting: [TokenGuard, OperatorGuard] };
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
