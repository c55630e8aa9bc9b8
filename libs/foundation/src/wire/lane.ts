/**
 * The three lanes of messages.
 */

/** Which goes first where texts have to wait for one another. */
export type Lane = 'high' | 'normal' | 'low';
