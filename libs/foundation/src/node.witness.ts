/**
 * Lets a test kit take part when a node of this process is made: it may change the options before, and gets the parts
 * after. Called by the module; underneath two channels of `node:diagnostics_channel`, for which nothing is done while
 * none listens.
 */
import { channel } from 'node:diagnostics_channel';
import type { ModulesContainer } from '@nestjs/core';
import type { FoundationOptions } from './config/options.js';
import type { NodeParts } from './node.parts.js';

/** What listens may put other options here. */
export interface NodeOptionsGiven {
  options: FoundationOptions;
}

/** A node that was made and has not joined yet, and the modules of its application. */
export interface NodeMade {
  parts: NodeParts;
  modules: ModulesContainer;
}

/** Names, so that two copies of the package in one process mean the same channel. */
export const OPTIONS_GIVEN = 'foundation:testing:options';
export const NODE_MADE = 'foundation:testing:node';
export const NODE_BEGUN = 'foundation:testing:begun';

const given = channel(OPTIONS_GIVEN);
const made = channel(NODE_MADE);
const begun = channel(NODE_BEGUN);

/** The options that a node is made with. */
export function witnessedOptions(options: FoundationOptions): FoundationOptions {
  if (!given.hasSubscribers) return options;
  const message: NodeOptionsGiven = { options };
  given.publish(message);
  return message.options;
}

/** Notes that a node was made. */
export function witnessNode(node: NodeMade): void {
  if (made.hasSubscribers) made.publish(node);
}

/** Notes that the start of its application waits for this node no longer: it listens next, if it does. */
export function witnessBegin(parts: NodeParts): void {
  if (begun.hasSubscribers) begun.publish({ parts });
}
