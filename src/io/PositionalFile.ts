/**
 * A file that is read and written by position.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { FileError } from "./FileError.ts"
import type { Stat } from "./FileCalls.ts"

/**
 * Bytes and the file position that they belong to.
 *
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
 * @category models
 * @since 0.1.0
 */
export interface PositionalFile {
  readonly path: string
  /** Reads up to `target.length` bytes; a smaller count means that the file ends there. */
  readonly read: (position: number, target: Uint8Array) => Effect.Effect<number, FileError>
  /** Fills all extents, submitted together; fails with `UnexpectedEndOfFileError` where the file ends first. */
  readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError>
  /** Writes all of `bytes` at `position`. */
  readonly write: (position: number, bytes: Uint8Array) => Effect.Effect<void, FileError>
  /** Writes all extents, submitted together: a third of the cost of one after the other. */
  readonly writeExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, FileError>
  /** `fdatasync`: what was written is durable. */
  readonly sync: Effect.Effect<void, FileError>
  readonly truncate: (length: number) => Effect.Effect<void, FileError>
  readonly stat: Effect.Effect<Stat, FileError>
}
