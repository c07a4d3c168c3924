/**
 * A file that is replaced as a whole, or not at all.
 *
 *                        make                      commit
 *     target missing or  ┌──────────────────────┐  fdatasync ─▶ close ─▶ rename ─▶ fsync of the directory
 *     a regular file ───▶│ .NAME.RANDOM.part    │                         │
 *                        │ beside the target    │                         └ from here on the new file has the name
 *                        └──────────┬───────────┘
 *                                   └ scope ends without commit ─▶ unlink, or kept: the target is as it was
 *
 *     a device, or an    ┌──────────────────────┐  fdatasync ─▶ still the file of that name? ─▶ close
 *     offset in a file ─▶│ the target itself,   │
 *                        │ cut off at `offset`  │  scope ends without commit ─▶ cut off again (a device stays as it is)
 *                        └──────────────────────┘
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FileCalls, type Stat } from "./FileCalls.ts"
import * as FileError from "./FileError.ts"
import * as FileIdentity from "./FileIdentity.ts"
import { openParent, rename, syncNames } from "./internal/directory.ts"
import { fileKind, seekableKind } from "./internal/fileKind.ts"
import { resolveTarget } from "./internal/target.ts"
import * as TemporaryFile from "./internal/temporaryFile.ts"
import * as PositionalFile from "./PositionalFile.ts"

/**
 * A file in the making.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface AtomicFile {
  /** The name under which the file is written; further descriptors are opened by it, and closed before `commit`. */
  readonly path: string
  /** The file, open for reading and writing. */
  readonly file: PositionalFile.PositionalFile
  /** Where the content begins: the `offset` that was asked for, 0 without. */
  readonly origin: number
  /** Whether the target itself is written, so that a failure damages what was there. */
  readonly inPlace: boolean
  /**
   * What of `commit` may take long and be called off: makes the content durable and closes `file`. In place, where the content
   * itself is what decides, it does nothing.
   */
  readonly prepare: Effect.Effect<void, FileError.FileError>
  /**
   * Makes the content durable and gives it its name; `file` is closed afterwards. Where it fails before the rename, the
   * target is as it was. Where only the sync of the directory fails, the new file has its name, complete, and may lose it
   * to the old one in a power cut: `UnconfirmedError`. In place, a failure leaves the content doubtful; a file that has lost its name meanwhile
   * is one. An interruption waits for the system call under way; when it comes during the rename or later, the new file has
   * its name. Another `commit` does nothing.
   */
  readonly commit: Effect.Effect<void, FileError.FileError>
  /** Makes the temporary name durable, so that a power cut leaves the file there. In place it does nothing. */
  readonly name: Effect.Effect<void, FileError.FileError>
  /**
   * From here on, the temporary file stays when the scope ends without `commit`. Succeeds with whether there is one: in place
   * there is none, nor any more when it has the target's name.
   */
  readonly keep: Effect.Effect<boolean>
}

/**
 * What to write.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The target. Symbolic links are followed: the file that they lead to is replaced, the links stay. */
  readonly path: string
  /**
   * Where in the file the content begins, in bytes. Given, even as 0, a file that exists is written in place: the bytes in
   * front stay as they are, what is behind goes, as with QEMU's `offset=`. Not given: 0, and the file is replaced.
   */
  readonly offset?: number | undefined
}

/** A file that its owner has protected against writing is not replaced either. */
const assertWritable = (path: string) =>
  Effect.scoped(PositionalFile.open(path, { access: "write", syncOnRelease: false }))

const replace = Effect.fnUntraced(function* (
  target: string,
  old: Stat | undefined,
  origin: number
): Effect.fn.Return<AtomicFile, FileError.FileError, Scope.Scope> {
  const calls = yield* FileCalls
  if (old !== undefined) yield* assertWritable(target)
  const directory = yield* openParent(calls, target)
  let named = false
  let kept = false
  let identity: FileIdentity.FileIdentity | undefined
  const file = yield* Effect.acquireRelease(TemporaryFile.create(target), ({ path }) =>
    Effect.suspend(() =>
      named || kept ? Effect.void : Effect.ignore(TemporaryFile.remove(calls, path, identity), { log: "Error" })
    )
  )
  const made = yield* file.stat
  identity = made
  if (old !== undefined) yield* TemporaryFile.takeOver(file, made, old)
  const giveName = Effect.gen(function* () {
    yield* rename(calls, file.path, target)
    named = true
    yield* Effect.mapError(syncNames(directory), FileError.unconfirmed(target))
  })
  let isPrepared = false
  const prepare = Effect.gen(function* () {
    if (isPrepared) return
    yield* file.sync
    yield* file.close
    yield* TemporaryFile.assertNamed(calls, file.path, made)
    isPrepared = true
  })
  const commit = Effect.gen(function* () {
    if (named) return
    yield* prepare
    yield* Effect.uninterruptible(giveName)
  })
  return {
    path: file.path,
    file,
    origin,
    inPlace: false,
    prepare,
    commit,
    name: syncNames(directory),
    keep: Effect.sync(() => {
      kept = true
      return !named
    })
  }
})

