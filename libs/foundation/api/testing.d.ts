// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { DynamicModule } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { Type } from '@nestjs/common';

export interface AclNeeds {
    acknowledge?: readonly ('fsync' | 'replicas')[];
    isCluster?: boolean;
}

export function aclRule(appName: string, input?: AclNeeds): string[];

export type AnyMethods = Record<string, (...args: unknown[]) => Promise<unknown>>;

export type Bundle = string | Buffer;

export function checkHistory(history: readonly HistoryEvent[], facts?: HistoryFacts): Violation[];

export class ClusterHistory {
    constructor(
    lives: NodeLife[],
    cuts?: () => HistoryFacts['cut']);
    events(): HistoryEvent[];
    facts(more?: HistoryFacts): HistoryFacts;
    injuries(): Required<OwnershipViolations>;
    readonly lives: NodeLife[];
    ownersOf(slot: string): string[];
    requireSingleOwner(slot: string): void;
    violations(more?: HistoryFacts): string[];
}

export interface ContractCluster<Node> {
    close(): Promise<void>;
    nodes: readonly Node[];
}

export interface ContractOptions {
    isAlone?: boolean;
}

export type CutKind = 'hang' | 'reset' | 'no-requests' | 'no-replies' | {
    delay: number;
};

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

export function freePort(): Promise<number>;

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
    dataLost?: readonly {
        at: number;
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
    rewound?: readonly {
        from: number;
        until?: number;
    }[];
    settledAt?: number;
    toldWithinMs?: number;
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

export interface Injuries {
    readonly frozen: {
        from: number;
        until?: number;
    }[];
    killedAt?: number;
}

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

export interface LocalApplication {
    close(): Promise<unknown>;
    init?(): Promise<unknown>;
    listen?(port: number, host: string): Promise<unknown>;
}

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
    // Warning: (ae-forgotten-export) The symbol "NodeView_2" needs to be exported by the entry point index.d.ts
    view(known?: number): Promise<NodeView_2>;
}

export class NodeError extends Error {
    // Warning: (ae-forgotten-export) The symbol "ErrorWords" needs to be exported by the entry point index.d.ts
    constructor(
    node: string, failure: ErrorWords);
    readonly code?: string;
    readonly node: string;
}

export interface NodeExit {
    at: number;
    code: number | null;
    signal: NodeJS.Signals | null;
}

export interface NodeLife {
    readonly exit: NodeExit | undefined;
    readonly history: string | undefined;
    readonly injuries: Injuries;
    readonly isEnding: boolean;
    readonly name: string;
    readonly pid: number;
}

export class NodeProcess {
    constructor(input: NodeProcessOptions);
    destroy(): Promise<void>;
    get exit(): NodeExit | undefined;
    readonly exited: Promise<NodeExit>;
    freeze(): Promise<void>;
    readonly injuries: Injuries;
    isEnding: boolean;
    kill(): Promise<number>;
    get log(): string;
    readonly name: string;
    readonly pid: number;
    send(message: object): Promise<void>;
    stop(timeoutMs?: number): Promise<NodeExit>;
    tail(characters?: number): string;
    thaw(): void;
}

export interface NodeProcessOptions {
    cwd?: string;
    entry: string;
    env?: Readonly<Record<string, string | undefined>>;
    execArgv?: readonly string[];
    execPath?: readonly [program: string, ...args: string[]];
    name: string;
    onMessage?: (message: unknown) => void;
}

export interface NodeToMake {
    index: number;
    name: string;
}

export interface NodeView {
    error?: string;
    members: {
        name: string;
        state: MemberState;
    }[];
    node: string;
    // Warning: (ae-forgotten-export) The symbol "ProcessInfo" needs to be exported by the entry point index.d.ts
    processes: ProcessInfo[];
    // Warning: (ae-forgotten-export) The symbol "NodeState" needs to be exported by the entry point index.d.ts
    //
    state: NodeState;
}

