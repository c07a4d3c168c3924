/**
 * A file that is created completely, under an unused name, or not at all.
 *
 * ```text
 *   .NAME.RANDOM.part ── write, fdatasync, close ── link(2) to NAME ── unlink ── fsync of the directory
 *                                                     └ EEXIST: NAME is taken
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { type Calls, FileCalls, type Stat } from "./FileCalls.ts"
import type * as FileError from "./FileError.ts"
import * as FileIdentity from "./FileIdentity.ts"
import { syncName } from "./internal/directory.ts"
import { systemCall } from "./internal/systemCall.ts"
import * as TemporaryFile from "./internal/temporaryFile.ts"

const link = (calls: Calls, from: string, to: string): Effect.Effect<"created" | "exists", FileError.FileError> =>
  systemCall({ operation: "link", path: to }, (done) => calls.link(from, to, (error) => done(error))).pipe(
    Effect.as("created" as const),
    Effect.catchIf(
      ({ code }) => code === "EEXIST",
      () => Effect.succeed("exists" as const)
    )
  )

/** A network file system repeats a call whose answer was lost, and finds the name from the first one. */
const isOurs = (calls: Calls, path: string, identity: FileIdentity.FileIdentity) =>
  systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done)).pipe(
    Effect.map((stat) => FileIdentity.equals(stat, identity)),
    Effect.catchTag("FileNotFoundError", () => Effect.succeed(false))
  )

const write = Effect.fnUntraced(function* (
  path: string,
  parts: ReadonlyArray<Uint8Array>
): Effect.fn.Return<
  { readonly path: string; readonly identity: FileIdentity.FileIdentity },
  FileError.FileError,
  Scope
> {
  const calls = yield* FileCalls
  const file = yield* TemporaryFile.create(path)
  const identity = yield* file.stat
  yield* Effect.addFinalizer(() => Effect.ignore(TemporaryFile.remove(calls, file.path, identity)))
  let position = 0
  const extents = parts.map((bytes) => {
    const extent = { position, bytes }
    position += bytes.length
    return extent
  })
  yield* file.writeExtents(extents)
  yield* file.sync
  yield* file.close
  return { path: file.path, identity }
})

/**
 * Creates a file with these bytes, in order. Succeeds with `exists` if the name is taken; that file is unchanged. A
 * created file is durable with all of its bytes.
 *
 * **Failure effect**: there is no file of that name, or a complete one. If only the sync of the directory fails, the
 * file exists, and a power cut may remove it. A killed process may leave the temporary file.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const create = (
  path: string,
  parts: ReadonlyArray<Uint8Array>
): Effect.Effect<"created" | "exists", FileError.FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const calls = yield* FileCalls
      const temporary = yield* write(path, parts)
      const linked = yield* link(calls, temporary.path, path)
      const isNew = linked === "created" || (yield* isOurs(calls, path, temporary.identity))
      return isNew ? ("created" as const) : ("exists" as const)
    })
  ).pipe(Effect.tap(() => Effect.flatMap(FileCalls, (calls) => syncName(calls, path))))
