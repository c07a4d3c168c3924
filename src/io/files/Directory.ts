/**
 * Directories whose changes survive a power cut.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import { FileCalls, type Stat } from "./FileCalls.ts"
import type * as FileError from "./FileError.ts"
import { fileKind } from "./internal/fileKind.ts"
import { syncName, unlink } from "./internal/directory.ts"
import { systemCall } from "./internal/systemCall.ts"

/**
 * A file in a directory.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly name: string
  readonly isDirectory: boolean
  readonly size: number
  /** The time of the last write, in milliseconds since 1970. */
  readonly mtimeMs: number
}

const makeOne = (path: string): Effect.Effect<boolean, FileError.FileError> =>
  Effect.flatMap(FileCalls, (calls) =>
    systemCall({ operation: "create the directory", path }, (done) => calls.mkdir(path, 0o700, (error) => done(error)))
  ).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ code }) => code === "EEXIST",
      () => Effect.succeed(false)
    )
  )

/**
 * Makes a directory, and its missing parents, for this user only. Its name is durable.
 *
 * **Failure effect**: some of the directories may exist.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (path: string): Effect.Effect<void, FileError.FileError> =>
  makeOne(path).pipe(
    Effect.catchTag("FileNotFoundError", (error) =>
      Path.dirname(path) === path ? Effect.fail(error) : Effect.andThen(make(Path.dirname(path)), makeOne(path))
    ),
    Effect.flatMap((isNew) => (isNew ? Effect.flatMap(FileCalls, (calls) => syncName(calls, path)) : Effect.void))
  )

const entryOf = Effect.fnUntraced(function* (
  directory: string,
  name: string
): Effect.fn.Return<ReadonlyArray<Entry>, FileError.FileError> {
  const calls = yield* FileCalls
  const path = Path.join(directory, name)
  const { mtimeMs, size, ...stat } = yield* systemCall<Stat>({ operation: "stat", path }, (done) =>
    calls.stat(path, done)
  )
  return [{ name, isDirectory: fileKind({ mtimeMs, size, ...stat }) === "directory", size, mtimeMs }]
})

const none: Effect.Effect<ReadonlyArray<never>> = Effect.succeed([])

/**
 * The files and directories in a directory, in any order. A missing directory has none; a file that is removed during
 * the call is left out.
 *
 * @stability unstable
 * @category reading
 * @since 0.1.0
 */
export const list = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<ReadonlyArray<Entry>, FileError.FileError> {
  const calls = yield* FileCalls
  const names = yield* systemCall<ReadonlyArray<string>>({ operation: "list the directory", path }, (done) =>
    calls.readdir(path, done)
  ).pipe(Effect.catchTag("FileNotFoundError", () => none))
  const entries = yield* Effect.forEach(
    names,
    (name) => Effect.catchTag(entryOf(path, name), "FileNotFoundError", () => none),
    { concurrency: 8 }
  )
  return entries.flat()
})

/**
 * Removes a file. Succeeds with `false` if there is none. The removal is durable after `sync`.
 *
 * @stability unstable
 * @category writing
 * @since 0.1.0
 */
export const removeFile = (path: string): Effect.Effect<boolean, FileError.FileError> =>
  Effect.flatMap(FileCalls, (calls) => unlink(calls, path)).pipe(
    Effect.as(true),
    Effect.catchTag("FileNotFoundError", () => Effect.succeed(false))
  )

/**
 * Makes the names in a directory durable. A missing directory has none.
 *
 * @stability unstable
 * @category writing
 * @since 0.1.0
 */
export const sync = (path: string): Effect.Effect<void, FileError.FileError> =>
  Effect.flatMap(FileCalls, (calls) => syncName(calls, Path.join(path, "name"))).pipe(
    Effect.catchTag("FileNotFoundError", () => Effect.void)
  )
