import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Calls } from "../FileCalls.ts"
import type { FileError } from "../FileError.ts"
import { Descriptor } from "./descriptor.ts"
import { systemCall } from "./systemCall.ts"

/**
 * The directory of a file's name, opened so that the name can be made durable.
 *
 * @internal
 */
export const openParent = (calls: Calls, path: string): Effect.Effect<Descriptor, FileError, Scope.Scope> => {
  const parent = Path.dirname(path)
  return Effect.acquireRelease(
    systemCall<number>({ operation: "open", path: parent }, (done) =>
      calls.open(parent, Fs.constants.O_RDONLY | Fs.constants.O_DIRECTORY, 0, done)
    ).pipe(Effect.map((fd) => new Descriptor({ calls, fd, path: parent, directIo: false, kind: "directory" }))),
    (descriptor) => descriptor.release({ sync: false })
  )
}

/**
 * Makes the names in a directory durable. EINVAL means that the file system has no such operation, and nothing to sync.
 *
 * @internal
 */
export const syncNames = (directory: Descriptor): Effect.Effect<void, FileError> =>
  directory
    .call({ operation: "sync the directory" }, (fd, done) => directory.calls.fsync(fd, (error) => done(error)))
    .pipe(
      Effect.catchIf(
        (error) => error.code === "EINVAL",
        () => Effect.void
      )
    )

/**
 * Makes the name of a file durable.
 *
 * @internal
 */
export const syncName = (calls: Calls, path: string): Effect.Effect<void, FileError> =>
  Effect.scoped(Effect.flatMap(openParent(calls, path), syncNames))

/** @internal */
export const unlink = (calls: Calls, path: string): Effect.Effect<void, FileError> =>
  systemCall({ operation: "unlink", path }, (done) => calls.unlink(path, (error) => done(error)))

/** @internal */
export const rename = (calls: Calls, from: string, to: string): Effect.Effect<void, FileError> =>
  systemCall({ operation: "rename", path: to }, (done) => calls.rename(from, to, (error) => done(error)))
