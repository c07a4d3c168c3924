import type * as Integrity from "../Integrity.ts"

/**
 * How an image is written.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The checksums that the image carries, which QEMU does not look at; `false`: none. Default: CRC-32, extents of 1 MiB.
   */
  readonly seal?: Integrity.SealOptions | false | undefined
  /**
   * Keeps what was written, under its temporary name, when the operation fails, is interrupted or is killed; a target that
   * is written in place is not kept. `Recover` makes an image of it. Needs checksums. Default `false`.
   */
  readonly keepPartial?: boolean | undefined
  /**
   * Bytes of pages between two checkpoints with `keepPartial`: whatever ends the process, be it SIGKILL or a power cut,
   * `Recover` finds what was written before the last one. Default 256 MiB, or a 64th of RAM where that is more.
   */
  readonly checkpointBytes?: number | undefined
  /** O_DIRECT on the descriptors that pages are written through. Default `false`. */
  readonly directIo?: boolean | undefined
}
