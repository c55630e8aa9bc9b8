// Clocks and counters: time that all processes share, CPU of a process, and cores that others burn meanwhile.
// What only Linux has is undefined elsewhere.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const TICKS_PER_SECOND = 100;

/** Microseconds of CLOCK_MONOTONIC, the same in every process of this machine. */
export function sharedNow() {
  return Number(process.hrtime.bigint() / 1000n);
}

/** CPU microseconds of a process that is not ours to ask, in steps of 10 ms. */
export function cpuOf(pid) {
  const fields = read(`/proc/${pid}/stat`)?.split(') ')[1]?.split(' ');
  return fields && ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

export function rssOf(pid) {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kilobytes && Number(kilobytes) / 1024;
}

/** CPU microseconds of the whole machine, those that a hypervisor took away included. */
export function machineCpu() {
  const fields = read('/proc/stat')?.split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
  if (fields === undefined) return undefined;
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return ((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND) * 1e6;
}

/** Cores that others use just now, while this process waits for two seconds. */
export async function othersNow() {
  const [before, at, { user, system }] = [machineCpu(), sharedNow(), process.cpuUsage()];
  await delay(2000);
  const own = process.cpuUsage({ user, system });
  return before && (machineCpu() - before - own.user - own.system) / (sharedNow() - at);
}

export function machine() {
  const [{ model } = { model: 'unknown' }] = cpus();
  return {
    cores: cpus().length,
    model: model.trim(),
    kernel: `${type()} ${release()}`,
    gigabytes: Math.round(totalmem() / 2 ** 30),
  };
}

export function describeMachine(node = process.version) {
  const { cores, model, kernel, gigabytes } = machine();
  return `Node ${node}, ${cores} cores (${model}), ${gigabytes} GB, ${kernel}`;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
