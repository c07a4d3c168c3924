/**
 * RAM blocks with their pages in a file or a device.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { PageReader } from "../../ram/PageReader.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { PageWriter } from "../../ram/PageWriter.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import * as ZeroPages from "../../ram/ZeroPages.ts"
import { FileCalls, type Stat } from "./FileCalls.ts"
import type { FileError } from "./FileError.ts"
import * as FileIdentity from "./FileIdentity.ts"
import { syncName, unlink } from "./internal/directory.ts"
import { fileKind } from "./internal/fileKind.ts"
import * as PositionalFile from "./PositionalFile.ts"

/**
 * Options of a block in a file.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** QEMU's name of the block: 1 to 255 bytes of UTF-8. */
  readonly idstr: string
  /** A regular file, on disk or in /dev/shm, or a device. */
  readonly path: string
  /** Byte offset of the block in the file; default 0. */
  readonly offset?: number | undefined
  /** Bytes of the block. Default: everything from `offset` to the end of the file or device. */
  readonly length?: number | undefined
  /** Bytes in one page; 4096 by default. */
  readonly pageSize?: number | undefined
}

/**
 * Bytes checked per read when pages are zeroed, and the size of the buffer for it: per byte, larger reads are no
 * faster.
 */
const pieceLength = 1024 * 1024

const zeros = new Uint8Array(pieceLength)

const reader = (file: PositionalFile.PositionalFile, offset: number): PageReader<FileError> => ({
  present: undefined,
  view: undefined,
  readInto: (at, target) => file.readExtents([{ position: offset + at, bytes: target }]),
  inFile: file.inFile?.("read", offset)
})

/** Writes zeros only over nonzero bytes, so that holes stay holes. */
const zeroPiece = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  position: number,
  bytes: Uint8Array,
  pageSize: number
): Effect.fn.Return<void, FileError> {
  yield* file.readExtents([{ position, bytes }])
  const { normal } = ZeroPages.split(bytes, pageSize, PageRuns.all(bytes.length / pageSize))
  const extents: Array<PositionalFile.Extent> = []
  PageRuns.forEach(normal, (first, count) =>
    extents.push({ position: position + first * pageSize, bytes: zeros.subarray(0, count * pageSize) })
  )
  yield* file.writeExtents(extents)
})

/** Keeps as many buffers as there were overlapping calls, which is at most the number of channels. */
const zeroing = (
  file: PositionalFile.PositionalFile,
  offset: number,
  pageSize: number
): PageWriter<FileError>["zero"] => {
  const spare: Array<Uint8Array> = []
  return Effect.fnUntraced(function* (at: number, length: number): Effect.fn.Return<void, FileError> {
    const buffer = spare.pop() ?? new Uint8Array(pieceLength)
    for (let done = 0; done < length; done += pieceLength) {
      const piece = buffer.subarray(0, Math.min(pieceLength, length - done))
      yield* zeroPiece(file, offset + at + done, piece, pageSize)
    }
    spare.push(buffer)
  })
}

/** The block's shape, if a migration can carry it and the range is inside the existing or possible file. */
const shapeInside = Effect.fnUntraced(function* (
  options: Options,
  size: number,
  room: number
): Effect.fn.Return<RamBlock.Shape, RamBlock.RamBlockError> {
  const offset = options.offset ?? 0
  const shape = yield* RamBlock.validate({
    idstr: options.idstr,
    usedLength: options.length ?? size - offset,
    pageSize: options.pageSize ?? RamBlock.defaultPageSize
  })
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + shape.usedLength <= room) return shape
  return yield* new RamBlock.RamBlockError({
    idstr: options.idstr,
    property: "usedLength",
    expected: `a range inside ${room} bytes of ${options.path}`,
    found: `${shape.usedLength} bytes from ${offset} on`
  })
})

/** The storage of the block. A character device such as /dev/zero stores nothing, so nothing can overlap with it. */
const storageOf = (
  { offset = 0, path }: Options,
  { usedLength }: RamBlock.Shape,
  stat: Stat
): RamBlock.Storage | undefined =>
  fileKind(stat) === "character device"
    ? undefined
    : { file: FileIdentity.key(stat), path, start: offset, end: offset + usedLength }

