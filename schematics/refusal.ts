/**
 * What a schematic says instead of changing something that it does not understand. The devkit writes files only when
 * a schematic has ended well, so a refusal leaves the application as it was.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /**
   * @param reason subject and what is wrong with it.
   * @param advice what to do instead.
   */
  constructor(reason: string, advice: string) {
    super(`${reason}; nothing was changed: ${advice}.`);
  }
}
