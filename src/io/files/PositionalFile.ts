/**
 * A file that is read and written by position.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { type Calls, FileCalls, type Stat } from "./FileCalls.ts"
import * as FileError from "./FileError.ts"
import * as FileIdentity from "./FileIdentity.ts"
import { Descriptor } from "./internal/descriptor.ts"
import { deviceSize } from "./internal/deviceSize.ts"
import { type FileKind, fileKind, seekableKind } from "./internal/fileKind.ts"
import { badPosition, isPosition } from "./internal/position.ts"
import { systemCall } from "./internal/systemCall.ts"
import { ThreadMover } from "./internal/threadMover.ts"
import { transfer } from "./internal/transfer.ts"
import type { PositionalFile } from "./internal/positionalFileModel.ts"

export type { Extent, PositionalFile } from "./internal/positionalFileModel.ts"

/**
 * How to open a file.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface OpenOptions {
  readonly access: "read" | "write" | "read-write"
  /** Whether to create the file: only if it exists already (`never`, the default), only if not, or if it is missing. */
  readonly create?: "never" | "exclusive" | "if-missing" | undefined
  /** Permissions of a created file, before the umask. Default 0o600: guest memory is nobody else's business. */
  readonly mode?: number | undefined
  /** Bypasses the page cache (`O_DIRECT`, Linux). Default false; fails with `EINVAL` where the file system cannot do it. */
  readonly directIo?: boolean | undefined
  /**
   * Moves bytes in the calling thread where the file lies in memory (tmpfs), the machine has no more than two processors, and
   * for as long as that is quick; otherwise and by default the thread pool does it. For those who have other work for the second
   * processor than copying. The event loop has its turn after 2 ms of it.
   */
  readonly inThread?: boolean | undefined
  /**
   * Whether leaving the scope syncs what was written since the last `sync`, which is what happens after a failure or an
   * interruption. Default true.
   */
  readonly syncOnRelease?: boolean | undefined
  /** The file that it has to be, whatever its name; fails with `FileReplacedError` where it is another one. */
  readonly identity?: FileIdentity.FileIdentity | undefined
}

const assertSame = (file: PositionalFile, identity: FileIdentity.FileIdentity) =>
  Effect.flatMap(file.stat, (stat) =>
    FileIdentity.equals(stat, identity)
      ? Effect.void
      : Effect.fail(new FileError.FileReplacedError({ operation: "open", path: file.path, code: "ESTALE" }))
  )

const accessFlags = {
  read: Fs.constants.O_RDONLY,
  write: Fs.constants.O_WRONLY,
  "read-write": Fs.constants.O_RDWR
}

const createFlags = {
  never: 0,
  exclusive: Fs.constants.O_CREAT | Fs.constants.O_EXCL,
  "if-missing": Fs.constants.O_CREAT
}

const openFlags = (options: OpenOptions): number =>
  accessFlags[options.access] |
  createFlags[options.create ?? "never"] |
  (options.directIo === true ? Fs.constants.O_DIRECT : 0)

/** Opening a fifo waits for somebody at its other end, out of reach of any interruption: look before opening. */
const kindBeforeOpening = (calls: Calls, path: string): Effect.Effect<FileKind, FileError.FileError> =>
  systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done)).pipe(
    Effect.flatMap((stat) => seekableKind(path, stat)),
    Effect.catchTag("FileNotFoundError", () => Effect.succeed("file" as const))
  )

const makeMover = Effect.fnUntraced(function* (
  { inThread }: Calls,
  fd: number,
  path: string
): Effect.fn.Return<ThreadMover | undefined> {
  if (inThread === undefined) return undefined
  const suits = yield* Effect.callback<boolean>((resume) =>
    inThread.suits(path, (suits) => resume(Effect.succeed(suits)))
  )
  return suits ? new ThreadMover({ inThread, fd, path }) : undefined
})

