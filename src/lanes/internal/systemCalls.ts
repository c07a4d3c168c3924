import * as Fs from "node:fs"
import type * as LaneJob from "../LaneJob.ts"

/**
 * Reads and writes that have completed when they return. Each may move less than requested, and throws Node's error.
 *
 * @internal
 */
export interface SystemCalls {
  readonly read: (fd: number, target: Uint8Array, offset: number, length: number, position: number) => number
  readonly write: (fd: number, data: Uint8Array, offset: number, length: number, position: number) => number
}

/** @internal */
export const node: SystemCalls = { read: Fs.readSync, write: Fs.writeSync }

/** The reason why a job ends early: it is thrown inside a lane, and never leaves it. */
export class CallFailure extends Error {
  readonly failed: LaneJob.CallFailed

  constructor(failed: LaneJob.CallFailed) {
    super(failed.operation)
    this.failed = failed
  }
}

const systemError = (cause: unknown): LaneJob.SystemError => {
  const { code, errno, message, syscall } = (
    cause instanceof Error ? cause : new Error(String(cause))
  ) as Partial<NodeJS.ErrnoException>
  return { message: message ?? "", code, errno, syscall }
}

interface Extent extends Pick<LaneJob.CallFailed, "end" | "operation" | "position"> {
  readonly fd: number
  readonly bytes: Uint8Array
}

/**
 * Moves all bytes of an extent, continuing short counts; throws a `CallFailure`.
 *
 * @internal
 */
export const moveAll = (calls: SystemCalls, { bytes, end, fd, operation, position }: Extent): void => {
  const { length } = bytes
  let moved = 0
  const fail = (error: LaneJob.SystemError | undefined): CallFailure =>
    new CallFailure({ _tag: "CallFailed", end, operation, position, length, moved, error })
  while (moved < length) {
    let count = 0
    try {
      count = calls[operation](fd, bytes, moved, length - moved, position + moved)
    } catch (cause) {
      const error = systemError(cause)
      if (error.code === "EINTR") continue
      throw fail(error)
    }
    if (count === 0) throw fail(undefined)
    moved += count
  }
}
