/** One row of the fault matrix. */
export interface FaultRow {
  row: number;
  /** What is done. */
  fault: string;
  /** What must hold. */
  holds: string;
  /** `file#function` of test/chaos/faults; `soak`: it is drawn by a soak, too; `slow`: `--quick` leaves it out. */
  checks: readonly { run: string; soak?: true; slow?: true }[];
  /** Existing specs: the file, and what the names of its tests begin with. */
  specs: readonly { file: string; tests: string }[];
  /** It belongs to the selection of `npm run verify`. */
  quick?: true;
}

export const FAULT_ROWS: readonly FaultRow[];
