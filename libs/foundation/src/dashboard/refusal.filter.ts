/**
 * Answers what the dashboard refuses as Nest does by itself, so that the page reads it beside any filter of the
 * application.
 * Underneath: Nest's own filter on the controller, which comes before global ones.
 */
import { Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** See the file header. */
@Catch(HttpException)
export class RefusalFilter extends BaseExceptionFilter<HttpException> {}