export interface OwnerOptions {
    above?: number;
    not?: TestNode | string;
    timeout?: number;
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

export type ProxyMode = 'ok' | 'blackhole' | 'norequest' | 'noreply' | 'cut' | number;

// Warning: (ae-forgotten-export) The symbol "Telemetry" needs to be exported by the entry point index.d.ts
//
export function recordHistory(telemetry: Pick<Telemetry, 'attach'>, sink: HistorySink, node: {
    name: string;
    bootId: string;
}): HistoryRecorder;

export type Reply = string | number | null | Reply[];

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

export type RoleFault = 'half-open' | 'hung' | 'refused' | 'full';

export interface SlotOwner {
    epoch: number;
    name: string;
    node: string;
}

export interface Streams {
    append(stream: string, text: string, maxLength: number): Promise<string>;
    // Warning: (ae-forgotten-export) The symbol "Once" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "KeptOnce" needs to be exported by the entry point index.d.ts
    appendOnce(stream: string, text: string, maxLength: number, once: Once): Promise<KeptOnce>;
    close(): void;
    // Warning: (ae-forgotten-export) The symbol "Safety" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "Unsafe" needs to be exported by the entry point index.d.ts
    confirm(stream: string, id: string, safety: Safety): Promise<Unsafe | undefined>;
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

export class TcpProxy {
    break(role: string, fault: RoleFault): void;
    close(): Promise<void>;
    get connections(): number;
    heal(): void;
    mend(role: string): void;
    set mode(mode: ProxyMode);
    static open(to: number | TcpProxyOptions): Promise<TcpProxy>;
    get port(): number;
    get roles(): string[];
    readonly target: {
        port: number;
        host: string;
    };
}

export interface TcpProxyOptions {
    host?: string;
    own?: number;
    port: number;
    role?: RegExp;
}

export class TestCluster implements AsyncDisposable {
    [Symbol.asyncDispose](): Promise<void>;
    assertSingleOwner(slot: ProcessTarget): Promise<void>;
    cut(node: TestNode | string, from: TestNode | 'redis' | (string & {}), kind?: CutKind): Promise<void>;
    heal(node?: TestNode | string, from?: TestNode | 'redis' | (string & {})): Promise<void>;
    history(): HistoryEvent[];
    members(names?: readonly string[], options?: {
        timeout?: number;
    }): Promise<void>;
    node(name: string): TestNode;
    get nodes(): readonly TestNode[];
    // Warning: (ae-forgotten-export) The symbol "ProcessTarget" needs to be exported by the entry point index.d.ts
    owner(slot: ProcessTarget, options?: OwnerOptions): Promise<TestNode>;
    ownership(slot: ProcessTarget, options?: OwnerOptions): Promise<SlotOwner>;
    ownersOf(slot: ProcessTarget): string[];
    partition<T = AnyMethods>(target: ProcessTarget<T>, key: string): Remote<T>;
    get redis(): TestRedis;
    // Warning: (ae-forgotten-export) The symbol "Remote" needs to be exported by the entry point index.d.ts
    singleton<T = AnyMethods>(target: ProcessTarget<T>): Remote<T>;
    static start(options?: TestClusterOptions): Promise<TestCluster>;
    startNode(name?: string): Promise<TestNode>;
    stop(): Promise<void>;
    violations(more?: HistoryFacts): string[];
}

export interface TestClusterOptions {
    cwd?: string;
    entry?: string;
    env?: Readonly<Record<string, string>> | ((node: NodeToMake) => Readonly<Record<string, string>>);
    execArgv?: readonly string[];
    inProcess?: (node: NodeToMake) => LocalApplication | Promise<LocalApplication>;
    nodes?: number | readonly string[];
    options?: FoundationOptions;
    redis?: string;
    timeout?: number;
}

export class TestNode {
    get app(): unknown;
    get bootId(): string;
    cut(kind?: CutKind): Promise<void>;
    get exited(): Promise<NodeExit>;
    freeze(): Promise<void>;
    get<T = AnyMethods>(provider: Type<T> | string): Remote<T>;
    heal(): Promise<void>;
    get isCut(): boolean;
    get isFrozen(): boolean;
    get isRunning(): boolean;
    kill(): Promise<void>;
    get log(): string;
    readonly name: string;
    partition<T = AnyMethods>(target: ProcessTarget<T>, key: string): Remote<T>;
    get pid(): number;
    get port(): number;
    singleton<T = AnyMethods>(target: ProcessTarget<T>): Remote<T>;
    stop(): Promise<NodeExit>;
    thaw(): void;
    get url(): string;
    view(): Promise<NodeView>;
}

export class TestProcesses {
    crash(target: ProcessTarget, error?: Error): Promise<void>;
    instance<T extends object>(target: ProcessTarget<T>): Promise<T>;
    loseLease(target: ProcessTarget): Promise<void>;
}

export class TestRedis implements AsyncDisposable {
    [Symbol.asyncDispose](): Promise<void>;
    cli(...words: string[]): Promise<string>;
    command(...words: string[]): Promise<Reply>;
    readonly folder: string;
    freeze(): void;
    readonly isEmbedded: boolean;
    kill(signal?: NodeJS.Signals): Promise<void>;
    get pid(): number;
    get port(): number;
    restart(options?: {
        delayMs?: number;
    }): Promise<void>;
    static start(options?: TestRedisOptions): Promise<TestRedis>;
    stop(): Promise<void>;
    thaw(): void;
    get url(): string;
}

export interface TestRedisOptions {
    args?: readonly string[];
    config?: string;
    cwd?: string;
    password?: string;
    port?: number;
    server?: string;
}

export interface TestRunner {
    describe: (name: string, body: () => void) => void;
    it: (name: string, test: () => Promise<void>) => void;
}

export interface Transport {
    flush?(): Promise<void>;
    onInterrupted(listener: (bootId?: string, topic?: string) => void): () => void;
    readonly packs?: boolean;
    pass?(topic: string, bundle: Bundle, lane?: Lane): Passed | Promise<Passed>;
    // Warning: (ae-forgotten-export) The symbol "Passed" needs to be exported by the entry point index.d.ts
    publish(topic: string, bundle: Bundle, lane?: Lane): Promise<Passed>;
    subscribe(topic: string, listener: (bundle: Bundle) => void): Promise<() => Promise<void>>;
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

// Warnings were encountered during analysis:
//
// dist/testing/cluster/node.agent.d.ts:11:9 - (ae-forgotten-export) The symbol "MemberState" needs to be exported by the entry point index.d.ts
