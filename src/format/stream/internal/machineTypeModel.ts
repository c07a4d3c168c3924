/**
 * A version of QEMU, without its patch level.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Version {
  readonly major: number
  readonly minor: number
}
