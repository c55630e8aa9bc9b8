/**
 * Questions to all nodes that have this module, and their answers.
 * Underneath: `Channels.gather` on a channel that no application can have.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Gathered, MissingAnswer } from '../../calls/gathering.js';
import { Channels, runtimeOf } from '../../channels/channels.js';
import type { ReservedChannel } from '../../channels/reserved.channel.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { describe, isA } from '../../errors/describe.js';
import { FoundationError } from '../../errors/foundation.error.js';
import { givenOptions } from '../../foreign/given.options.js';
import type { Duration } from '../../time/duration.js';
import { anyList, type Reader, record, whole } from '../../wire/decode.js';
import { fail, ok, type Result } from '../v1.result.js';

/** The most that one node answers, in bytes of JSON; half of what a message may have by default. */
const MAX_ANSWER_BYTES = 512 * 1024;
const MAX_ANSWERS_AT_ONCE = 100;
const CHANNEL = '#v1';

/** How a query to the cluster ended: what is missing is named, and `complete` is then false. */
export interface ClusterAnswer {
  /** The nodes that have not answered, or not all, each with the reason. */
  readonly missing: readonly MissingAnswer[];
  /** True only when every node that has this module has answered with all that it has. */
  readonly complete: boolean;
}

/** The entries of all answers. */
export interface ClusterEntries<T> extends ClusterAnswer {
  readonly entries: readonly T[];
}

/** Options of a query to the cluster. */
export interface ClusterQueryOptions {
  /** How long to wait, milliseconds or a text such as `'2s'`. Default: `calls.timeout`, 5000 ms. */
  timeout?: Duration;
  /** Gives up waiting, and rejects with its reason. */
  signal?: AbortSignal;
}

/** What one node answers: its last entries, and how many more there were. */
interface NodeEntries {
  entries: unknown[];
  more: number;
}

const readEntries = record<NodeEntries>({ entries: anyList, more: whole() });

/** See the file header. */
@Injectable()
export class ClusterQueries {
  readonly #channel: ReservedChannel;

  constructor(@Inject(Channels) channels: Channels) {
    this.#channel = runtimeOf(channels).reserve(CHANNEL);
  }

  /** Answers queries of a type with a list; as many of its last entries as an answer takes. */
  async answer(type: string, answerTo: (query: unknown) => readonly unknown[]): Promise<void> {
    const options = { type, concurrency: MAX_ANSWERS_AT_ONCE };
    await this.#channel.subscribe((query) => cut(answerTo(query)), options);
  }

  /**
   * Asks all nodes; `read` reads an entry of an answer.
   *
   * Fails with `external_service_error` (4201) where nobody could be asked.
   *
   * @throws ArgumentError; the reason of the signal.
   */
  async ask<T>(
    type: string,
    query: unknown,
    read: Reader<T>,
    options: ClusterQueryOptions,
  ): Promise<Result<ClusterEntries<T>>> {
    const known = ['timeout', 'signal'] as const;
    const { timeout, signal } = givenOptions<ClusterQueryOptions>('ClusterWide', options, known);
    try {
      return ok(entriesIn(await this.#channel.gather(query, { timeout, signal, type }), read));
    } catch (error) {
      return failureOf(error);
    }
  }
}

/** Of what Foundation throws because of Redis or of other nodes. @throws anything else, and ArgumentError. */
export function failureOf(error: unknown, errorType = 'external_service_error'): Result<never> {
  if (!isA(error, FoundationError) || isA(error, ArgumentError)) throw error;
  return fail({ errorType, message: describe(error), context: { code: error.code } });
}

function entriesIn<T>({ answers, missing }: Gathered, read: Reader<T>): ClusterEntries<T> {
  const entries: T[] = [];
  const problems = [...missing];
  for (const { node, value } of answers) {
    const given = readEntries(value);
    const right = (given?.entries ?? []).map(read).filter((each) => each !== undefined);
    entries.push(...right);
    if (given === undefined || right.length < given.entries.length) {
      problems.push({ node, reason: 'failed', message: 'its answer cannot be read' });
    } else if (given.more > 0) {
      problems.push({ node, reason: 'too-large', message: `${given.more} more than an answer takes` });
    }
  }
  return { entries, missing: problems, complete: problems.length === 0 };
}

function cut(all: readonly unknown[]): NodeEntries {
  let [more, left] = [all.length, MAX_ANSWER_BYTES];
  while (more > 0 && (left -= Buffer.byteLength(JSON.stringify(all[more - 1])) + 1) >= 0) more -= 1;
  return { entries: all.slice(more), more };
}
