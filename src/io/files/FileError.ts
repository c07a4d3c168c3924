/**
 * Errors of file operations, one class for each reaction of a caller.
 *
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import { codeOf } from "../internal/errno.ts"

const operations = [
  "open",
  "close",
  "read",
  "write",
  "sync",
  "truncate",
  "stat",
  "set the mode",
  "set the owner",
  "resolve",
  "rename",
  "link",
  "unlink",
  "sync the directory",
  "create the directory",
  "list the directory"
] as const

/**
 * The operation on the file.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Operation = (typeof operations)[number]

/**
 * The position of an error in a file and in a migration. Unknown fields are left out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Place {
  /** The step of the migration, such as `ram` or `device state`. */
  readonly step?: string | undefined
  /** The channel's number, from 0. */
  readonly channel?: number | undefined
  /** The RAM block's name. */
  readonly block?: string | undefined
  /** Byte offset in the RAM block. */
  readonly offset?: number | undefined
}

/**
 * The call that failed.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly operation: Operation
  readonly path: string
  /** Absolute file offset in bytes. */
  readonly position?: number | undefined
  /** Bytes requested; for a truncation, the new size. */
  readonly length?: number | undefined
}

const fields = {
  operation: Schema.Literals(operations),
  path: Schema.String,
  position: Schema.optional(Schema.Number),
  length: Schema.optional(Schema.Number),
  code: Schema.String,
  step: Schema.optional(Schema.String),
  channel: Schema.optional(Schema.Number),
  block: Schema.optional(Schema.String),
  offset: Schema.optional(Schema.Number),
  cause: Schema.optional(Schema.Defect())
}

/**
 * Formats the failed call and its place: `/x: write of 4096 bytes at 1048576 (ram, channel 2, block pc.ram at 8192)`.
 */
const where = (error: Call & Place): string => {
  const bytes = error.length === undefined ? "" : ` of ${error.length} bytes`
  const position = error.position === undefined ? "" : ` at ${error.position}`
  const inBlock = error.offset === undefined ? "" : ` at ${error.offset}`
  const place = [
    ...(error.step === undefined ? [] : [error.step]),
    ...(error.channel === undefined ? [] : [`channel ${error.channel}`]),
    ...(error.block === undefined ? [] : [`block ${error.block}${inBlock}`])
  ]
  return `${error.path}: ${error.operation}${bytes}${position}${place.length === 0 ? "" : ` (${place.join(", ")})`}`
}

/**
 * The operating system failed an operation for a reason without a class of its own in this module: `EIO`, `EMFILE`,
 * `EINVAL` and so on. `code` is the errno's name. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class FileIoError extends TaggedError<FileIoError>()("FileIoError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    const why = this.code === "EILSEQ" ? ": expected a path in UTF-8, found other bytes" : ""
    return `${where(this)} failed with ${this.code}${why}`
  }
}

/**
 * No space: the file system is full (`ENOSPC`), the quota is used up (`EDQUOT`), or the file would exceed the size
 * limit (`EFBIG`). Exit code 7.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class NoSpaceError extends TaggedError<NoSpaceError>()("NoSpaceError", fields) {
  override readonly [Runtime.errorExitCode] = 7
  override get message(): string {
    return `${where(this)}: no space left (${this.code})`
  }
}

/**
 * The process lacks the permission (`EACCES`, `EPERM`), the file system is read-only (`EROFS`), or the key of an
 * encrypted directory is missing (`ENOKEY`). Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class FilePermissionError extends TaggedError<FilePermissionError>()("FilePermissionError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this)}: not permitted (${this.code})`
  }
}

/**
 * The file, or a directory in its path, does not exist (`ENOENT`, `ENOTDIR`). Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class FileNotFoundError extends TaggedError<FileNotFoundError>()("FileNotFoundError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this)}: no such file or directory (${this.code})`
  }
}

/**
 * The file is not seekable: it is a FIFO, a socket or a directory (`code` is `ESPIPE` or `EISDIR`), and pages have
 * fixed offsets. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class NotSeekableError extends TaggedError<NotSeekableError>()("NotSeekableError", {
  ...fields,
  kind: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this)}: a ${this.kind} is not seekable; use a regular file or a block device`
  }
}

/**
 * The name refers to another file than before: another process replaced it. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class FileReplacedError extends TaggedError<FileReplacedError>()("FileReplacedError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this)}: another process replaced the file that was opened before`
  }
}

/**
 * The file is complete under its name, but its durability could not be confirmed: syncing its directory or closing the
 * file failed. A power cut may bring back the old content. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class UnconfirmedError extends TaggedError<UnconfirmedError>()("UnconfirmedError", {
  ...fields,
  /** The name of the file. */
  file: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    const left = `${this.file} is complete, but a power cut may bring back the old content`
    return `${where(this)} failed with ${this.code}: ${left}`
  }
}

