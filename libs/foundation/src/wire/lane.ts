/**
 * The three lanes of messages.
 * Used by everything that sends or receives them, from the frames of a link to the channels.
 */

/** Which goes first where texts have to wait for one another. */
export type Lane = 'high' | 'normal' | 'low';
