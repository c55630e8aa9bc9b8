// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import type { CanActivate } from '@nestjs/common';
import { DynamicModule } from '@nestjs/common';
import type { FactoryProvider } from '@nestjs/common';
import type { InjectionToken } from '@nestjs/common';
import type { ModuleMetadata } from '@nestjs/common';
import type { Type } from '@nestjs/common';

export interface DashboardSpan {
    attributes?: Readonly<Record<string, string | number>>;
    end?: number;
    error?: string;
    id: string;
    kind?: string;
    name: string;
    node: string;
    parent?: string;
    start: number;
}

export type DashboardTokens = Pick<FoundationDashboardOptions, 'token' | 'readOnlyToken'>;

export interface DashboardTrace {
    complete: boolean;
    id: string;
    nodes: readonly string[];
    reasons?: readonly string[];
    spans: readonly DashboardSpan[];
    startedAt: number;
}

export interface DashboardTraceLine {
    complete?: boolean;
    id: string;
    spans?: number;
    startedAt: number;
}

export interface DashboardTraces {
    get(id: string): DashboardTrace | undefined | Promise<DashboardTrace | undefined>;
    list(): readonly DashboardTraceLine[] | Promise<readonly DashboardTraceLine[]>;
}

export interface FoundationDashboardAsyncOptions extends Omit<FoundationDashboardOptions, keyof DashboardTokens | 'guard' | 'operatorGuard'> {
    imports?: ModuleMetadata['imports'];
    inject?: FactoryProvider['inject'];
    useFactory: FactoryProvider<string | DashboardTokens>['useFactory'];
}

export class FoundationDashboardModule {
    static forRoot(options: FoundationDashboardOptions): DynamicModule;
    static forRootAsync(options: FoundationDashboardAsyncOptions): DynamicModule;
}

export interface FoundationDashboardOptions {
    calls?: boolean;
    decorators?: ClassDecorator[];
    guard?: Type<CanActivate>;
    operatorGuard?: Type<CanActivate>;
    path?: string;
    readOnlyToken?: string;
    token?: string;
    traces?: InjectionToken<DashboardTraces>;
}
