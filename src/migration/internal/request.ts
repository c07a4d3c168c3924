import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { FileError } from "../../io/files/FileError.ts"
import * as FileIdentity from "../../io/files/FileIdentity.ts"
import type { SocketAddress } from "../../io/sockets/SocketAddress.ts"
import type { RateLimit } from "../../transfer/RateLimit.ts"
import * as Options from "../../ram/Options.ts"
import * as Problem from "../../ram/Problem.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import type { SnapshotSource, SourceBlock } from "../../snapshot/SnapshotSource.ts"
import type { Location } from "../../image/Location.ts"
import * as BlocksApart from "../../snapshot/BlocksApart.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"
import type { Place, SnapshotTarget } from "../../snapshot/SnapshotTarget.ts"

export { refuse }

const OTHER_FILE = "write to another file"

type Operation = MigrationRequestError["operation"]

/**
 * QEMU's own default of `multifd-channels`: both sides of a socket must use the same number, and do not negotiate it.
 * @internal
 */
export const DEFAULT_SOCKET_CHANNELS = 2

const UUID_BYTES = 16

const isPageSize = (size: unknown): boolean =>
  typeof size === "number" &&
  size >= RamBlock.minPageSize &&
  size <= RamBlock.maxPageSize &&
  Number.isInteger(Math.log2(size))

const isBandwidth = (limit: unknown): boolean => typeof limit !== "number" || (limit >= 0 && Number.isFinite(limit))

const schema = Schema.Struct({
  maxBandwidth: Schema.optional(Options.where<number | RateLimit>(isBandwidth, "0 or more bytes a second")),
  pageSize: Schema.optional(
    Options.where<number>(isPageSize, `a power of two from ${RamBlock.minPageSize} to ${RamBlock.maxPageSize} bytes`)
  ),
  uuid: Schema.optional(
    Options.where<Uint8Array>((uuid) => uuid instanceof Uint8Array && uuid.length === UUID_BYTES, `${UUID_BYTES} bytes`)
  )
})

/**
 * All problems with the options that operations share; absent options are not checked.
 *
 * @internal
 */
export const optionProblems: (options: Partial<typeof schema.Encoded>) => ReadonlyArray<Problem.Problem> =
  Options.problems(schema)

/**
 * A compression method needs its codec, and channels that carry its payloads.
 *
 * @internal
 */
export const methodProblems = (method: string, codec: unknown, channels: number): ReadonlyArray<Problem.Problem> =>
  method === "none"
    ? []
    : [
        ...(codec === undefined
          ? [Problem.make(`no codec is registered for ${method}`, "provide one with Codecs, or use no compression")]
          : []),
        ...(channels === 0
          ? [Problem.make(`${method} needs multifd, and channels is 0`, "use one channel or more, or no compression")]
          : [])
      ]

const repeated = (blocks: ReadonlyArray<RamBlock.Shape>): ReadonlyArray<Problem.Problem> => {
  const names = blocks.map((block) => block.idstr)
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => Problem.make(`two blocks are called "${name}"`, "give each block a different name"))
}

/**
 * Checks that blocks can go into one image or one migration: each valid, unique names, one page size.
 *
 * @internal
 */
export const checkBlocks = Effect.fnUntraced(function* (
  operation: Operation,
  blocks: ReadonlyArray<RamBlock.Shape>
): Effect.fn.Return<void, MigrationRequestError | RamBlock.RamBlockError> {
  yield* Effect.forEach(blocks, RamBlock.validate, { discard: true })
  const [first, ...rest] = blocks
  const sizes = rest
    .filter((block) => block.pageSize !== first?.pageSize)
    .map((block) =>
      Problem.make(
        `the block "${first?.idstr}" has pages of ${first?.pageSize} bytes, and "${block.idstr}" of ${block.pageSize}`,
        "use one page size for all blocks"
      )
    )
  yield* refuse(operation, [
    ...(first === undefined ? [Problem.make("there is no RAM block", "name at least one")] : []),
    ...repeated(blocks),
    ...sizes
  ])
})

/** The files that are read while a target is written. */
interface Reading {
  readonly blocks: ReadonlyArray<RamBlock.Shape & RamBlock.Stored>
  /** The file from which everything except pages is read. */
  readonly origin: FileIdentity.FileIdentity | undefined
  /** The part of it that a snapshot occupies. Default: all. */
  readonly storage: RamBlock.Storage | undefined
}

