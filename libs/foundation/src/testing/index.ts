/**
 * The entry `nestjs-foundation/testing`: what tests of Foundation, and of applications on it, need.
 */
export { eventually, type EventuallyOptions } from './eventually.js';
