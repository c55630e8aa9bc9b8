/**
 * What a topology strategy needs: its permissions, and whether it finds peers and hears them. One list for each strategy.
 * Called by the doctor; a new strategy adds a file with its steps and a line here.
 */
import type { FoundationConfig } from '../../config/options.js';
import type { Step } from './step.js';

const STEPS: Readonly<Partial<Record<FoundationConfig['strategy'], readonly Step[]>>> = {};

/** The steps of the strategy that is configured; none for a cluster that is found through Redis alone. */
export function topologySteps({ strategy }: FoundationConfig): readonly Step[] {
  return STEPS[strategy] ?? [];
}
