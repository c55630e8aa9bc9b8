/**
 * Who may look: whoever shows the token, or the cookie that came of it.
 * Used by the controller.
 */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { DashboardConfig } from './dashboard.options.js';
import { cookieOf, isSession, isToken } from './session.js';

/** Injects the configuration. */
export const DASHBOARD = Symbol.for('foundation:dashboard');

/** Express hands out Node's request, Fastify wraps it. */
export type DashboardRequest = IncomingMessage & { raw?: IncomingMessage };

/** See the file header. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(@Inject(DASHBOARD) private readonly config: DashboardConfig) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<DashboardRequest>();
    if ('token' in this.config.access) {
      const token = this.config.access.token.reveal();
      const bearer = /^Bearer (.{1,1024})$/.exec(headers.authorization ?? '')?.[1];
      if (bearer === undefined ? isSession(token, cookieOf(headers.cookie), Date.now()) : isToken(token, bearer)) {
        return true;
      }
    }
    throw new UnauthorizedException('Show the token of the dashboard.');
  }
}

/** Lets everybody in: somebody else looks. */
@Injectable()
export class OpenDoor implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}
