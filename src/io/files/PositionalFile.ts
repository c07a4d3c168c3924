/**
 * A file with reads and writes by position.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { type Calls, FileCalls, node as nodeCalls, type Stat } from "./FileCalls.ts"
import * as FileError from "./FileError.ts"
import * as FileIdentity from "./FileIdentity.ts"
import { Descriptor } from "./internal/descriptor.ts"
import { deviceSize } from "./internal/deviceSize.ts"
import { type FileKind, fileKind, seekableKind } from "./internal/fileKind.ts"
import { badPosition, isPosition } from "./internal/position.ts"
import { systemCall } from "./internal/systemCall.ts"
import { ThreadMover } from "./internal/threadMover.ts"
import { transfer } from "./internal/transfer.ts"
import { failureOf } from "./internal/transferFailure.ts"
import type { PositionalFile } from "./internal/positionalFileModel.ts"

export type { Extent, PositionalFile } from "./internal/positionalFileModel.ts"

/**
 * Options of opening a file.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface OpenOptions {
  readonly access: "read" | "write" | "read-write"
  /**
   * Creation of the file. `never` (default): it must exist. `exclusive`: it must not exist. `if-missing`: create it if
   * necessary.
   */
  readonly create?: "never" | "exclusive" | "if-missing" | undefined
  /** Permissions of a created file, before the umask. Default 0o600: guest memory is private. */
  readonly mode?: number | undefined
  /**
   * Bypasses the page cache (`O_DIRECT`, Linux). Default false; fails with `EINVAL` if the file system does not support
   * it.
   */
  readonly directIo?: boolean | undefined
  /**
   * Moves bytes in the calling thread if the file is in memory (tmpfs) and the machine has at most two processors, for
   * as long as that is quick. By default the thread pool does it. For callers with other work for the second processor
   * than copying. The event loop gets a turn after 2 ms.
   */
  readonly inThread?: boolean | undefined
  /**
   * `true` to sync, when the scope ends, the writes since the last `sync`; this happens after a failure or an
   * interruption. Default true.
   */
  readonly syncOnRelease?: boolean | undefined
  /** The expected identity of the file; fails with `FileReplacedError` if it is another file. */
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

/** Opening a FIFO waits for its other end and cannot be interrupted, so check the kind before opening. */
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

/** Another thread makes Node's own calls, so it may not be used if they are replaced. */
const isLendable = ({ calls, directIo }: Descriptor): boolean =>
  calls.read === nodeCalls.read && calls.write === nodeCalls.write && !directIo

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
    close: descriptor.close,
    inFile: isLendable(descriptor)
      ? (direction, position) => ({
          position,
          lend: (use) => descriptor.lend(direction, use),
          failure: failureOf(path)
        })
      : undefined
  }
}

/**
 * Opens a regular file or a device for positional I/O, until the scope ends.
 *
 * **Details**
 *
 * Leaving the scope syncs unsynced writes and closes the file. Failures of these two can no longer be reported, so they
 * are logged. To have them reported, finish with `sync` and `close`. A FIFO, a socket or a directory is refused with
 * `NotSeekableError`.
 *
 * After a failure nothing is open; a file requested by `create` may have been created.
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
