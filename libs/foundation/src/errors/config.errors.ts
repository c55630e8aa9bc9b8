/** What was given is wrong or missing: options, packages, arguments of calls. */
import { FoundationError } from './foundation.error.js';

/** An option, an environment variable or a combination of them is wrong; thrown while the module is created. */
export class FoundationConfigError extends FoundationError {
  constructor(
    /** The path of the option (`lease.ttl`) or the name of the environment variable. */
    readonly option: string,
    /** What was received, as text; never the value of a secret. */
    readonly received: string,
    readonly expected: string,
  ) {
    super(
      'FOUNDATION_CONFIG',
      'foundation',
      `Option "${option}" is not valid: received ${received}, expected ${expected}. Foundation did not start. ` +
        `Correct the option and start again.`,
    );
  }
}

/** A decorator stands where it can have no effect; thrown where it stands, or while the application starts. */
export class DeclarationError extends FoundationError {
  constructor(
    readonly subject: string,
    problem: string,
    advice: string,
  ) {
    super(
      'FOUNDATION_DECLARATION',
      'foundation',
      `${subject} has no effect: ${problem}. Foundation did not start. ${advice}`,
    );
  }
}

/** A package that the configuration needs is not installed. */
export class MissingPackageError extends FoundationError {
  constructor(
    readonly packages: string,
    readonly neededBy: string,
    cause: unknown,
  ) {
    super(
      'FOUNDATION_MISSING_PACKAGE',
      packages,
      `${neededBy} needs a package that is not installed (${packages}). Foundation did not start. ` +
        `Run: npm install ${packages}`,
      cause,
    );
  }
}

/** A package is installed in a version that does not work here. */
export class PackageVersionError extends FoundationError {
  constructor(
    /** The package with its version: `@kubernetes/client-node 2.0.1`. */
    readonly packages: string,
    readonly neededBy: string,
    /** What it needs, and what is there. */
    needs: string,
    /** What to install instead. */
    suitable: string,
  ) {
    super(
      'FOUNDATION_PACKAGE_VERSION',
      packages,
      `${neededBy} found ${packages}, which needs ${needs}. Foundation did not load it. ` +
        `Run: npm install ${suitable}, or take another Node.js.`,
    );
  }
}

/** An argument of a call is invalid. */
export class ArgumentError extends FoundationError {
  constructor(
    call: string,
    readonly argument: string,
    received: string,
    expected: string,
    cause?: unknown,
  ) {
    super(
      'FOUNDATION_ARGUMENT',
      'foundation',
      `${call}: invalid argument "${argument}": received ${received}, expected ${expected}. Nothing was done.`,
      cause,
    );
  }
}
