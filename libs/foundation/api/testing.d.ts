// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { DynamicModule } from '@nestjs/common';
import type { Type } from '@nestjs/common';

export function aclRule(appName: string, input?: {
    isCluster?: boolean | undefined;
}): string[];

export type Bundle = string | Buffer;

export function checkHistory(history: readonly HistoryEvent[], facts?: HistoryFacts): Violation[];

export interface ContractCluster<Node> {
    close(): Promise<void>;
    nodes: readonly Node[];
}

export interface ContractOptions {
    isAlone?: boolean;
}

export function describeViolations(violations: readonly Violation[], history: readonly HistoryEvent[]): string[];

export type DirectoryCluster = ContractCluster<DirectoryNode>;

export function directoryContract(name: string, makeCluster: (size: number) => Promise<DirectoryCluster>, runner: TestRunner, options?: ContractOptions): void;

export interface DirectoryNode {
    readonly bootId: string;
    readonly directory: NodeDirectory;
    readonly name: string;
}

export function eventually<T>(look: () => T | Promise<T>, options?: EventuallyOptions & {
    lastSeen?: () => unknown;
}): Promise<Exclude<T, undefined | null | false>>;

export interface EventuallyOptions {
    every?: number;
    timeout?: number;
    what?: string;
}

// Warning: (ae-forgotten-export) The symbol "CronRun" needs to be exported by the entry point index.d.ts
//
export interface FakeCronRun extends CronRun {
    abort(): void;
}

export function fakeCronRun(options?: Partial<Pick<CronRun, 'name' | 'scheduledAt' | 'cause' | 'epoch'>>): FakeCronRun;

// Warning: (ae-forgotten-export) The symbol "ProcessContext" needs to be exported by the entry point index.d.ts
//
export interface FakeProcessContext extends ProcessContext {
    readonly ended: FakeProcessEnd | undefined;
    loseLease(): Promise<void>;
    stop(): Promise<void>;
}

export function fakeProcessContext(options?: FakeProcessContextOptions): FakeProcessContext;

export interface FakeProcessContextOptions {
    args?: readonly unknown[];
    epoch?: number;
    handoff?: unknown;
    index?: number;
    name?: string;
    node?: string;
}

export interface FakeProcessEnd {
    error?: unknown;
    reason: 'crash' | 'complete';
}

export class FoundationTestingModule {
    static forRoot(options?: FoundationTestingOptions): DynamicModule;
}

// Warning: (ae-forgotten-export) The symbol "FoundationOptions" needs to be exported by the entry point index.d.ts
//
export interface FoundationTestingOptions extends Omit<FoundationOptions, 'cluster'> {
    // Warning: (ae-forgotten-export) The symbol "Duration" needs to be exported by the entry point index.d.ts
    patience?: Duration;
    startsAt?: Date | number | string;
}

export interface HistoryEvent {
    at: number;
    bootId: string;
    event: string;
    node: string;
    payload: Readonly<Record<string, unknown>>;
    pid: number;
}

export interface HistoryFacts extends OwnershipViolations {
    callSlackMs?: number;
    cut?: readonly {
        node: string;
        from: number;
        until?: number;
    }[];
    exits?: readonly {
        node: string;
        pid: number;
        at: number;
        how: string;
        injected: boolean;
    }[];
    fenceGapMs?: number;
    leaseTtlMs?: number;
    limits?: Readonly<Record<string, {
        maxRestarts: number;
        maxSeconds: number;
    }>>;
    // Warning: (ae-forgotten-export) The symbol "RestartPolicyName" needs to be exported by the entry point index.d.ts
    policies?: Readonly<Record<string, RestartPolicyName>>;
    redisFrozen?: readonly {
        from: number;
        until?: number;
    }[];
    settledAt?: number;
    wanted?: readonly {
        name: string;
        at: number;
        withinMs: number;
        because: string;
    }[];
}

export function historyFile(path: string): HistorySink & {
    close(): void;
};

export function historyNow(): number;

export interface HistoryRecorder {
    record(event: string, payload: Readonly<Record<string, unknown>>): void;
    stop(): void;
}

