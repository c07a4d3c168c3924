import * as Effect from "effect/Effect"
import type { ErrnoError } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"

/**
 * One system call as an effect. The kernel cannot be told to stop, so interruption waits until it has answered. Node
 * throws on arguments that it does not like (a path with a zero byte); that is a failure like any other.
 *
 * @internal
 */
export const systemCall = <A = void>(
  what: FileError.Call,
  start: (done: (error: ErrnoError | null, value: A) => void) => void
): Effect.Effect<A, FileError.FileError> =>
  Effect.uninterruptible(
    Effect.callback<A, FileError.FileError>((resume) => {
      const fail = (cause: unknown) => resume(Effect.fail(FileError.fromCause(what, cause)))
      try {
        start((error, value) => (error ? fail(error) : resume(Effect.succeed(value))))
      } catch (cause) {
        fail(cause)
      }
    })
  )
