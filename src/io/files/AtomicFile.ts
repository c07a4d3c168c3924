/**
 * A file that is replaced completely or not at all.
 *
 *                        make                      commit
 *     target missing or  ┌──────────────────────┐  fdatasync ─▶ close ─▶ rename ─▶ fsync of the directory
 *     a regular file ───▶│ .NAME.RANDOM.part    │                         │
 *                        │ next to the target   │                         └ from here on the new file has the name
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
 * A file in progress.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface AtomicFile {
  /**
   * The name under which the file is written. Further descriptors are opened by this name, and closed before `commit`.
   */
  readonly path: string
  /** The file, open for reading and writing. */
  readonly file: PositionalFile.PositionalFile
  /** Start of the content: the requested `offset`, or 0. */
  readonly origin: number
  /** `true` if the target itself is written, so that a failure damages its old content. */
  readonly inPlace: boolean
  /**
   * The slow and interruptible part of `commit`: makes the content durable and closes `file`. In place, where the
   * content itself is the commit, it does nothing.
   */
  readonly prepare: Effect.Effect<void, FileError.FileError>
  /**
   * Makes the content durable and gives it its name; `file` is closed afterwards. After a failure before the rename,
   * the target is unchanged. If only the sync of the directory fails, the new file has its name and is complete, but a
   * power cut may bring back the old one: `UnconfirmedError`. In place, a failure leaves the content in doubt; so does
   * a file that has lost its name in the meantime. Interruption waits for the system call in progress; during the
   * rename or later, the new file has its name. A second `commit` does nothing.
   */
  readonly commit: Effect.Effect<void, FileError.FileError>
  /** Makes the temporary name durable, so that the file survives a power cut. In place it does nothing. */
  readonly name: Effect.Effect<void, FileError.FileError>
  /**
   * Keeps the temporary file if the scope ends without `commit`. Succeeds with `true` if there is one: there is none in
   * place, or after the rename.
   */
  readonly keep: Effect.Effect<boolean>
}

/**
 * Options of an atomic file.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The target. Symbolic links are followed: the file at their end is replaced, and the links stay. */
  readonly path: string
  /**
   * Start of the content in the file, in bytes. If given, even as 0, an existing file is written in place: the bytes
   * before it are unchanged and those after it are lost, as with QEMU's `offset=`. Default: none, and the file is
   * replaced.
   */
  readonly offset?: number | undefined
}

/** A file that its owner has write-protected is not replaced either. */
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
 * `true` if an existing target is written in place, because nothing can be renamed over it.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isInPlace = (options: Options, stat: Stat): boolean =>
  options.offset !== undefined || fileKind(stat) !== "file"

/** Data written to a character device cannot be read back. */
const keepingKind = Effect.fnUntraced(function* (
  path: string,
  stat: Stat
): Effect.fn.Return<void, FileError.FileError> {
  const kind = yield* seekableKind(path, stat)
  if (kind !== "character device") return
  return yield* new FileError.NotSeekableError({ operation: "open", path, code: "ESPIPE", kind })
})

/**
 * Checks that a target can be written in place, as far as possible without touching it: it exists, keeps the data
 * written to it, and can be opened for writing; with O_DIRECT, if requested.
 *
 * **When to use**
 *
 * Before a step that cannot be undone, such as stopping a machine, if `make` must come later because it truncates the
 * target.
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
 * Starts writing a file that appears under its name only when it is complete.
 *
 * **Details**
 *
 * If the target is missing or a regular file, the data goes to a temporary file next to it. Its permissions are read
 * and write for the user only, or those and the owner of the file that it replaces. Leaving the scope without `commit`,
 * by failure or interruption, removes it and leaves the target unchanged. If another process replaced the temporary
 * file, `commit` fails with `FileReplacedError`: the other file never gets the target's name, and is not removed. Only
 * a killed process leaves the temporary file (`.NAME.RANDOM.part`). Other hard links to the old file keep the old
 * content.
 *
 * A target that cannot be renamed over is written in place: a device, or an existing regular file with an `offset`. The
 * old content is lost from the first byte. If the scope ends without `commit`, a regular file is truncated at `offset`,
 * which restores an empty or shorter file.
 *
 * A FIFO, a socket, a directory, or a character device such as /dev/null is refused with `NotSeekableError`.
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
