/**
 * A directory for sockets that only this user can reach.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as FileError from "./FileError.ts"

/**
 * Makes an empty directory in `parent` that only this user may enter. It is removed with its contents when the scope
 * ends.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeIn = (parent: string): Effect.Effect<string, FileError.FileError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<string, FileError.FileError>((resume) => {
      const prefix = Path.join(parent, "multifd-")
      Fs.mkdtemp(prefix, (cause, path) =>
        resume(
          cause === null
            ? Effect.succeed(path)
            : Effect.fail(FileError.fromCause({ operation: "create the directory", path: prefix }, cause))
        )
      )
    }).pipe(Effect.uninterruptible),
    (path) =>
      Effect.callback<void>((resume) => Fs.rm(path, { recursive: true, force: true }, () => resume(Effect.void)))
  )

/**
 * Makes an empty directory in the system's directory for temporary files that only this user may enter. It is removed
 * with its contents when the scope ends.
 *
 * **Details**
 *
 * The environment variable `TMPDIR` selects the parent. Paths of sockets have at most 107 bytes; this directory takes
 * about 20.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<string, FileError.FileError, Scope.Scope> = Effect.suspend(() => makeIn(Os.tmpdir()))
