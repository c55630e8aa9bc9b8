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
  return weightsOf(name)(node);
}

/** The same for one name and many nodes, which costs a look at the name once. */
export function weightsOf(name: string): (node: string) => number {
  const begun = mixed(mixed(0x811c9dc5, name), '\u0000');
  return (node) => {
    let hash = mixed(begun, node);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
}

function mixed(hash: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.codePointAt(index)!;
    if (code > 0xffff) index += 1;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash;
}
