/**
 * The module of the API of Foundation 1.x, beside `FoundationModule`.
 * Underneath: Nest's `ConfigurableModuleBuilder`.
 */
import { ConfigurableModuleBuilder, type DynamicModule, Global, Module } from '@nestjs/common';
import { givenAsyncOptions } from '../foreign/given.options.js';
import { SharedSettings } from '../settings/shared.settings.js';
import { ClusterQueries } from './cluster/cluster.queries.js';
import { ClusterValues } from './config/cluster.values.js';
import { EventFactory } from './events/event.factory.js';
import { EventPublisher } from './events/event.publisher.js';
import { EventQueries } from './events/event.queries.js';
import { ClusterServices } from './registry/cluster.services.js';
import { MetricQueries } from './telemetry/metric.queries.js';
import { Config } from './v1.config.js';
import { Events } from './v1.events.js';
import { V1_OPTIONS, type V1Options } from './v1.options.js';
import { V1Service } from './v1.service.js';
import { ServiceRegistry } from './v1.service.registry.js';
import { Telemetry } from './v1.telemetry.js';

const PARTS = [V1Service, ClusterQueries, ClusterServices, EventFactory, EventPublisher, EventQueries, MetricQueries];
const CLASSES = [Config, Events, Telemetry, ServiceRegistry];

const {
  ConfigurableModuleClass,
  OPTIONS_TYPE: _options,
  ASYNC_OPTIONS_TYPE: _asyncOptions,
} = new ConfigurableModuleBuilder<V1Options>({ moduleName: 'FoundationV1', optionsInjectionToken: V1_OPTIONS })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createV1Options')
  .build();

/**
 * Makes `Config`, `Events`, `Telemetry` and `ServiceRegistry` of Foundation 1.x injectable, in all modules. Takes
 * options by `forRoot(options)`, or by `forRootAsync` with `useFactory`, `useClass` or `useExisting`; without them by
 * itself.
 *
 * ```ts
 * @Module({ imports: [FoundationModule.forRoot({ cluster: true }), FoundationV1Module] })
 * ```
 *
 * Underneath: providers in memory, which use `Channels`, `Telemetry` and `Membership` of Foundation. A configuration
 * that 1.x refuses is a `FoundationConfigError` while the application is created.
 */
@Global()
@Module({
  providers: [
    { provide: V1_OPTIONS, useValue: {} },
    {
      provide: ClusterValues,
      inject: [SharedSettings, V1Service],
      useFactory: (settings: SharedSettings, { start }: V1Service) => ClusterValues.open(settings, start),
    },
    ...PARTS,
    ...CLASSES,
  ],
  exports: CLASSES,
})
export class FoundationV1Module extends ConfigurableModuleClass {
  static override forRootAsync(options: FoundationV1ModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(givenAsyncOptions('FoundationV1Module', options));
  }
}

/** What `FoundationV1Module.forRoot` takes. */
export type FoundationV1ModuleOptions = typeof _options;

/** What `FoundationV1Module.forRootAsync` takes. */
export type FoundationV1ModuleAsyncOptions = typeof _asyncOptions;
