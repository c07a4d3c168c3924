import type * as Effect from "effect/Effect"
import { type Stat } from "../FileCalls.ts"
import type * as FileError from "../FileError.ts"

/**
 * Bytes and the file position that they belong to.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Extent {
  readonly position: number
  readonly bytes: Uint8Array
}

/**
 * One open descriptor. Calls may overlap; none of them moves a cursor. Short counts are continued, so that a call either
 * does all of its work or fails. A call cannot be interrupted half-way: the kernel may still be using its memory, so
 * interruption waits for the calls under way.
 *
 * **Details**
 *
 * Positions are numbers of bytes below 2^53. After a failed write, which of its bytes are in the file is unknown. With
 * direct I/O, positions, lengths and the memory itself have to be aligned (see `AlignedMemory`).
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PositionalFile {
  readonly path: string
  /** Reads up to `target.length` bytes; a smaller count means that the file ends there. */
  readonly read: (position: number, target: Uint8Array) => Effect.Effect<number, FileError.FileError>
  /** Fills all extents, submitted together; fails with `UnexpectedEndOfFileError` where the file ends first. */
  readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError.FileError>
  /** Writes all of `bytes` at `position`. */
  readonly write: (position: number, bytes: Uint8Array) => Effect.Effect<void, FileError.FileError>
  /** Writes all extents, submitted together: a third of the cost of one after the other. */
  readonly writeExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError.FileError>
  /**
   * `fdatasync`: what was written is durable, through whatever descriptor of the same file. Once it has failed it always
   * fails: the kernel forgets what it could not write.
   */
  readonly sync: Effect.Effect<void, FileError.FileError>
  readonly truncate: (length: number) => Effect.Effect<void, FileError.FileError>
  readonly stat: Effect.Effect<Stat, FileError.FileError>
  /** Bytes of the file or block device. A character device such as /dev/zero has no end: `Infinity`. */
  readonly size: Effect.Effect<number, FileError.FileError>
  /** Sets the permissions, whatever the umask. */
  readonly chmod: (mode: number) => Effect.Effect<void, FileError.FileError>
  readonly chown: (uid: number, gid: number) => Effect.Effect<void, FileError.FileError>
  /**
   * Closes the file before its scope does and reports what goes wrong. It waits for the calls under way; later ones fail
   * with `EBADF`, later `close` does nothing. It does not sync.
   */
  readonly close: Effect.Effect<void, FileError.FileError>
}