const forReading = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<RamBlock.Readable<FileError>, RamBlock.RamBlockError | FileError, Scope.Scope> {
  const file = yield* PositionalFile.open(options.path, { access: "read" })
  const size = yield* file.size
  const shape = yield* shapeInside(options, size, size)
  const storage = storageOf(options, shape, yield* file.stat)
  return { ...shape, storage, reader: reader(file, options.offset ?? 0) }
})

interface Opened {
  readonly file: PositionalFile.PositionalFile
  readonly created: boolean
}

/** Makes the file as long as necessary, or leaves it unchanged. */
const create = (path: string, size: number): Effect.Effect<Opened, FileError, Scope.Scope> =>
  Effect.gen(function* () {
    const calls = yield* FileCalls
    const file = yield* PositionalFile.open(path, { access: "read-write", create: "exclusive" })
    yield* Effect.onError(file.truncate(size), () => Effect.ignore(unlink(calls, path), { log: "Error" }))
    return { file, created: true }
  }).pipe(Effect.uninterruptible)

const openOrCreate = (options: Options): Effect.Effect<Opened, FileError, Scope.Scope> => {
  const { length, offset = 0, path } = options
  const existing = PositionalFile.open(path, { access: "read-write" }).pipe(
    Effect.map((file) => ({ file, created: false }))
  )
  return length === undefined
    ? existing
    : Effect.catchTag(existing, "FileNotFoundError", () => create(path, offset + length))
}

const forWriting = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<RamBlock.RamBlock<FileError>, RamBlock.RamBlockError | FileError, Scope.Scope> {
  const offset = options.offset ?? 0
  if (options.length !== undefined) yield* shapeInside(options, 0, Number.MAX_SAFE_INTEGER)
  const { created, file } = yield* openOrCreate(options)
  const size = yield* file.size
  const stat = yield* file.stat
  const isFile = fileKind(stat) === "file"
  const shape = yield* shapeInside(options, size, isFile ? Number.MAX_SAFE_INTEGER : size)
  const end = offset + shape.usedLength
  if (isFile && size < end) yield* file.truncate(end)
  return {
    ...shape,
    storage: storageOf(options, shape, stat),
    reader: reader(file, offset),
    writer: {
      fresh: created || (isFile && size <= offset),
      view: undefined,
      write: (at, data) => file.write(offset + at, data),
      zero: zeroing(file, offset, shape.pageSize),
      inFile: file.inFile?.("write", offset),
      sync: created ? Effect.andThen(file.sync, syncName(yield* FileCalls, options.path)) : file.sync
    }
  }
})

/**
 * Makes a block over a range of a file or device. Only the batches in progress are held in memory.
 *
 * **Details**
 *
 * With `read` the range must exist. With `read-write`, a missing file is created (mode 0600; `length` is required) and
 * a short file grows without taking space. For a new range, `writer.fresh` is `true`. Zeroing writes only over nonzero
 * pages, so a sparse file stays sparse. The file is open until the scope ends. Writes go to the file itself: a failed
 * restore leaves it half-written, or newly created.
 *
 * Fails with `RamBlockError` if the range is not a whole number of pages or not inside the file or device. If another
 * process truncates the file later, reads fail with `UnexpectedEndOfFileError`.
 *
 * **Example** (Guest RAM in shared memory)
 *
 * ```ts
 * import { FilePages } from "effect-multifd"
 *
 * const source = FilePages.make({ idstr: "pc.ram", path: "/dev/shm/guest", access: "read" })
 * const target = FilePages.make({ idstr: "pc.ram", path: "/dev/shm/other", length: 2 ** 30, access: "read-write" })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export function make(
  options: Options & { readonly access: "read" }
): Effect.Effect<RamBlock.Readable<FileError>, RamBlock.RamBlockError | FileError, Scope.Scope>
export function make(
  options: Options & { readonly access: "read-write" }
): Effect.Effect<RamBlock.RamBlock<FileError>, RamBlock.RamBlockError | FileError, Scope.Scope>
export function make(
  options: Options & { readonly access: "read" | "read-write" }
): Effect.Effect<RamBlock.Readable<FileError>, RamBlock.RamBlockError | FileError, Scope.Scope> {
  return options.access === "read" ? forReading(options) : forWriting(options)
}
