import * as FileError from "../FileError.ts"

/**
 * Node takes a number that is no position for something else: the cursor, or zero.
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
