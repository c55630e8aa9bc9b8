/**
 * One bundle as it goes to several peers: encoded once for all that read it packed, and once for all others.
 */
import { MessageError } from '../../../errors/message.errors.js';
import { asText, type Bundle } from '../../../wire/bundle.js';
import type { BundleKind } from './stream/frames.js';
import { encodeBundle } from './topic.messages.js';

/** See the file header. */
export class Bodies {
  #text: string | undefined;
  readonly #bodies: Partial<Record<BundleKind, Buffer>> = {};

  constructor(
    private readonly topic: string,
    private readonly bundle: Bundle,
    private readonly maxBytes: number,
  ) {}

  /** For nodes that do not read what is packed. */
  get text(): string {
    return (this.#text ??= asText(this.bundle));
  }

  kind(packs: boolean): BundleKind {
    return packs && typeof this.bundle !== 'string' ? 'packed' : 'text';
  }

  /** @throws MessageError for what no node would take. */
  of(kind: BundleKind): Buffer {
    return (this.#bodies[kind] ??= this.#encode(kind));
  }

  #encode(kind: BundleKind): Buffer {
    const body = encodeBundle(this.topic, kind === 'text' ? this.text : this.bundle);
    if (body.length <= this.maxBytes) return body;
    throw new MessageError(
      this.topic,
      `it has ${body.length} bytes and the others take ${this.maxBytes}`,
      'Send less at a time.',
      'FOUNDATION_MESSAGE_TOO_LARGE',
    );
  }
}
