// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { HealthIndicatorResult } from '@nestjs/terminus';
import { HealthIndicatorService } from '@nestjs/terminus';

export class FoundationHealthIndicator {
    // Warning: (ae-forgotten-export) The symbol "HealthMonitor" needs to be exported by the entry point index.d.ts
    constructor(monitor: HealthMonitor, indicators: HealthIndicatorService);
    check<Key extends string = 'foundation'>(key?: Key): Promise<HealthIndicatorResult<Key>>;
}
