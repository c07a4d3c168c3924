/**
 * The job of a lane and its answer. Both cross threads, so they are plain data: descriptors are numbers,
 * shared memory is shared, everything else is copied.
 *
 * @since 0.1.0
 */
import type { Algorithm } from "../format/seal/Checksum.ts"
import type { DamagedExtent, ExtentDigests } from "../ram/FileRange.ts"
import type { PageRuns } from "../ram/PageRuns.ts"

/**
 * Where the bytes of a range of pages lie: in an open file, from `position` on, or in memory that the threads share.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Place =
  { readonly fd: number; readonly position: number } | { readonly memory: SharedArrayBuffer; readonly position: number }

/**
 * Copies pages of one range from one place to another. Page numbers count from the beginning of the range.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface CopyJob {
  readonly source: Place
  /** `undefined`: the pages are only read, for their digests or to be checked. */
  readonly target: Place | undefined
  /** Bytes in a page: a power of two from 1 KiB to 1 MiB. */
  readonly pageSize: number
  /** The pages of the job. Other pages of the target stay as they are. */
  readonly pages: PageRuns
  /** Those of them that hold anything, where that is known. `undefined`: the lane looks at every page of the job. */
  readonly normal: PageRuns | undefined
  /** Zero pages of the job between two normal ones that are written along, as zeros, for the sake of one larger call. */
  readonly gap: number
  /** Which digest of each normal page to answer with. `undefined`: none. */
  readonly digests: Algorithm | undefined
  /** Pages of the target that are made zero where they are not zero already. */
  readonly clear: PageRuns
  /** What to compare the pages with that are read. Damaged extents go nowhere. `undefined`: nothing. */
  readonly checks: ExtentDigests | undefined
}

/**
 * The job is done.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Copied {
  readonly _tag: "Copied"
  /** The pages that held anything. */
  readonly normal: PageRuns
  /** The digests of the normal pages, one behind the other. Empty where none were asked for. */
  readonly digests: Uint8Array
  /** Bytes that were moved to the target. */
  readonly bytes: number
}

/**
 * A system call failed, or moved nothing. Some of the job's pages may have been copied.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface CallFailed {
  readonly _tag: "CallFailed"
  readonly end: "source" | "target"
  readonly operation: "read" | "write"
  /** Absolute position in the file, and the bytes that were to be moved there. */
  readonly position: number
  readonly length: number
  /** How many of these had been moved before. */
  readonly moved: number
  /** What the kernel answered. `undefined`: it moved nothing. */
  readonly error: SystemError | undefined
}

/**
 * The error of a system call without its prototype, which no message between threads keeps.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SystemError {
  readonly message: string
  readonly code: string | undefined
  readonly errno: number | undefined
  readonly syscall: string | undefined
}

/**
 * All extents were read, and some are damaged. The others were copied.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Damaged {
  readonly _tag: "Damaged"
  readonly extents: readonly [DamagedExtent, ...ReadonlyArray<DamagedExtent>]
}

/**
 * The thread of the lane has ended. Some of the job's pages may have been copied.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LaneDied {
  readonly _tag: "LaneDied"
  readonly reason: string
}

/**
 * The job ended early because it was cancelled. Some of its pages may have been copied.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Cancelled {
  readonly _tag: "Cancelled"
}

/**
 * What became of a job.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Answer = Copied | Damaged | CallFailed | LaneDied | Cancelled
