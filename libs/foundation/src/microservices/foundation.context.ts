/**
 * What `@Ctx()` gives to the handlers of a Nest microservice over Foundation.
 */
import { BaseRpcContext } from '@nestjs/microservices';
import type { MessageMeta } from '../channels/channel.js';

/** The sender of a message or request: its node, and of an event everything that is known of the message. */
export type FoundationSource = Pick<MessageMeta, 'from' | 'bootId'> & Partial<MessageMeta>;

/** Injected by `@Ctx()`. */
export class FoundationContext extends BaseRpcContext<[string, FoundationSource, Record<string, string>?]> {
  /** The pattern as text: a string as it is, an object as sorted JSON. */
  getPattern(): string {
    return this.args[0];
  }

  /** Who sent it. */
  getSource(): FoundationSource {
    return this.args[1];
  }

  /** What the client attached with `setOnDispatchHook`, if anything. */
  getMetadata(): Record<string, string> | undefined {
    return this.args[2];
  }
}
