/**
 * Pure: one declared process → the names that are owned one by one: itself, its replicas, or its partitions.
 * Called by the table and the facade.
 */
import { rendezvous } from './rendezvous.js';

/** How many of a class run, and what they share. */
export type ProcessKind = 'singleton' | 'replicated' | 'partitioned';

/** How many replicas or partitions; `all` = a replica on every node. Always 1 for a singleton. */
export type ProcessCount = number | 'all';

/** What decides about the names. */
export interface Slotted {
  name: string;
  kind: ProcessKind;
  count: ProcessCount;
}

/** The names of a process; for one that runs on every node, the name on `node`. */
export function slotNames({ name, kind, count }: Slotted, node: string): string[] {
  if (kind === 'singleton') return [name];
  if (count === 'all') return [`${name}@${node}`];
  const separator = kind === 'replicated' ? '#' : '/';
  return Array.from({ length: count }, (_, index) => `${name}${separator}${index}`);
}

/** The process a slot belongs to; the name itself for one that is no slot. */
export function processOf(slot: string): string {
  return /^(.+)(?:[#/]\d+|@[A-Za-z0-9_.-]+)$/.exec(slot)?.[1] ?? slot;
}

/** True when the slot belongs to the process, on whichever node. */
export function isSlotOf(entry: Slotted, slot: string): boolean {
  if (entry.kind === 'singleton') return slot === entry.name;
  if (entry.count === 'all') return slot.startsWith(`${entry.name}@`);
  const separator = entry.kind === 'replicated' ? '#' : '/';
  const index = indexOf(slot);
  return index !== undefined && index < entry.count && slot === `${entry.name}${separator}${index}`;
}

/** True for a process that has one instance on each node. */
export function runsEverywhere({ kind, count }: Slotted): boolean {
  return kind === 'replicated' && count === 'all';
}

/** How many partitions; `undefined` for another kind of process. */
export function partitionsOf({ kind, count }: Slotted): number | undefined {
  return kind === 'partitioned' && count !== 'all' ? count : undefined;
}

/** The number of a replica or a partition. */
export function indexOf(slot: string): number | undefined {
  const digits = /[#/](\d+)$/.exec(slot)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** True for names that could be taken for a slot of another process. */
export function looksLikeSlot(name: string): boolean {
  return processOf(name) !== name;
}

/** The partition of a key, 0 to `count` − 1; the same on every node and in every version. */
export function partitionOf(key: string, count: number): number {
  return rendezvous(key, 'partition') % count;
}
