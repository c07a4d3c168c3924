/**
 * Pages that lie in an open file, for a thread that moves them by itself.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * A call on a file that failed, or that moved nothing.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface FailedCall {
  readonly operation: "read" | "write"
  /** Absolute position in the file, and the bytes that were to be moved there. */
  readonly position: number
  readonly length: number
  /** Bytes of these that had been moved before. */
  readonly moved: number
  /** The error of the operating system. `undefined`: the call moved nothing. */
  readonly cause: Error | undefined
}

/**
 * What the extents of a range have to be: an extent is a number of pages that have a digest together.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ExtentDigests {
  /** The name of the block, which is part of each digest. */
  readonly idstr: string
  readonly algorithm: "crc32" | "sha256" | "hmac-sha256"
  readonly pagesPerExtent: number
  /** The number of the first extent of the range, counted from the beginning of the block. */
  readonly firstExtent: number
  /** Pages of the range: whole extents, but for the last one of the block. */
  readonly pages: number
  /** Bitmap of the pages of the range that are present. */
  readonly present: Uint8Array
  /** The digests of the extents, one behind the other. */
  readonly digests: Uint8Array
}

/**
 * An extent that is not what was sealed.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface DamagedExtent {
  /** Counted from the beginning of the block. */
  readonly index: number
  /** Its digest. */
  readonly found: Uint8Array
}

/**
 * Digests that pages are compared with before they go anywhere.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RangeChecks<out E> {
  /** Those of a range of the block. `undefined`: it is no range of whole extents, and cannot be compared. */
  readonly of: (offset: number, length: number) => ExtentDigests | undefined
  /** The error that damage amounts to. */
  readonly failure: (damaged: readonly [DamagedExtent, ...ReadonlyArray<DamagedExtent>]) => E
}

/**
 * Where the pages of a block lie in an open file, one behind the other.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface FileRange<out E = never> {
  /** Absolute position of page 0. */
  readonly position: number
  /** Lends the descriptor: it is closed only when `use` has ended. */
  readonly lend: <A, E2>(use: (fd: number) => Effect.Effect<A, E2>) => Effect.Effect<A, E | E2>
  /** The error that a failed call on the descriptor amounts to. */
  readonly failure: (call: FailedCall) => E
  /** Default: the pages are taken as they are. */
  readonly checks?: RangeChecks<E> | undefined
}
