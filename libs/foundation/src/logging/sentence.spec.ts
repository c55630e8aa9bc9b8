import { describe, expect, it } from '@jest/globals';
import { sentenceOf } from './sentence.js';

describe('sentenceOf', () => {
  it('puts details where the message names them, the others after it, and the error last', () => {
    const details = { process: 'feed', node: 'n1', epoch: 7, error: 'no such file' };
    expect(sentenceOf('Process "{process}" crashed', details)).toBe(
      'Process "feed" crashed (node: n1, epoch: 7): no such file',
    );
  });

  it.each([
    ['It rains', undefined, 'It rains'],
    ['It rains', {}, 'It rains'],
    ['It rains', { where: 'here', count: 5, gone: undefined }, 'It rains (where: here, count: 5)'],
    ['It {what} in {place}', { what: 'rains' }, 'It rains in {place}'],
    ['It rains', { nodes: ['a', 'b'], at: { x: 1 } }, 'It rains (nodes: ["a","b"], at: {"x":1})'],
    ['It rains', { where: '' }, 'It rains'],
    ['Redis at h:1 is away', { endpoint: 'h:1', error: 'Redis at h:1 is away' }, 'Redis at h:1 is away'],
    ['Nodes n12 left', { node: 'n1' }, 'Nodes n12 left (node: n1)'],
  ])('%s with %j', (message, details, sentence) => {
    expect(sentenceOf(message, details)).toBe(sentence);
  });

  it('says nothing twice, keeps names on the line, and cuts what is long', () => {
    expect(sentenceOf('restart("feed")', { process: 'feed' })).toBe('restart("feed")');
    expect(sentenceOf('It left', { node: 'a\nERROR b' })).toBe('It left (node: a\\nERROR b)');
    expect(sentenceOf('It is long', { text: 'x'.repeat(5000) }).length).toBeLessThan(400);
    expect(sentenceOf('It failed', { error: 'x'.repeat(5000) }).length).toBeLessThan(1100);
  });
});
