import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier';
import importSort from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';
import gate from './eslint.gate.js';

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/coverage/**',
      '**/node_modules/**',
      'libs/*/api/**',
      'site/.vitepress/{.temp,cache}/**',
      // As it is published by others.
      'libs/foundation/src/dashboard/page/uplot.js',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    plugins: { imports: importSort },
    rules: {
      // What only has an effect, of Node.js, packages, ours: by name within each, without blank lines between.
      'imports/imports': ['error', { groups: [['^\\u0000', '^node:', '^@?\\w', '^', '^\\.\\.', '^\\.']] }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    // One program for all files: test/tsconfig.json knows the child-process applications only.
    languageOptions: { parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      // Never on: its fix turns the import of an injected class into a type, and Nest then injects `Object`.
      '@typescript-eslint/consistent-type-imports': 'off',
      // A method is often async because its contract says so, and answers at once.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    // A spec is a list of cases, which is no shorter in two files. Another file that is long for a reason says it:
    // `/* eslint-disable max-lines -- one table of … */`.
    ignores: ['**/*.spec.ts'],
    rules: { 'max-lines': ['error', 300] },
  },
  {
    files: ['libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    // The command line and the helpers of tests call nothing of the user's, and end when they fail.
    files: ['libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', 'libs/*/src/cli/**', 'libs/*/src/testing/**'],
    plugins: { gate },
    rules: {
      'gate/attended': 'error',
      'gate/through-the-gate': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "BinaryExpression[operator='instanceof'][right.name='Error']",
          message: 'It throws for a revoked proxy: use isError() of errors/describe.ts.',
        },
        {
          selector: 'MemberExpression[property.name=/^(message|stack)$/] > TSAsExpression.object',
          message: 'What was thrown may be anything: use describe() or errorWords() of errors/describe.ts.',
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: '@nestjs/common',
              importNames: ['Logger'],
              message: 'Use Log of logging/log.ts: loggers of users may throw.',
            },
          ],
        },
      ],
    },
  },
  {
    // Matchers are typed `any`, and handing a method to `expect` does not call it.
    files: ['**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'performance', 'URL', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'].map(
          (name) => [name, 'readonly'],
        ),
      ),
    },
  },
  {
    files: ['libs/foundation/src/dashboard/page/*.js', 'sample-app/demo/page/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        'addEventListener document location localStorage fetch performance EventSource AbortSignal Intl Option requestAnimationFrame getComputedStyle matchMedia URLSearchParams setTimeout clearTimeout setInterval'
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  prettier,
  {
    rules: {
      // Code is left to Prettier, which has no say about comments.
      'max-len': ['error', { code: 10_000, comments: 120, ignoreUrls: true, ignorePattern: 'eslint-' }],
    },
  },
);
