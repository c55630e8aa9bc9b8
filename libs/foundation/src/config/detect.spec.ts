import { describe, expect, it } from '@jest/globals';
import { detectStrategy } from './detect.js';
import type { Environment } from './environment.js';

const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
const consul = { CONSUL_HTTP_ADDR: '127.0.0.1:8500' };
const dns = { FOUNDATION_DNS_QUERY: 'app.internal' };
const gossip = { FOUNDATION_GOSSIP_SECRET: 'x'.repeat(32) };
const production = { NODE_ENV: 'production' };
const account = 'default';

describe('detectStrategy', () => {
  it.each<[string, Environment, string | undefined, boolean, string | undefined]>([
    ['a pod', pod, account, false, 'kubernetes'],
    ['a pod that knows its Redis', pod, account, true, 'kubernetes'],
    ['a pod without a service account', { ...pod, ...production }, undefined, false, undefined],
    ['a service account elsewhere', production, account, false, undefined],
    ['an empty service host', { KUBERNETES_SERVICE_HOST: '', ...production }, account, false, undefined],
    ['a pod beside everything else', { ...pod, ...consul, ...dns, ...gossip }, account, false, 'kubernetes'],
    ['consul', consul, undefined, false, 'consul'],
    ['consul in production, with Redis', { ...consul, ...production }, undefined, true, 'consul'],
    ['consul beside dns and a secret', { ...consul, ...dns, ...gossip }, undefined, false, 'consul'],
    ['dns', dns, undefined, false, 'dns'],
    ['dns beside a secret in production', { ...dns, ...gossip, ...production }, undefined, true, 'dns'],
    ['nothing', {}, undefined, false, 'mdns'],
    ['nothing, with Redis', {}, undefined, true, undefined],
    ['a test', { NODE_ENV: 'test' }, undefined, false, 'mdns'],
    ['a secret in development', gossip, undefined, false, 'mdns'],
    ['a secret in development, with Redis', gossip, undefined, true, undefined],
    ['a secret in production', { ...gossip, ...production }, undefined, false, 'gossip'],
    ['a secret in production, with Redis', { ...gossip, ...production }, undefined, true, 'gossip'],
    ['an empty secret', { FOUNDATION_GOSSIP_SECRET: '', ...production }, undefined, false, undefined],
    ['production', production, undefined, false, undefined],
    ['production, with Redis', production, undefined, true, undefined],
  ])('%s', (_what, env, podNamespace, knowsRedis, strategy) => {
    expect(detectStrategy(env, podNamespace === undefined ? {} : { podNamespace }, knowsRedis)).toBe(strategy);
  });
});
