/**
 * The configuration of 1.x: its type, its defaults, and which of its paths may change while the application runs.
 * The names are those of 1.x, because they are data: paths that are stored, sent, or written by operators.
 */

/** `Foundation.Types.Config`. Times are milliseconds unless the name says seconds. */
export interface V1Config {
  readonly ai: {
    readonly provider: 'mock' | 'openai' | 'anthropic' | 'gemini';
    readonly api_key: string | null;
    readonly model: string;
    readonly analysis: { readonly max_file_size: number; readonly timeout: number; readonly cache_ttl: number };
    readonly planning: {
      readonly default_strategy: 'fast' | 'balanced' | 'thorough';
      readonly performance_target: number;
      /** 0 to 1. */
      readonly sampling_rate: number;
    };
  };
  readonly capture: {
    readonly ring_buffer: {
      readonly size: number;
      readonly max_events: number;
      readonly overflow_strategy: 'drop_oldest' | 'drop_newest' | 'block';
      readonly num_buffers: 'schedulers' | number;
    };
    readonly processing: {
      readonly batch_size: number;
      readonly flush_interval: number;
      readonly max_queue_size: number;
    };
    readonly vm_tracing: {
      readonly enable_spawn_trace: boolean;
      readonly enable_exit_trace: boolean;
      readonly enable_message_trace: boolean;
      readonly trace_children: boolean;
    };
  };
  readonly storage: {
    /** Of the events that `Events` keeps. */
    readonly hot: { readonly max_events: number; readonly max_age_seconds: number; readonly prune_interval: number };
    readonly warm: {
      readonly enable: boolean;
      readonly path: string;
      readonly max_size_mb: number;
      readonly compression: 'none' | 'gzip' | 'zstd';
    };
    /** 1.x never had it: anything but `false` is refused. */
    readonly cold: { readonly enable: boolean };
  };
  readonly interface: {
    readonly query_timeout: number;
    readonly max_results: number;
    readonly enable_streaming: boolean;
  };
  readonly dev: {
    readonly debug_mode: boolean;
    readonly verbose_logging: boolean;
    readonly performance_monitoring: boolean;
  };
  readonly infrastructure: {
    readonly rate_limiting: {
      readonly default_rules: Readonly<Record<string, { readonly scale: number; readonly limit: number }>>;
      readonly enabled: boolean;
      readonly cleanup_interval: number;
    };
    readonly circuit_breaker: {
      readonly default_config: {
        readonly failure_threshold: number;
        readonly recovery_time: number;
        readonly call_timeout: number;
      };
      readonly enabled: boolean;
    };
    readonly connection_pool: {
      readonly default_config: {
        readonly size: number;
        readonly max_overflow: number;
        readonly strategy: 'lifo' | 'fifo';
      };
      readonly enabled: boolean;
    };
  };
}

export const DEFAULTS: V1Config = {
  ai: {
    provider: 'mock',
    api_key: null,
    model: 'gpt-4',
    analysis: { max_file_size: 1_000_000, timeout: 30_000, cache_ttl: 3600 },
    planning: { default_strategy: 'balanced', performance_target: 0.01, sampling_rate: 1 },
  },
  capture: {
    ring_buffer: { size: 1024, max_events: 1000, overflow_strategy: 'drop_oldest', num_buffers: 'schedulers' },
    processing: { batch_size: 100, flush_interval: 50, max_queue_size: 1000 },
    vm_tracing: {
      enable_spawn_trace: true,
      enable_exit_trace: true,
      enable_message_trace: false,
      trace_children: true,
    },
  },
  storage: {
    hot: { max_events: 100_000, max_age_seconds: 3600, prune_interval: 60_000 },
    warm: { enable: false, path: './foundation_data', max_size_mb: 100, compression: 'zstd' },
    cold: { enable: false },
  },
  interface: { query_timeout: 10_000, max_results: 1000, enable_streaming: true },
  dev: { debug_mode: false, verbose_logging: false, performance_monitoring: true },
  infrastructure: {
    rate_limiting: {
      default_rules: {
        api_calls: { scale: 60_000, limit: 100 },
        db_queries: { scale: 60_000, limit: 500 },
        file_operations: { scale: 1000, limit: 10 },
      },
      enabled: true,
      cleanup_interval: 300_000,
    },
    circuit_breaker: {
      default_config: { failure_threshold: 5, recovery_time: 30_000, call_timeout: 5000 },
      enabled: true,
    },
    connection_pool: { default_config: { size: 10, max_overflow: 5, strategy: 'lifo' }, enabled: true },
  },
};

/** What `update` may change. */
export const UPDATABLE: readonly (readonly string[])[] = [
  'ai.planning.sampling_rate',
  'ai.planning.performance_target',
  'capture.processing.batch_size',
  'capture.processing.flush_interval',
  'interface.query_timeout',
  'interface.max_results',
  'dev.debug_mode',
  'dev.verbose_logging',
  'dev.performance_monitoring',
  'infrastructure.rate_limiting.enabled',
  'infrastructure.circuit_breaker.enabled',
  'infrastructure.connection_pool.enabled',
  'infrastructure.rate_limiting.cleanup_interval',
].map((path) => Object.freeze(path.split('.')));

/** What `safeUpdate` refuses before anything else. */
export const FORBIDDEN: readonly (readonly string[])[] = [
  ['ai', 'api_key'],
  ['storage', 'encryption_key'],
  ['security'],
  ['system', 'node_name'],
];

export function isAmong(paths: readonly (readonly string[])[], path: readonly string[]): boolean {
  return paths.some((each) => each.length === path.length && each.every((name, at) => name === path[at]));
}
