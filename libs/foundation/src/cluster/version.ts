/** The version of Foundation that a node reports; the same as in package.json, which a test compares. */
export const VERSION = '0.1.0';
