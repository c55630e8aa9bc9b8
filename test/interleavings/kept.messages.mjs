// Of the history of a run: whether durable messages are left that nobody has handled.
/** What Redis has kept of a durable channel and nobody has handled yet. */
export class KeptMessages {
  #kept = new Map();
  #handled = new Set();
  #lost = [];

  get size() {
    return this.#kept.size;
  }

  note(line) {
    if (!line.includes('"test.durable_')) return;
    const { event, payload } = JSON.parse(line);
    if (event === 'test.durable_handled') {
      this.#handled.add(payload.message);
      this.#kept.delete(payload.message);
    }
    if (event !== 'test.durable_kept' || this.#handled.has(payload.message)) return;
    if (!this.#isLost(payload.sentAt)) this.#kept.set(payload.message, payload.sentAt);
  }

  /** All that was sent before is gone, or may be; or all that was sent since. */
  lost(at, since = -Infinity) {
    this.#lost.push({ at, since });
    for (const [message, sentAt] of this.#kept) if (this.#isLost(sentAt)) this.#kept.delete(message);
  }

  #isLost(sentAt) {
    return this.#lost.some(({ at, since }) => since <= sentAt && sentAt <= at);
  }
}
