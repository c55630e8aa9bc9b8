/**
 * The shape of the channels that are declared, for class-validator; see `validate.ts`.
 */
import { IsOptional, ValidateBy } from 'class-validator';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { isOptions } from '../foreign/given.options.js';
import { checkShape, count, duration } from './validate.shape.js';

/** What nodes, applications and channels are called. */
export const NAME = /^[A-Za-z0-9_.-]{1,128}$/;
/** The same in words. */
export const nameMessage = '1 to 128 letters, digits, dots, dashes or underscores';
/** More replicas than anybody waits for. */
const MAX_REPLICAS = 100;

class ChannelShape {
  @IsOptional()
  @ValidateBy(
    { name: 'durable', validator: { validate: (value) => typeof value === 'boolean' || isOptions(value) } },
    { message: 'true, false or an object { maxLength, maxDeliveries, retryAfter, acknowledge }' },
  )
  durable?: unknown;
}

class DurableShape {
  @count(1) maxLength?: number;
  @count(1) maxDeliveries?: number;
  @duration(50) retryAfter?: unknown;
  @IsOptional()
  @ValidateBy(
    { name: 'acknowledge', validator: { validate: isAcknowledge } },
    { message: `'memory', 'fsync' or { replicas: n }, n from 1 to ${MAX_REPLICAS}` },
  )
  acknowledge?: unknown;
  @duration(500) acknowledgeTimeout?: unknown;
}

/** Throws a {@link FoundationConfigError} for the first channel that is declared in a wrong way. */
export function checkChannels(channels: readonly (readonly [name: unknown, declaration: unknown])[]): void {
  for (const [name, declaration] of channels) {
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw new FoundationConfigError('channels.names', show(name), `an array of names of ${nameMessage}`);
    }
    checkShape(ChannelShape, declaration, `channels.names.${name}.`);
    const { durable } = declaration as ChannelShape;
    if (isOptions(durable)) checkShape(DurableShape, durable, `channels.names.${name}.durable.`);
  }
}

function isAcknowledge(value: unknown): boolean {
  if (value === 'memory' || value === 'fsync') return true;
  if (!isOptions(value)) return false;
  const { replicas, ...others } = value;
  return isReplicas(replicas) && Object.keys(others).length === 0;
}

function isReplicas(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_REPLICAS;
}
