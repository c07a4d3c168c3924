/**
 * A directory for sockets that nobody else should reach.
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
 * Makes an empty directory in `parent`, which only this user may enter. It is removed, with everything that is in it, when the
 * scope ends.
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
 * Makes an empty directory in the system's directory for temporary files, which only this user may enter. It is removed,
 * with everything that is in it, when the scope ends.
 *
 * **Details**
 *
 * `TMPDIR` in the environment says where. Names of sockets have 107 bytes at the most, this directory takes about 20.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<string, FileError.FileError, Scope.Scope> = Effect.suspend(() => makeIn(Os.tmpdir()))