const writeInPlace = Effect.fnUntraced(function* (
  target: string,
  old: Stat,
  origin: number
): Effect.fn.Return<AtomicFile, FileError.FileError, Scope.Scope> {
  const calls = yield* FileCalls
  const file = yield* PositionalFile.open(target, { access: "read-write", inThread: true, syncOnRelease: false })
  let committed = false
  if (fileKind(old) === "file") {
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() =>
        committed ? Effect.void : Effect.ignore(file.truncate(Math.min(origin, old.size)), { log: "Error" })
      )
    )
    yield* file.truncate(origin)
  }
  const commit = Effect.gen(function* () {
    if (committed) return
    yield* file.sync
    yield* TemporaryFile.assertNamed(calls, target, yield* file.stat)
    committed = true
    yield* Effect.mapError(file.close, FileError.unconfirmed(target))
  })
  const inPlace = { inPlace: true, prepare: Effect.void, name: Effect.void, keep: Effect.succeed(false) }
  return { path: target, file, origin, commit: Effect.uninterruptible(commit), ...inPlace }
})

/**
 * Whether a target that is there already is written in place, because it cannot be renamed over.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isInPlace = (options: Options, stat: Stat): boolean =>
  options.offset !== undefined || fileKind(stat) !== "file"

/** Nothing that is written to a character device can be read again. */
const keepingKind = Effect.fnUntraced(function* (
  path: string,
  stat: Stat
): Effect.fn.Return<void, FileError.FileError> {
  const kind = yield* seekableKind(path, stat)
  if (kind !== "character device") return
  return yield* new FileError.NotSeekableError({ operation: "open", path, code: "ESPIPE", kind })
})

/**
 * Whether a target could be written in place, as far as that can be told without touching it: it is there, of a kind that
 * keeps what is written, and may be opened for writing; with O_DIRECT, where that is asked for.
 *
 * **When to use**
 *
 * Before something that cannot be undone, such as stopping a machine, when `make` has to wait: it cuts the target off.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const checkInPlace = Effect.fnUntraced(function* (
  { path }: Options,
  { directIo }: Pick<PositionalFile.OpenOptions, "directIo"> = {}
): Effect.fn.Return<void, FileError.FileError> {
  const stat = yield* FileIdentity.ofPath(path)
  if (stat !== undefined) yield* keepingKind(path, stat)
  const open = { access: "read-write", syncOnRelease: false } as const
  yield* Effect.scoped(PositionalFile.open(path, open))
  if (directIo === true) yield* Effect.scoped(PositionalFile.open(path, { ...open, directIo }))
})

/**
 * Begins to write a file that appears under its name only when it is complete.
 *
 * **Details**
 *
 * A target that is missing or a regular file is written under a temporary name beside it, readable and writable for the
 * user only, or with the permissions and owner of the file that it replaces. Leaving the scope without `commit`, by
 * failure or interruption, removes it and leaves the target as it was. A temporary file that another process replaced fails
 * `commit` with `FileReplacedError`: what that process put there never gets the target's name, and is not removed. Only a process that is killed leaves the temporary
 * file behind (`.NAME.RANDOM.part`). Other hard links to the old file keep the old content.
 *
 * What cannot be renamed over is written in place: a device, and a regular file that exists and is given an `offset`. What stood there is lost from the first byte on; a regular file is cut off at `offset` when the scope ends
 * without `commit`, which gives an empty or shorter file back as it was.
 *
 * A fifo, a socket, a directory, or a character device such as /dev/null is refused with `NotSeekableError`.
 *
 * **Example** (All or nothing)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { AtomicFile } from "effect-multifd/io"
 *
 * const program = Effect.gen(function* () {
 *   const { file, commit } = yield* AtomicFile.make({ path: "/tmp/image" })
 *   yield* file.write(0, new TextEncoder().encode("all of it"))
 *   yield* commit
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<AtomicFile, FileError.FileError, Scope.Scope> {
  const calls = yield* FileCalls
  const origin = options.offset ?? 0
  const { path, stat } = yield* resolveTarget(calls, options.path)
  if (stat === undefined) return yield* replace(path, stat, origin)
  yield* keepingKind(options.path, stat)
  return yield* isInPlace(options, stat) ? writeInPlace(path, stat, origin) : replace(path, stat, origin)
})