const openDescriptor = Effect.fnUntraced(function* (
  path: string,
  options: OpenOptions
): Effect.fn.Return<Descriptor, FileError.FileError> {
  const calls = yield* FileCalls
  const kind = yield* kindBeforeOpening(calls, path)
  const fd = yield* systemCall<number>({ operation: "open", path }, (done) =>
    calls.open(path, openFlags(options), options.mode ?? 0o600, done)
  )
  const { directIo = false, inThread = false } = options
  const mover = inThread && kind === "file" && !directIo ? yield* makeMover(calls, fd, path) : undefined
  return new Descriptor({ calls, fd, path, directIo, kind, mover })
})

const sizeOf = (read: PositionalFile["read"], stat: Stat): Effect.Effect<number, FileError.FileError> => {
  switch (fileKind(stat)) {
    case "block device":
      return deviceSize(read)
    case "character device":
      return Effect.succeed(Number.POSITIVE_INFINITY)
    default:
      return Effect.succeed(stat.size)
  }
}

const make = (descriptor: Descriptor): PositionalFile => {
  const { calls, path } = descriptor
  const readExtents: PositionalFile["readExtents"] = (extents) => transfer(descriptor, "read", extents)
  const writeExtents: PositionalFile["writeExtents"] = (extents) => transfer(descriptor, "write", extents)
  const read: PositionalFile["read"] = (position, target) =>
    readExtents([{ position, bytes: target }]).pipe(
      Effect.map(() => target.length),
      Effect.catchTag("UnexpectedEndOfFileError", ({ found }) => Effect.succeed(found))
    )
  const stat = descriptor.call<Stat>({ operation: "stat" }, (fd, done) => calls.fstat(fd, done))
  return {
    path,
    read,
    readExtents,
    write: (position, bytes) => writeExtents([{ position, bytes }]),
    writeExtents,
    sync: descriptor.sync,
    truncate: (length) =>
      isPosition(length)
        ? descriptor.call({ operation: "truncate", length }, (fd, done) => {
            descriptor.unsynced = true
            calls.ftruncate(fd, length, (error) => done(error))
          })
        : Effect.fail(badPosition({ operation: "truncate", path, length })),
    stat,
    size: Effect.flatMap(stat, (now) => sizeOf(read, now)),
    chmod: (mode) =>
      descriptor.call({ operation: "set the mode" }, (fd, done) => calls.fchmod(fd, mode, (error) => done(error))),
    chown: (uid, gid) =>
      descriptor.call({ operation: "set the owner" }, (fd, done) => calls.fchown(fd, uid, gid, (error) => done(error))),
    close: descriptor.close
  }
}

/**
 * Opens a regular file or a device for positional I/O, until the scope ends.
 *
 * **Details**
 *
 * Leaving the scope syncs what was written and not synced, and closes the file; there is nobody to report to any more,
 * so failures of these two are logged. To have them reported, end with `sync` and `close`. A fifo, a socket or a
 * directory is refused with `NotSeekableError`.
 *
 * On failure nothing is open; a file that `create` asked for may have been created.
 *
 * **Example** (Writing in place)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { PositionalFile } from "effect-multifd/io"
 *
 * const program = Effect.gen(function* () {
 *   const file = yield* PositionalFile.open("/tmp/ram", { access: "write", create: "if-missing" })
 *   yield* file.write(4096, new Uint8Array(4096).fill(1))
 *   yield* file.sync
 *   yield* file.close
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const open = (
  path: string,
  options: OpenOptions
): Effect.Effect<PositionalFile, FileError.FileError, Scope.Scope> =>
  Effect.acquireRelease(openDescriptor(path, options), (descriptor) =>
    descriptor.release({ sync: options.syncOnRelease ?? true })
  ).pipe(
    Effect.map(make),
    Effect.tap((file) => (options.identity === undefined ? Effect.void : assertSame(file, options.identity)))
  )
