import type * as Effect from "effect/Effect"
import { type Stat } from "../FileCalls.ts"
import type * as FileError from "../FileError.ts"
import type { FileRange } from "../../../ram/FileRange.ts"
import type { Direction } from "./transferModel.ts"

/**
 * Bytes and their position in the file.
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
 * One open descriptor. Calls may overlap, and none of them moves a cursor. Short counts are continued, so a call either
 * does all of its work or fails. Interruption waits for the calls in progress, because the kernel may still be using
 * their memory.
 *
 * **Details**
 *
 * Positions are byte offsets below 2^53. After a failed write it is unknown which of its bytes are in the file. With
 * direct I/O, positions, lengths and the memory itself must be aligned (see `AlignedMemory`).
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PositionalFile {
  readonly path: string
  /** Reads up to `target.length` bytes; a smaller count means that the file ends there. */
  readonly read: (position: number, target: Uint8Array) => Effect.Effect<number, FileError.FileError>
  /** Fills all extents, submitted together; fails with `UnexpectedEndOfFileError` if the file ends first. */
  readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError.FileError>
  /** Writes all of `bytes` at `position`. */
  readonly write: (position: number, bytes: Uint8Array) => Effect.Effect<void, FileError.FileError>
  /** Writes all extents, submitted together: three times as fast as one after another. */
  readonly writeExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError.FileError>
  /**
   * `fdatasync`: makes writes through any descriptor of the file durable. Once it has failed it always fails, because
   * the kernel forgets the pages that it could not write.
   */
  readonly sync: Effect.Effect<void, FileError.FileError>
  readonly truncate: (length: number) => Effect.Effect<void, FileError.FileError>
  readonly stat: Effect.Effect<Stat, FileError.FileError>
  /** Bytes of the file or block device. A character device such as /dev/zero has no end: `Infinity`. */
  readonly size: Effect.Effect<number, FileError.FileError>
  /** Sets the permissions, regardless of the umask. */
  readonly chmod: (mode: number) => Effect.Effect<void, FileError.FileError>
  readonly chown: (uid: number, gid: number) => Effect.Effect<void, FileError.FileError>
  /**
   * Closes the file before its scope does, and reports failures. It waits for the calls in progress; later calls fail
   * with `EBADF`, and a later `close` does nothing. It does not sync.
   */
  readonly close: Effect.Effect<void, FileError.FileError>
  /**
   * The file from `position` on, for a thread that makes its own calls on the descriptor. `undefined` with direct I/O,
   * and where `FileCalls` are not Node's own reads and writes: then no other thread could see what they see.
   */
  readonly inFile: ((direction: Direction, position: number) => FileRange<FileError.FileError>) | undefined
}
