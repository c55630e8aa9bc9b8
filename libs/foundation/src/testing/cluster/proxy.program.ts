/**
 * The proxies of a test cluster, in a process of their own: a test that is busy delays no node on its way to Redis.
 * Started by `proxies.ts` and asked over IPC.
 */
import { type ProxyMode, type RoleFault, TcpProxy, type TcpProxyOptions } from './tcp.proxy.js';

/** What a test asks: a verb with its arguments. */
export interface ProxyQuestion {
  id: number;
  verb: keyof typeof verbs;
  args: unknown[];
}

/** What comes back. */
export interface ProxyAnswer {
  id: number;
  value?: unknown;
  error?: string;
}

const proxies: TcpProxy[] = [];
const verbs = {
  open: async (options: Omit<TcpProxyOptions, 'role'>, role: string | undefined) => {
    const proxy = await TcpProxy.open({ ...options, ...(role === undefined ? {} : { role: new RegExp(role) }) });
    return { index: proxies.push(proxy) - 1, port: proxy.port };
  },
  mode: (index: number, mode: ProxyMode) => void (proxies[index]!.mode = mode),
  break: (index: number, role: string, fault: RoleFault) => proxies[index]!.break(role, fault),
  mend: (index: number, role: string) => proxies[index]!.mend(role),
};

process.once('disconnect', () => process.exit());
process.on('message', ({ id, verb, args }: ProxyQuestion) => {
  const work = verbs[verb] as (...args: unknown[]) => unknown;
  const send = (answer: ProxyAnswer): void => void (process.connected && process.send?.(answer));
  void Promise.resolve()
    .then(() => work(...args))
    .then(
      (value) => send({ id, value }),
      (error: unknown) => send({ id, error: String(error) }),
    );
});
