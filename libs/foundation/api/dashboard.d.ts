// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import type { CanActivate } from '@nestjs/common';
import { DynamicModule } from '@nestjs/common';
import type { Type } from '@nestjs/common';

export class FoundationDashboardModule {
    static forRoot(options: FoundationDashboardOptions): DynamicModule;
}

export interface FoundationDashboardOptions {
    decorators?: ClassDecorator[];
    guard?: Type<CanActivate>;
    path?: string;
    token?: string;
}
