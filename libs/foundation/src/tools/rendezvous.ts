/**
 * Pure: rendezvous hashing, by which every node comes to the same choice without asking.
 * Used by placement, partitions and the balancers of services.
 */

/**
 * The weight of a name on a node, 0 to 2^32 − 1: FNV-1a over both, finished with the mixer of MurmurHash3.
 * Rendezvous hashing (Thaler and Ravishankar, 1996): the node with the largest weight wins, and when a node comes or
 * goes only the names it wins or loses move.
 */
export function rendezvous(name: string, node: string): number {
  let hash = 0x811c9dc5;
  for (const char of `${name}\u0000${node}`) {
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