export type HistorySink = (line: string) => void;

export type Lane = 'high' | 'normal' | 'low';

export interface LeaseCluster extends ContractCluster<LeaseNode> {
    takeAway?: (name: string) => Promise<void>;
}

export interface LeaseNode {
    readonly bootId: string;
    readonly leases: Leases;
    readonly name: string;
    // Warning: (ae-forgotten-export) The symbol "Hint" needs to be exported by the entry point index.d.ts
    onHint(listener: (hint: Hint) => void): () => void;
}

export interface Leases {
    // Warning: (ae-forgotten-export) The symbol "Lease" needs to be exported by the entry point index.d.ts
    acquire(name: string, above?: number): Promise<Lease | undefined>;
    close(): void;
    fencedDelete(key: string, epoch: number): Promise<void>;
    fencedSet(key: string, value: string, epoch: number, life?: number): Promise<void>;
    forget(names: readonly string[]): Promise<void>;
    grace(): Promise<number>;
    held(): number;
    lastEpoch(name: string): Promise<number>;
    loseAll(): void;
    // Warning: (ae-forgotten-export) The symbol "OwnerRecord" needs to be exported by the entry point index.d.ts
    owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]>;
    // Warning: (ae-forgotten-export) The symbol "Standing" needs to be exported by the entry point index.d.ts
    standing(names: readonly string[]): Promise<Standing[]>;
}

export function leasesContract(name: string, makeCluster: (size: number) => Promise<LeaseCluster>, runner: TestRunner, options?: ContractOptions): void;

export class ManualClock {
    advance(by: Duration): Promise<void>;
    advanceTo(time: Date | number | string): Promise<void>;
    get now(): Date;
    settle(): Promise<void>;
}

// Warning: (ae-forgotten-export) The symbol "FoundationError" needs to be exported by the entry point index.d.ts
//
export class ManualClockError extends FoundationError {
    constructor(why: string);
}

export interface NodeDirectory {
    // Warning: (ae-forgotten-export) The symbol "BeatAnswer" needs to be exported by the entry point index.d.ts
    beat(name: string, bootId: string, update?: {
        record: NodeRecord;
        changed: boolean;
    }): Promise<BeatAnswer>;
    // Warning: (ae-forgotten-export) The symbol "NodeRecord" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "JoinAnswer" needs to be exported by the entry point index.d.ts
    //
    join(record: NodeRecord): Promise<JoinAnswer>;
    leave(name: string, bootId: string, reason?: 'shutdown' | 'terminated'): Promise<void>;
    // Warning: (ae-forgotten-export) The symbol "DirectorySnapshot" needs to be exported by the entry point index.d.ts
    look(): Promise<DirectorySnapshot>;
    // Warning: (ae-forgotten-export) The symbol "LeaveReason" needs to be exported by the entry point index.d.ts
    reasons(bootIds: readonly string[]): Promise<LeaveReason[]>;
    // Warning: (ae-forgotten-export) The symbol "NodeView" needs to be exported by the entry point index.d.ts
    //
    view(): Promise<NodeView>;
}

export interface Ownership {
    acquired: HistoryEvent;
    bootId: string;
    end?: HistoryEvent;
    epochs: {
        epoch: number;
        from: number;
    }[];
    name: string;
    node: string;
    pid: number;
    // Warning: (ae-forgotten-export) The symbol "Span" needs to be exported by the entry point index.d.ts
    spans: Span[];
    to: number;
}

export function ownershipsOf(events: readonly HistoryEvent[], injuries: OwnershipViolations): Ownership[];

export interface OwnershipViolations {
    frozen?: readonly {
        pid: number;
        from: number;
        until?: number;
    }[];
    killed?: readonly {
        pid: number;
        at: number;
    }[];
}

export function parseHistory(text: string): HistoryEvent[];

// Warning: (ae-forgotten-export) The symbol "Telemetry" needs to be exported by the entry point index.d.ts
//
export function recordHistory(telemetry: Pick<Telemetry, 'attach'>, sink: HistorySink, node: {
    name: string;
    bootId: string;
}): HistoryRecorder;

