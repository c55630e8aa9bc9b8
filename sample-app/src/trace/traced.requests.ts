/**
 * Runs the handler of a request in a span of the trace that came with it, as the header `traceparent`.
 */
import {
  BadRequestException,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { readTraceContext, Telemetry } from 'nestjs-foundation';
import { from, lastValueFrom, type Observable } from 'rxjs';

interface Request {
  method: string;
  path: string;
  headers: Record<string, unknown>;
}

/** For controllers: `@UseInterceptors(TracedRequests)`. */
@Injectable()
export class TracedRequests implements NestInterceptor {
  constructor(private readonly telemetry: Telemetry) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, path, headers } = context.switchToHttp().getRequest<Request>();
    const parent = readTraceContext(headers);
    if (parent === undefined && headers['traceparent'] !== undefined) {
      throw new BadRequestException('The header traceparent is not one of W3C Trace Context');
    }
    const span = { kind: 'server', name: `${method} ${path}`.slice(0, 200), parent } as const;
    return from(this.telemetry.span(span, () => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}