/**
 * The file is too short: of `length` bytes expected at `position`, `found` exist. Exit code 5.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class UnexpectedEndOfFileError extends TaggedError<UnexpectedEndOfFileError>()("UnexpectedEndOfFileError", {
  ...fields,
  found: Schema.Number
}) {
  override readonly [Runtime.errorExitCode] = 5
  override get message(): string {
    return `${where(this)}: the file ends after ${this.found} of them`
  }
}

/**
 * The worker thread that moved bytes of the file has ended: it ran out of memory, or something outside ended it. The
 * file may hold some of the bytes. The next operation gets a new thread. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class WorkerDiedError extends TaggedError<WorkerDiedError>()("WorkerDiedError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this)}: the worker thread that did it has ended; do it again`
  }
}

/**
 * All errors of file operations.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type FileError =
  | FileIoError
  | NoSpaceError
  | FilePermissionError
  | FileNotFoundError
  | NotSeekableError
  | FileReplacedError
  | UnconfirmedError
  | UnexpectedEndOfFileError
  | WorkerDiedError

interface Fields extends Call, Place {
  readonly code: string
  readonly cause: unknown
}

const constructors = {
  FileIoError: (fields: Fields) => new FileIoError(fields),
  NoSpaceError: (fields: Fields) => new NoSpaceError(fields),
  FilePermissionError: (fields: Fields) => new FilePermissionError(fields),
  FileNotFoundError: (fields: Fields) => new FileNotFoundError(fields),
  FileReplacedError: (fields: Fields) => new FileReplacedError(fields),
  WorkerDiedError: (fields: Fields) => new WorkerDiedError(fields)
}

const tags: { readonly [code: string]: keyof typeof constructors } = {
  ENOSPC: "NoSpaceError",
  EDQUOT: "NoSpaceError",
  EFBIG: "NoSpaceError",
  EACCES: "FilePermissionError",
  EPERM: "FilePermissionError",
  EROFS: "FilePermissionError",
  ENOKEY: "FilePermissionError",
  EKEYEXPIRED: "FilePermissionError",
  EKEYREVOKED: "FilePermissionError",
  EKEYREJECTED: "FilePermissionError",
  ENOENT: "FileNotFoundError",
  ENOTDIR: "FileNotFoundError",
  ESTALE: "FileReplacedError"
}

/**
 * Converts the error of a system call to its class.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromCause = (call: Call, cause: unknown): FileError => {
  const code = codeOf(cause)
  if (code === "ESPIPE") return new NotSeekableError({ ...call, code, cause, kind: "pipe or terminal" })
  if (code === "EISDIR") return new NotSeekableError({ ...call, code, cause, kind: "directory" })
  return constructors[tags[code] ?? "FileIoError"]({ ...call, code, cause })
}

/**
 * Marks a failure that leaves the file complete under its name.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const unconfirmed =
  (name: string) =>
  ({ cause, code, operation, path }: FileError): UnconfirmedError =>
    new UnconfirmedError({ operation, path, code, file: name, cause })

/**
 * Adds the place in the migration to an error; fields that the error already has are kept.
 *
 * **Example** (Naming the channel)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { FileError } from "effect-multifd"
 *
 * const onChannel = <A>(id: number, self: Effect.Effect<A, FileError.FileError>) =>
 *   Effect.mapError(self, FileError.at({ step: "ram", channel: id }))
 * ```
 *
 * @stability stable
 * @category combinators
 * @since 0.1.0
 */
export const at: {
  (place: Place): (self: FileError) => FileError
  (self: FileError, place: Place): FileError
} = dual(2, (self: FileError, place: Place): FileError => {
  const fields = {
    operation: self.operation,
    path: self.path,
    position: self.position,
    length: self.length,
    code: self.code,
    step: self.step ?? place.step,
    channel: self.channel ?? place.channel,
    block: self.block ?? place.block,
    offset: self.offset ?? place.offset,
    cause: self.cause
  }
  switch (self._tag) {
    case "NotSeekableError":
      return new NotSeekableError({ ...fields, kind: self.kind })
    case "UnconfirmedError":
      return new UnconfirmedError({ ...fields, file: self.file })
    case "UnexpectedEndOfFileError":
      return new UnexpectedEndOfFileError({ ...fields, found: self.found })
    default:
      return constructors[self._tag](fields)
  }
})
