// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { OnModuleDestroy } from '@nestjs/common';

export class FoundationOpenTelemetry implements OnModuleDestroy {
    // Warning: (ae-forgotten-export) The symbol "Telemetry" needs to be exported by the entry point index.d.ts
    // Warning: (ae-forgotten-export) The symbol "FoundationMetrics" needs to be exported by the entry point index.d.ts
    constructor(telemetry: Telemetry, figures: FoundationMetrics);
    onModuleDestroy(): void;
}

export class FoundationOpenTelemetryModule {
}
