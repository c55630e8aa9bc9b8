/**
 * Answers what the dashboard refuses as Nest does by itself, so that the page reads it beside any filter of the
 * application.
 * Underneath: a filter of the controller, which comes before global ones.
 */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** See the file header. */
@Injectable()
@Catch(HttpException)
export class RefusalFilter implements ExceptionFilter<HttpException> {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(refusal: HttpException, context: ArgumentsHost): void {
    const said = refusal.getResponse();
    const statusCode = refusal.getStatus();
    const body = typeof said === 'string' ? { statusCode, message: said } : said;
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), body, statusCode);
  }
}
