/**
 * The journal for the page, below the path of the dashboard and under the same guards.
 * Made by the module; underneath `Journal.read`.
 */
import { BadRequestException, Get, HttpException, Inject, Query, type Type } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { isA } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { Journal, type JournalEntry, type JournalQuery } from '../journal/journal.js';
import { wordsOf } from '../journal/journal.words.js';
import { isObject } from '../wire/decode.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';

/** An entry, and what it says in words. */
export interface EntrySeen extends JournalEntry {
  text: string;
}

const TEXTS = ['process', 'node', 'kind', 'since', 'until', 'after'] as const;

/** A controller below this path. */
export function historyControllerAt(config: DashboardConfig): Type {
  @DashboardRoute(config, '/history', 'looking')
  class FoundationHistoryController {
    constructor(@Inject(Journal) private readonly journal: Journal) {}

    @Get()
    @AnswersAsIs()
    async list(@Query() query: unknown): Promise<{ entries: EntrySeen[] }> {
      try {
        const entries = await this.journal.read(queryOf(query));
        return { entries: entries.map((entry) => ({ ...entry, text: wordsOf(entry) })) };
      } catch (error) {
        if (isA(error, ArgumentError)) throw new BadRequestException(error.message);
        if (isA(error, FoundationError)) throw new HttpException({ message: error.message }, 503);
        throw error;
      }
    }
  }
  return FoundationHistoryController;
}

/** Each parser of query strings has forms of its own for what comes twice; of those nothing is taken. */
function queryOf(given: unknown): JournalQuery {
  const fields = isObject(given) ? given : {};
  const query: Record<string, unknown> = {};
  for (const name of TEXTS) {
    const value = fields[name];
    if (typeof value !== 'string' || value === '') continue;
    // Milliseconds since 1970 are a text, too, in an address.
    query[name] = isTime(name) && /^\d{1,16}$/.test(value) ? Number(value) : value;
  }
  const { limit } = fields;
  if (typeof limit === 'string' && limit !== '') query['limit'] = Number(limit);
  return query;
}

function isTime(name: string): boolean {
  return name === 'since' || name === 'until';
}
