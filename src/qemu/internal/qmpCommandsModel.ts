/**
 * A RAM block of a QEMU.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RamBlock {
  readonly idstr: string
  /** Current length in bytes. */
  readonly usedLength: number
  /** Maximum length in bytes: firmware tables can grow, and take the length that they have in an image. */
  readonly maxLength: number
  /** Size of the host pages that it is mapped with, in bytes. Default 4096. */
  readonly hostPageSize?: number | undefined
}
