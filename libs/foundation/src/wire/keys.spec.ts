import { describe, expect, it } from '@jest/globals';
import { channelOf, keysOf } from './keys.js';

const all = (appName: string, name = 'feed'): string[] =>
  Object.values(keysOf(appName)).map((key: string | ((part: string) => string)) =>
    typeof key === 'function' ? key(name) : key,
  );

/** The hash tag as Redis Cluster reads it: from the first brace to the next closing one. */
const hashTag = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];

describe('keysOf', () => {
  it('puts every key under one hash tag', () => {
    for (const key of all('shop')) expect(hashTag(key)).toBe('foundation:shop');
  });

  it('keeps the hash tag whatever a process or channel is called', () => {
    for (const name of ['{other}', '}{', 'a:b', 'é', '']) {
      for (const key of all('shop', name)) expect(hashTag(key)).toBe('foundation:shop');
    }
  });

  it('gives each purpose a key of its own', () => {
    const keys = all('shop');
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('keeps applications apart', () => {
    const other = new Set(all('shop2'));
    expect(all('shop').filter((key) => other.has(key))).toEqual([]);
  });

  it('has documented names', () => {
    const keys = keysOf('shop');
    expect(keys.tag).toBe('{foundation:shop}');
    expect(keys.lease('feed')).toBe('{foundation:shop}:lease:feed');
    expect(keys.processes).toBe('{foundation:shop}:processes');
    expect(keys.channel('events')).toBe('{foundation:shop}:channel:events');
  });
});

describe('channelOf', () => {
  const keys = keysOf('shop');

  it.each([
    [keys.channel('events'), 'events'],
    [keys.channel('a:b'), 'a:b'],
    [keys.inbox('4f70ea4f'), 'inbox'],
    [keys.mail('4f70ea4f'), 'mail'],
    [keys.letters('4f70ea4f'), 'letters'],
    [keys.hints, 'hints'],
    ['{foundation:other}:channel:events', 'other'],
  ])('calls %s %s', (topic, name) => expect(channelOf(keys, topic)).toBe(name));
});
