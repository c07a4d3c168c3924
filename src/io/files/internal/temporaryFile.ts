import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Random from "effect/Random"
import * as Path from "node:path"
import type { Calls, Stat } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"
import * as FileIdentity from "../FileIdentity.ts"
import * as PositionalFile from "../PositionalFile.ts"
import { unlink } from "./directory.ts"
import { systemCall } from "./systemCall.ts"

/** Bits in the random part of a temporary name; `O_EXCL` shows if the name is taken. */
const NAME_BITS = 48

/** Each attempt fails with a chance of files / 2^48: if this many fail, another one will not help. */
const NAME_ATTEMPTS = 8

/** Keeps a temporary name below the 255 bytes that file systems allow, at most four bytes per character. */
const NAME_CHARACTERS = 48

const temporaryName = (target: string) =>
  Effect.map(Random.next, (random) => {
    const name = Path.basename(target).slice(0, NAME_CHARACTERS)
    const unique = Math.floor(random * 2 ** NAME_BITS).toString(16)
    return Path.join(Path.dirname(target), `.${name}.${unique}.part`)
  })

/**
 * Creates a new file next to its target, readable and writable for the user only.
 *
 * @internal
 */
export const create = (
  target: string
): Effect.Effect<PositionalFile.PositionalFile, FileError.FileError, Scope.Scope> =>
  temporaryName(target).pipe(
    Effect.flatMap((path) =>
      PositionalFile.open(path, {
        access: "read-write",
        create: "exclusive",
        mode: 0o600,
        inThread: true,
        syncOnRelease: false
      })
    ),
    Effect.retry({ times: NAME_ATTEMPTS - 1, while: (error) => error.code === "EEXIST" })
  )

const isPermitted = (self: Effect.Effect<void, FileError.FileError>) =>
  self.pipe(
    Effect.as(true),
    Effect.catchTag("FilePermissionError", () => Effect.succeed(false))
  )

/**
 * Gives the new file the old one's owner and permissions. If the owner cannot be kept, the group changes too, and must
 * not get the old group's permissions.
 *
 * @internal
 */
export const takeOver = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  now: Stat,
  old: Stat
): Effect.fn.Return<void, FileError.FileError> {
  const sameOwner = now.uid === old.uid && now.gid === old.gid
  const kept = sameOwner || (yield* isPermitted(file.chown(old.uid, old.gid)))
  yield* file.chmod(old.mode & (kept ? 0o777 : 0o707))
})

/**
 * A file whose name was removed or given to another file is lost when it is closed, however durable its content.
 *
 * @internal
 */
export const assertNamed = Effect.fnUntraced(function* (
  calls: Calls,
  path: string,
  identity: FileIdentity.FileIdentity
): Effect.fn.Return<void, FileError.FileError> {
  const found = yield* systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done))
  if (FileIdentity.equals(found, identity)) return
  return yield* new FileError.FileReplacedError({ operation: "stat", path, code: "ESTALE" })
})

/**
 * Removes the temporary file, unless another process has given its name to another file.
 *
 * @internal
 */
export const remove = (
  calls: Calls,
  path: string,
  identity: FileIdentity.FileIdentity | undefined
): Effect.Effect<void, FileError.FileError> => {
  const same = identity === undefined ? Effect.void : assertNamed(calls, path, identity)
  // If that cannot be determined, the name is so unlikely that it is still ours.
  const unlessReplaced = Effect.catchIf(
    same,
    ({ _tag }) => _tag !== "FileReplacedError",
    () => Effect.void
  )
  return Effect.andThen(unlessReplaced, unlink(calls, path))
}
