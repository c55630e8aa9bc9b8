/**
 * What the commands of the dashboard have in common: what a request has to be, and what becomes of one that fails.
 * Used by the controllers.
 */
import type { IncomingMessage } from 'node:http';
import { BadRequestException, ForbiddenException, HttpException } from '@nestjs/common';
import { actingAs } from '../context/actor.js';
import { RemoteError } from '../errors/call.errors.js';
import { describe, isA, read } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { Log } from '../logging/log.js';
import { written } from '../processes/inspection.js';
import { type DashboardRequest, userOf } from './dashboard.guard.js';

/** Of a call from the page. */
const MAX_ARGUMENTS = 20;
/** A form of another site cannot send this header. */
const OWN_HEADER = 'x-foundation-dashboard';

/** @throws ForbiddenException for what another site may have sent. */
export function requireOwnHeader(headers: IncomingMessage['headers']): void {
  // With CORS that lets every origin in, another site could send the header; the browser says that it is one.
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ForbiddenException('A page of another site cannot do this.');
  if (headers[OWN_HEADER] === undefined) throw new ForbiddenException(`Send the header ${OWN_HEADER}: 1.`);
}

/** A text of the body. @throws BadRequestException, ForbiddenException */
export function wordOf(body: unknown, field: string, { headers }: DashboardRequest): string {
  requireOwnHeader(headers);
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value === 'string' && value.length > 0 && value.length <= 300) return value;
  throw new BadRequestException(`Send ${field} as a text of 1 to 300 characters.`);
}

/** What Foundation refuses is said in its own sentence; of anything else the log of this node has more. */
export async function carryOut(
  request: DashboardRequest,
  what: string,
  command: () => Promise<unknown>,
): Promise<{ ok: true }> {
  await attempted(request, what, command);
  return { ok: true };
}

/** The same, with what comes of it. */
export async function attempted<T>(request: DashboardRequest, what: string, command: () => Promise<T>): Promise<T> {
  const logger = new Log();
  logger.log('Command from the dashboard', { command: what });
  try {
    return await actingAs({ via: 'dashboard', name: userOf(request) }, command);
  } catch (error) {
    if (isA(error, HttpException)) throw error;
    logger.warn('Command from the dashboard failed', { command: what, error: describe(error) });
    // The first from here, the second from the node that was asked.
    if (!(isA(error, FoundationError) || isA(error, RemoteError))) {
      throw new HttpException({ message: 'It failed; the log of this node says why.' }, 500);
    }
    const isBad = /FOUNDATION_(ARGUMENT|PROCESS_UNKNOWN)/.test(error.code ?? '');
    throw new HttpException({ message: error.message }, isBad ? 400 : 503);
  }
}

/** The arguments of a call from the page. @throws BadRequestException */
export function argsOf(body: unknown): unknown[] {
  const args = read(body, 'args') ?? [];
  if (Array.isArray(args) && args.length <= MAX_ARGUMENTS) return args as unknown[];
  throw new BadRequestException(`Send args as a list of at most ${MAX_ARGUMENTS} values.`);
}

/** What a method returned, as JSON in a text. */
export function resultOf(returned: unknown): { result: string } {
  try {
    return { result: written(returned) };
  } catch (error) {
    return { result: `It was called; what it returned is not shown: ${describe(error)}` };
  }
}
