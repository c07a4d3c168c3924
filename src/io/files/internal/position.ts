import { types } from "node:util"
import * as FileError from "../FileError.ts"

/**
 * Node treats a number that is not a position as something else: the cursor, or zero.
 *
 * @internal
 */
export const isPosition = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** @internal */
export const badPosition = (what: FileError.Call): FileError.FileError =>
  new FileError.FileIoError({
    ...what,
    code: "EINVAL",
    cause: new Error("a position is an integer from 0 to 2^53 - 1")
  })

/**
 * Node throws on values that are not memory, such as a `Proxy` of an array, and moves a part of an array of larger
 * numbers.
 *
 * @internal
 */
export const badBytes = (what: FileError.Call, bytes: unknown): FileError.FileError | undefined =>
  types.isUint8Array(bytes)
    ? undefined
    : new FileError.FileIoError({
        ...what,
        code: "EINVAL",
        cause: new Error("bytes must be a Uint8Array, not a Proxy of one")
      })
