/**
 * Pure: names that go into keys, rows and logs of every node. Checked where a user gives one and where one is read.
 */

/**
 * True for one line of 1 to 200 characters. Half of a surrogate pair is none: UTF-8 cannot write it, so other nodes
 * would read another name.
 */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 200 && !/[\p{Cc}\p{Cs}]/u.test(value);
}
