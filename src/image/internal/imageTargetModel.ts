import type * as Integrity from "../Integrity.ts"

/**
 * Options of writing an image.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The checksums in the image, which QEMU ignores; `false`: none. Default: CRC-32, extents of 1 MiB. */
  readonly seal?: Integrity.SealOptions | false | undefined
  /**
   * Keeps the written data under its temporary name if the operation fails, is interrupted or is killed; a target that
   * is written in place is not kept. `Recover` makes an image of it. Needs checksums. Default `false`.
   */
  readonly keepPartial?: boolean | undefined
  /**
   * Bytes of pages between two checkpoints with `keepPartial`: however the process ends, by SIGKILL or a power cut,
   * `Recover` finds the pages written before the last one. Default 256 MiB, or a 64th of RAM if that is more.
   */
  readonly checkpointBytes?: number | undefined
  /** Uses O_DIRECT for writing pages. Default `false`. */
  readonly directIo?: boolean | undefined
}
