/**
 * What the suites of all ports share: a contract is declared in any test runner that has `describe` and `it`, and each
 * of its tests has nodes of its own. Assertions are those of Node.
 */

/** The part of a test runner that the suites need. */
export interface TestRunner {
  describe: (name: string, body: () => void) => void;
  it: (name: string, test: () => Promise<void>) => void;
}

/** Nodes that share what a port is about, for one test. */
export interface ContractCluster<Node> {
  /** As many as the test requested. */
  nodes: readonly Node[];
  close(): Promise<void>;
}

/** How a contract is declared. */
export interface ContractOptions {
  /** The adapter knows no other node, so only what one node does is tested. Default false. */
  isAlone?: boolean;
}

/** Declares one test with nodes of its own, which are closed after it. */
type Declare<Cluster, Nodes> = (what: string, test: (nodes: Nodes, cluster: Cluster) => Promise<void>) => void;

/** The ways in which a contract declares its tests. */
export interface ContractTests<Node, Cluster> {
  /** A test of one node. */
  alone: Declare<Cluster, readonly [Node]>;
  /** A test of two nodes; skipped where the adapter knows no other node. */
  between: Declare<Cluster, readonly [Node, Node]>;
}

/** Makes {@link ContractTests} for a test runner. */
export function contractTests<Node, Cluster extends ContractCluster<Node>>(
  makeCluster: (size: number) => Promise<Cluster>,
  { it }: TestRunner,
  { isAlone = false }: ContractOptions,
): ContractTests<Node, Cluster> {
  const declare = (size: number, what: string, test: (cluster: Cluster) => Promise<void>): void =>
    it(what, async () => {
      const cluster = await makeCluster(size);
      try {
        if (cluster.nodes.length !== size) throw new Error(`makeCluster(${size}) made ${cluster.nodes.length} nodes`);
        await test(cluster);
      } finally {
        await cluster.close();
      }
    });
  return {
    alone: (what, test) => declare(1, what, (cluster) => test([cluster.nodes[0]!], cluster)),
    between: (what, test) => {
      if (isAlone) return;
      declare(2, what, (cluster) => test([cluster.nodes[0]!, cluster.nodes[1]!], cluster));
    },
  };
}
