/** Random numbers from 0 to 1, always the same for one seed. */
export function mulberry32(seed: number): () => number;
