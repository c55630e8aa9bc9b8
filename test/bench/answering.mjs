// What the children of `asked.mjs` have in common; without anything that only their parent needs.

/** Answers `{ id, command, options }` with what the command gives, and ends with its parent. */
export function answer(commands) {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ id, command, options }) => {
    Promise.resolve()
      .then(() => commands[command](options ?? {}))
      .then(
        (result) => process.send({ id, result }),
        (error) => process.send({ id, error: error.stack }),
      );
  });
  process.send({ id: 0 });
}

/** `work(0)` to `work(count - 1)`, so many at a time. */
export async function abreast(count, atATime, work) {
  for (let from = 0; from < count; from += atATime)
    await Promise.all(Array.from({ length: Math.min(atATime, count - from) }, (_, index) => work(from + index)));
}
