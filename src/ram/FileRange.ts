/**
 * Pages in an open file, for a thread that moves them itself.
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
  /** Absolute position in the file, and the bytes to move there. */
  readonly position: number
  readonly length: number
  /** Bytes moved before the failure. */
  readonly moved: number
  /** The error of the operating system. `undefined`: the call moved nothing. */
  readonly cause: Error | undefined
}

/**
 * The expected digests of the extents of a range: an extent is a number of pages that share a digest.
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
  /** The number of the first extent of the range, counted from the start of the block. */
  readonly firstExtent: number
  /** Pages of the range: whole extents, except for the last one of the block. */
  readonly pages: number
  /** Bitmap of the pages of the range that are present. */
  readonly present: Uint8Array
  /** The digests of the extents, one after another. */
  readonly digests: Uint8Array
}

/**
 * An extent that differs from the seal.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface DamagedExtent {
  /** Counted from the start of the block. */
  readonly index: number
  /** Its digest. */
  readonly found: Uint8Array
}

/**
 * Digests that pages are compared with before they are moved.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RangeChecks<out E> {
  /** Those of a range of the block. `undefined`: the range is not whole extents, and cannot be compared. */
  readonly of: (offset: number, length: number) => ExtentDigests | undefined
  /** The error for damage. */
  readonly failure: (damaged: readonly [DamagedExtent, ...ReadonlyArray<DamagedExtent>]) => E
}

/**
 * The location of a block's consecutive pages in an open file.
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
  /** The error for a failed call on the descriptor. */
  readonly failure: (call: FailedCall) => E
  /** Default: the pages are not checked. */
  readonly checks?: RangeChecks<E> | undefined
}
