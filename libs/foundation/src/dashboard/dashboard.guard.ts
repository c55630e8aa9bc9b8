/**
 * Who may look: whoever shows the token, or the cookie that came of it.
 * Used by the controller.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  HttpException,
  Inject,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Attempts } from './attempts.js';
import type { DashboardConfig } from './dashboard.options.js';
import { cookieOf, isToken, sessionEnd } from './session.js';

/** Injects the configuration. */
export const DASHBOARD = Symbol.for('foundation:dashboard');

/** Express hands out Node's request, Fastify wraps it. */
export type DashboardRequest = IncomingMessage & {
  raw?: IncomingMessage;
  /** When the session ends that the request came with, in milliseconds since 1970. */
  sessionEnd?: number;
};

/** Looks at tokens, and makes whoever shows wrong ones wait. */
@Injectable()
export class Doorman {
  readonly #attempts = new Attempts();

  /** @throws UnauthorizedException for a wrong token, and an exception with status 429 after too many. */
  check(token: string, shown: unknown, request: DashboardRequest): void {
    const address = (request.raw ?? request).socket.remoteAddress ?? '';
    const wait = this.#attempts.waitFor(address, Date.now());
    if (wait > 0) throw new HttpException(`Too many wrong tokens; wait ${wait} seconds.`, 429);
    if (isToken(token, shown)) return;
    this.#attempts.fail(address, Date.now());
    throw new UnauthorizedException('That is not the token.');
  }
}

/** See the file header. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    @Inject(DASHBOARD) private readonly config: DashboardConfig,
    @Inject(Doorman) private readonly doorman: Doorman,
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
    const end = sessionEnd(token, cookieOf(request.headers.cookie), Date.now());
    if (end === undefined) throw new UnauthorizedException('Show the token of the dashboard.');
    request.sessionEnd = end;
    return true;
  }
}

/** Lets everybody in, and sees that what is answered, a refusal too, is kept by nobody on the way and taken for nothing else. */
@Injectable()
export class PrivateAnswers implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const response = context.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    const raw = response.raw ?? response;
    raw.setHeader('cache-control', 'no-store');
    raw.setHeader('x-content-type-options', 'nosniff');
    return true;
  }
}
