/**
 * The numbers of multifd packets: one counter for all channels of a migration.
 *
 * @since 0.1.0
 */

/**
 * Returns 0, 1, 2, … without gaps, over all channels that share it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PacketNumbers {
  /** The number of the next packet, below 2^53. */
  readonly next: () => number
}

/**
 * Makes numbers that begin at 0.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): PacketNumbers => {
  let next = 0
  return { next: () => next++ }
}
