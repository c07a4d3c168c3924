/**
 * A RAM block of a QEMU.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RamBlock {
  readonly idstr: string
  /** Bytes that it has now. */
  readonly usedLength: number
  /** Bytes that it can have at most: tables of the firmware can grow, and take the length that they have in an image. */
  readonly maxLength: number
}
