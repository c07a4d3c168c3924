import type { FailedCall } from "../../../ram/FileRange.ts"
import * as FileError from "../FileError.ts"
import type { Extent } from "./positionalFileModel.ts"
import type { Direction } from "./transferModel.ts"

/**
 * The call that moves an extent, for errors.
 *
 * @internal
 */
export const callOf = (path: string, direction: Direction, { bytes, position }: Extent): FileError.Call => ({
  operation: direction,
  path,
  position,
  length: bytes.length
})

/**
 * The kernel moved nothing, after `done` bytes of the extent.
 *
 * @internal
 */
export const movedNothing = (call: FileError.Call, done: number): FileError.FileError =>
  call.operation === "write"
    ? new FileError.FileIoError({
        ...call,
        code: "EIO",
        cause: new Error(`the kernel took no byte after the first ${done}`)
      })
    : new FileError.UnexpectedEndOfFileError({ ...call, code: "EOF", found: done })

/**
 * The error of a call that another thread made.
 *
 * @internal
 */
export const failureOf =
  (path: string) =>
  ({ cause, length, moved, operation, position }: FailedCall): FileError.FileError => {
    const call = { operation, path, position, length }
    return cause === undefined ? movedNothing(call, moved) : FileError.fromCause(call, cause)
  }
