// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { HttpAdapterHost } from '@nestjs/core';
import { OnModuleDestroy } from '@nestjs/common';
import { Registry } from 'prom-client';

export class FoundationPrometheus implements OnModuleDestroy {
    // Warning: (ae-forgotten-export) The symbol "FoundationMetrics" needs to be exported by the entry point index.d.ts
    constructor(metrics: FoundationMetrics);
    metrics(): Promise<string>;
    onModuleDestroy(): void;
    readonly registry: Registry<"text/plain; version=0.0.4; charset=utf-8">;
}

export class FoundationPrometheusController {
    constructor(prometheus: FoundationPrometheus, host: HttpAdapterHost);
    metrics(response: unknown): Promise<void>;
}

export class FoundationPrometheusModule {
}