const isSource = ({ origin, storage }: Reading, place: Place): boolean =>
  storage === undefined
    ? origin !== undefined && FileIdentity.key(origin) === place.file
    : BlocksApart.overlaps(storage, place)

const conflicts = (reading: Reading, place: Place): ReadonlyArray<Problem.Problem> => {
  if (!isSource(reading, place)) return reading.blocks.flatMap(overwritten(place))
  const { inPlace, path } = place
  return inPlace ? [Problem.make(`${path} is the source itself, and is written in place`, OTHER_FILE)] : []
}

/**
 * Refuses a target that writes to a file that is still being read. A file that is replaced completely may be the
 * source: it is read to its end first.
 *
 * @internal
 */
export const checkApart = (
  operation: Operation,
  reading: Reading,
  { places = [] }: SnapshotTarget<unknown, unknown>
): Effect.Effect<void, MigrationRequestError> =>
  refuse(
    operation,
    places.flatMap((place) => conflicts(reading, place))
  )

/**
 * Checks that the recovered image goes to another file than the damaged one, which may have the only copy of some
 * pages.
 *
 * @internal
 */
export const checkOther = Effect.fnUntraced(function* (
  source: Location,
  target: Location
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  const [from, to] = yield* Effect.all([source, target].map(({ path }) => FileIdentity.ofPath(path)))
  if (from === undefined || to === undefined || !FileIdentity.equals(from, to)) return
  yield* refuse("recover", [Problem.make(`${target.path} is the source itself`, OTHER_FILE)])
})

/**
 * Checks that a target has another name than the socket that its sender connects to, which is removed at the end.
 *
 * @internal
 */
export const checkSocket = Effect.fnUntraced(function* (
  { places = [] }: SnapshotTarget<unknown, unknown>,
  listen: SocketAddress
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  if (listen._tag !== "Unix" || places.length === 0) return
  // The socket reports a missing directory; in a simulation it is on a separate network.
  const ofSocket = FileIdentity.destination(listen.path)
  const socket = yield* Effect.catchTag(ofSocket, "FileNotFoundError", () => Effect.undefined)
  for (const { path } of places) {
    const { key } = yield* FileIdentity.destination(path)
    if (key !== socket?.key) continue
    yield* refuse("receive", [Problem.make(`${path} is also the path of the socket`, OTHER_FILE)])
  }
})

/** A block inside the part that is written. */
const overwritten =
  (place: Place) =>
  ({ idstr, storage }: RamBlock.Shape & RamBlock.Stored): ReadonlyArray<Problem.Problem> => {
    if (storage === undefined || !BlocksApart.overlaps(storage, place)) return []
    const name = storage.path === place.path ? "" : `, which is also called ${storage.path}`
    return [Problem.make(`${place.path} holds the block "${idstr}"${name}`, OTHER_FILE)]
  }

const misfit = (block: RamBlock.Shape, source: SourceBlock<unknown> | undefined): ReadonlyArray<Problem.Problem> => {
  const { idstr } = block
  if (source === undefined) return [Problem.make(`the image has no block "${idstr}"`, "leave it out")]
  const { pageSize, usedLength } = source
  if (source.ignored) return [Problem.make(`the image was saved without the pages of "${idstr}"`, "leave it out")]
  return [
    ...(block.usedLength === usedLength
      ? []
      : [Problem.make(`"${idstr}" is ${block.usedLength} bytes long`, `use ${usedLength} bytes, as in the image`)]),
    ...(block.pageSize === pageSize
      ? []
      : [Problem.make(`"${idstr}" has pages of ${block.pageSize} bytes`, `use ${pageSize} bytes, as in the image`)])
  ]
}

/**
 * Checks that blocks can take the pages of a snapshot: each one is in it, with the same shape, and overlaps neither the
 * snapshot nor another block.
 *
 * @internal
 */
export const checkRestore = (
  blocks: ReadonlyArray<RamBlock.Shape & RamBlock.Stored>,
  { blocks: sources, storage }: SnapshotSource<unknown>
): Effect.Effect<void, MigrationRequestError> =>
  refuse("restore", [
    ...repeated(blocks),
    ...blocks.flatMap((block) =>
      misfit(
        block,
        sources.find(({ idstr }) => idstr === block.idstr)
      )
    ),
    ...blocks
      .filter((block) => BlocksApart.overlaps(block.storage, storage))
      .map(({ idstr, storage }) =>
        Problem.make(`the block "${idstr}" would overwrite the image itself: ${storage?.path}`, OTHER_FILE)
      ),
    ...BlocksApart.problems(blocks)
  ])