export interface Restarts {
    close(): Promise<void>;
    crashed(name: string, epoch: number, windowMs: number): Promise<number>;
    ensureSweep(): Promise<void>;
    forget(...names: string[]): Promise<void>;
    // Warning: (ae-forgotten-export) The symbol "RestartHandlers" needs to be exported by the entry point index.d.ts
    open(handlers: RestartHandlers): Promise<void>;
    schedule(name: string, epoch: number, delayMs: number): Promise<void>;
}

export interface RestartsCluster extends ContractCluster<Restarts> {
    sweeps?: boolean;
}

export function restartsContract(name: string, makeCluster: (size: number) => Promise<RestartsCluster>, runner: TestRunner, options?: ContractOptions): void;

export interface Streams {
    append(stream: string, text: string, maxLength: number): Promise<string>;
    close(): void;
    // Warning: (ae-forgotten-export) The symbol "ConsumerOptions" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "ConsumerListener" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "Consumer" needs to be exported by the entry point index.d.ts
    consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer>;
    readonly isTied: boolean;
    // Warning: (ae-forgotten-export) The symbol "StreamEntry" needs to be exported by the entry point index.d.ts
    range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]>;
}

export interface StreamsCluster extends ContractCluster<Streams> {
    countsLost?: boolean;
}

export function streamsContract(name: string, makeCluster: (size: number) => Promise<StreamsCluster>, runner: TestRunner, options?: ContractOptions): void;

export interface Table {
    // Warning: (ae-forgotten-export) The symbol "TableWrite" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "TableWritten" needs to be exported by the entry point index.d.ts
    put(writes: readonly TableWrite[]): Promise<TableWritten>;
    // Warning: (ae-forgotten-export) The symbol "RowSeen" needs to be exported by the entry point index.d.ts
    remove(rows: readonly RowSeen[]): Promise<string[]>;
    // Warning: (ae-forgotten-export) The symbol "TableRow" needs to be exported by the entry point index.d.ts
    restore(rows: readonly TableRow[], known: number): Promise<string>;
    // Warning: (ae-forgotten-export) The symbol "TablePage" needs to be exported by the entry point index.d.ts
    since(version: number): Promise<TablePage>;
}

export interface TableCluster extends ContractCluster<Table> {
    lose: () => Promise<void>;
    onHint: (listener: (version: number | undefined) => void) => () => void;
}

// Warning: (ae-forgotten-export) The symbol "MarkLimits" needs to be exported by the entry point index.d.ts
//
export function tableContract(name: string, makeCluster: (size: number, limits?: MarkLimits) => Promise<TableCluster>, runner: TestRunner, options?: ContractOptions): void;

export class TestProcesses {
    crash(target: ProcessTarget, error?: Error): Promise<void>;
    // Warning: (ae-forgotten-export) The symbol "ProcessTarget" needs to be exported by the entry point index.d.ts
    instance<T extends object>(target: ProcessTarget<T>): Promise<T>;
    loseLease(target: ProcessTarget): Promise<void>;
}

export interface TestRunner {
    describe: (name: string, body: () => void) => void;
    it: (name: string, test: () => Promise<void>) => void;
}

export interface Transport<B extends Bundle = Bundle> {
    flush?(): Promise<void>;
    onInterrupted(listener: (bootId?: string) => void): () => void;
    readonly packs?: boolean;
    pass?(topic: string, bundle: B, lane?: Lane): Passed | Promise<Passed>;
    // Warning: (ae-forgotten-export) The symbol "Passed" needs to be exported by the entry point index.d.ts
    publish(topic: string, bundle: B, lane?: Lane): Promise<Passed>;
    subscribe(topic: string, listener: (bundle: B) => void): Promise<() => Promise<void>>;
}

export interface TransportCluster {
    close(): Promise<void>;
    disturb?(): Promise<void>;
    hearsItself: boolean;
    nodes: readonly Transport[];
}

export function transportContract(name: string, makeCluster: (size: number) => Promise<TransportCluster>, input: TestRunner, input2?: {
    isAlone?: boolean;
}): void;

export interface Violation {
    events: readonly HistoryEvent[];
    invariant: string;
    sentence: string;
}
