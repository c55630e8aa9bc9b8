/**
 * The few calls of Consul's HTTP API, with its token and its index.
 * Used by `consul.ts`. Underneath: `fetch`.
 */
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';
import { parseJson } from '../../../wire/json.js';

/** An answer with the index that the next blocking query begins from. */
export interface ConsulAnswer {
  index: number;
  body: unknown;
}

/** An instance of a service, as it is registered. */
export interface ConsulRegistration {
  ID: string;
  Name: string;
  Address?: string;
  Port?: number;
  Meta: Record<string, string>;
  Check: { CheckID: string; Name: string; TTL: string; Status: 'passing'; DeregisterCriticalServiceAfter: string };
}

const ANSWER_MS = 5000;

/** See the file header. Every call rejects with a `TopologyError`. */
export class ConsulClient {
  constructor(private readonly config: Pick<StrategyConfigs['consul'], 'address' | 'token' | 'service'>) {}

  register(registration: ConsulRegistration, signal: AbortSignal): Promise<unknown> {
    return this.#call('PUT', '/v1/agent/service/register', signal, registration);
  }

  /** False when the agent knows no such check, because it has lost what was registered. */
  async pass(checkId: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#call('PUT', `/v1/agent/check/pass/${encodeURIComponent(checkId)}`, signal);
      return true;
    } catch (error) {
      // 404 since Consul 1.10, 500 with this text before.
      if (/\(404\b|Unknown check/i.test(describe(error))) return false;
      throw error;
    }
  }

  /** Not cut short by whatever ends the strategy. */
  deregister(id: string): Promise<unknown> {
    return this.#call('PUT', `/v1/agent/service/deregister/${encodeURIComponent(id)}`, AbortSignal.timeout(ANSWER_MS));
  }

  /**
   * The instances of a service; with an index, once something has changed since, or `waitSeconds` are over.
   *
   * Consul adds up to a sixteenth to the time (https://developer.hashicorp.com/consul/api-docs/features/blocking).
   */
  instances(service: string, signal: AbortSignal, index = 0, waitSeconds = 0): Promise<ConsulAnswer> {
    const query = index > 0 ? `?index=${index}&wait=${waitSeconds}s` : '';
    const path = `/v1/health/service/${encodeURIComponent(service)}${query}`;
    return this.#call('GET', path, signal, undefined, waitSeconds * 1000 * (17 / 16) + ANSWER_MS);
  }

  async #call(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: object,
    timeoutMs = ANSWER_MS,
  ): Promise<ConsulAnswer> {
    const tool = `consul ${method} ${path.replace(/\?.*/, '')}`;
    const token = this.config.token?.reveal();
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.config.address + path, {
        method,
        headers: token === undefined ? {} : { 'x-consul-token': token },
        // The token goes to this server and to no other one.
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      const advice = 'Check that the agent runs, and CONSUL_HTTP_ADDR.';
      throw new TopologyError('consul', tool, describe(cause ?? error), advice, error);
    }
    if (!response.ok) throw this.#refusal(tool, response.status, text);
    return {
      index: Number(response.headers.get('x-consul-index') ?? 0),
      body: text === '' ? undefined : jsonOf(text, tool),
    };
  }

  #refusal(tool: string, status: number, text: string): TopologyError {
    const { service } = this.config;
    const advice =
      status === 403
        ? `Give CONSUL_HTTP_TOKEN a token with these rules: service "${service}" { policy = "write" } ` +
          `service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`
        : 'Look at the log of the agent.';
    return new TopologyError('consul', tool, `(${status} ${text.slice(0, 200).trim()})`, advice);
  }
}

function jsonOf(text: string, tool: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new TopologyError(
      'consul',
      tool,
      'the answer is no JSON',
      'Check that CONSUL_HTTP_ADDR leads to Consul.',
      error,
    );
  }
}
