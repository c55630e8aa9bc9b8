import { describe, expect, it } from '@jest/globals';
import { readTrace } from './tracing.js';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('readTrace', () => {
  it('takes a trace context as the specification has it', () => {
    expect(readTrace(PARENT, undefined)).toEqual({ traceparent: PARENT });
    const tracestate = 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE,fw529a3039@dt=FfSingularity';
    expect(readTrace(PARENT, tracestate)).toEqual({ traceparent: PARENT, tracestate });
  });

  it.each([
    undefined,
    null,
    7,
    {},
    [PARENT],
    '',
    'x'.repeat(55),
    `${PARENT}-more`,
    `${PARENT}\n`,
    PARENT.toUpperCase(),
    PARENT.replace(/^00/, 'ff'),
    PARENT.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    PARENT.replace('b7ad6b7169203331', '0'.repeat(16)),
    '00-'.repeat(1_000_000),
  ])('takes no other parent (%#)', (traceparent) => expect(readTrace(traceparent, 'a=b')).toBeUndefined());

  it.each([
    7,
    {},
    '',
    'a',
    'a=',
    'A=b',
    'a=b=c',
    'a=b\r\nx-evil: 1',
    'a=b,,c=d',
    'a=é',
    `a=${'x'.repeat(511)}`,
    Array.from({ length: 33 }, (_, index) => `k${index}=v`).join(','),
    'a=b,'.repeat(1_000_000),
  ])('leaves out what is no state (%#)', (tracestate) => {
    expect(readTrace(PARENT, tracestate)).toEqual({ traceparent: PARENT });
  });
});
