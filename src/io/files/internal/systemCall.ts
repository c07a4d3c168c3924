import * as Effect from "effect/Effect"
import type { ErrnoError } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"

/**
 * One system call as an effect. A system call cannot be cancelled, so interruption waits until it has returned. Node
 * throws on invalid arguments (a path with a zero byte); that becomes an ordinary failure.
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
