// ESM throughout: ts-jest only transpiles, and nothing is mocked by module (`jest.mock` does nothing in ESM).
// Names of the library map to its sources, so no suite that runs inside Jest needs a build.
const project = (displayName, testMatch, more = {}) => ({
  displayName,
  rootDir: import.meta.dirname,
  testMatch: testMatch.map((glob) => `<rootDir>/${glob}`),
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/libs/[^/]+/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: '<rootDir>/tsconfig.jest.json' }] },
  moduleNameMapper: {
    '^nestjs-foundation$': '<rootDir>/libs/foundation/src/index.ts',
    '^nestjs-foundation/cache$': '<rootDir>/libs/foundation/src/cache/index.ts',
    '^nestjs-foundation/dashboard$': '<rootDir>/libs/foundation/src/dashboard/index.ts',
    '^nestjs-foundation/health$': '<rootDir>/libs/foundation/src/terminus/index.ts',
    '^nestjs-foundation/locks$': '<rootDir>/libs/foundation/src/locks/index.ts',
    '^nestjs-foundation/microservices$': '<rootDir>/libs/foundation/src/microservices/index.ts',
    '^nestjs-foundation/opentelemetry$': '<rootDir>/libs/foundation/src/opentelemetry/index.ts',
    '^nestjs-foundation/outbox$': '<rootDir>/libs/foundation/src/outbox/index.ts',
    '^nestjs-foundation/prometheus$': '<rootDir>/libs/foundation/src/prometheus/index.ts',
    '^nestjs-foundation/socket\\.io$': '<rootDir>/libs/foundation/src/socketio/index.ts',
    '^nestjs-foundation/testing$': '<rootDir>/libs/foundation/src/testing/index.ts',
    '^nestjs-foundation/v1$': '<rootDir>/libs/foundation/src/v1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  ...more,
});

// The devkit requires the schematics, so these are CommonJS inside Jest, too. It requires a spinner as well, which is
// an ES module, for installations that no test makes.
const common = {
  extensionsToTreatAsEsm: [],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.jest.json' }] },
  moduleNameMapper: { '^ora$': '<rootDir>/schematics/support/spinner.ts' },
};

// `testTimeout` is one for all projects, so the patience that several processes need is set in a file of its own.
const patient = { setupFilesAfterEnv: ['<rootDir>/test/patience.mjs'] };

// What a user has: the built package, by its name.
const asUsers = {
  ...patient,
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};

export default {
  maxWorkers: 2,
  workerIdleMemoryLimit: '700MB',
  testTimeout: 15_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['libs/*/src/**/*.ts', '!**/*.spec.ts', '!**/index.ts'],
  projects: [
    project('floors', ['test/floors.spec.ts']),
    project('unit', ['libs/**/*.spec.ts', 'sample-app/**/*.spec.ts', 'test/unit/**/*.spec.ts']),
    project('schematics', ['schematics/**/*.spec.ts'], common),
    project('integration', ['test/integration/**/*.spec.ts'], patient),
    project('e2e', ['test/e2e/**/*.spec.ts'], patient),
    project('examples', ['examples/**/*.spec.ts'], asUsers),
  ],
};
