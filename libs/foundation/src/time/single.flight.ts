/**
 * Work that runs once at a time: requests that come meanwhile cause one more run, however many they are.
 */

/** See the file header. */
export class SingleFlight {
  #flight: Promise<void> | undefined;
  #again = false;

  /** The work sees to its own failures; it must not reject. */
  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves once a run is done that began after this call. */
  ask(): Promise<void> {
    if (this.#flight !== undefined) this.#again = true;
    this.#flight ??= this.#fly().finally(() => (this.#flight = undefined));
    return this.#flight;
  }

  async #fly(): Promise<void> {
    do {
      this.#again = false;
      await this.work();
    } while (this.#again);
  }
}
