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
 * The location of a range of pages: in an open file, from `position`, or in memory that the threads share.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Place =
  { readonly fd: number; readonly position: number } | { readonly memory: SharedArrayBuffer; readonly position: number }

/**
 * Copies pages of one range from one place to another. Page numbers count from the start of the range.
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
  /** The pages of the job. Other pages of the target are unchanged. */
  readonly pages: PageRuns
  /** Those of them that are not zero, if that is known. `undefined`: the lane examines every page of the job. */
  readonly normal: PageRuns | undefined
  /** Largest gap of zero pages between two normal ones that is written, as zeros, to make one larger call. */
  readonly gap: number
  /** The digest of each normal page to return. `undefined`: none. */
  readonly digests: Algorithm | undefined
  /** Pages of the target that are zeroed if they are not zero already. */
  readonly clear: PageRuns
  /** The digests to compare the read pages with. Damaged extents are not copied. `undefined`: none. */
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
  /** The pages that are not zero. */
  readonly normal: PageRuns
  /** The digests of the normal pages, one after another. Empty if none were requested. */
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
  /** Absolute position in the file, and the bytes to move there. */
  readonly position: number
  readonly length: number
  /** Bytes moved before the failure. */
  readonly moved: number
  /** The kernel's error. `undefined`: it moved nothing. */
  readonly error: SystemError | undefined
}

/**
 * The error of a system call without its prototype, which messages between threads do not preserve.
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
 * The result of a job.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Answer = Copied | Damaged | CallFailed | LaneDied | Cancelled
