// Starting, killing and joining real processes takes longer than a unit test may.
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
