// What the pages of docs/migration take from packages that are not installed here, copied from their declarations:
// murlock 4.4, @anchan828/nest-redlock 0.4, moleculer 0.15 and @socket.io/redis-adapter 8.3. Only what the pages use.
declare module 'murlock' {
  export function MurLock(releaseTime: number, ...keyParams: string[]): MethodDecorator;
  export class MurLockModule {
    static forRoot(options: {
      redisOptions: { url: string };
      wait: number;
      maxAttempts: number;
      logLevel: 'none' | 'error' | 'warn' | 'log' | 'debug';
    }): import('@nestjs/common').DynamicModule;
  }
}

declare module '@anchan828/nest-redlock' {
  export function Redlock(key: string | string[], duration?: number): MethodDecorator;
}

declare module 'moleculer' {
  export interface Context<P = unknown> {
    params: P;
    meta: Record<string, unknown>;
    nodeID: string | null;
    call<T>(action: string, params?: object): Promise<T>;
  }
  export class ServiceBroker {
    constructor(options: { nodeID?: string; namespace?: string; transporter?: string; requestTimeout?: number });
    createService(schema: {
      name: string;
      actions?: Record<string, unknown>;
      events?: Record<string, unknown>;
    }): unknown;
    start(): Promise<void>;
    call<T>(action: string, params?: object, options?: { timeout?: number; meta?: object }): Promise<T>;
    emit(event: string, payload?: unknown): Promise<void>;
    broadcast(event: string, payload?: unknown): Promise<void>;
  }
}

declare module '@socket.io/redis-adapter' {
  export function createAdapter(pubClient: object, subClient: object): (nsp: unknown) => object;
}
