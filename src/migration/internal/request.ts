import * as Effect from "effect/Effect"
import * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as FileIdentity from "../../io/files/FileIdentity.ts"
import type { SocketAddress } from "../../io/sockets/SocketAddress.ts"
import type { RateLimit } from "../../transfer/RateLimit.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import type { SnapshotSource, SourceBlock } from "../../snapshot/SnapshotSource.ts"
import type * as Live from "../../snapshot/Live.ts"
import type { Location } from "../../image/Location.ts"
import * as BlocksApart from "../../snapshot/BlocksApart.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"
import * as Convergence from "./convergence.ts"

export { refuse }

type Operation = MigrationRequestError["operation"]

/** QEMU's own default of `multifd-channels`: both sides of a socket have to agree, and are not asked. @internal */
export const DEFAULT_SOCKET_CHANNELS = 2

const UUID_BYTES = 16

/** @internal */
export const uuidProblems = (uuid: Uint8Array | undefined): ReadonlyArray<string> =>
  uuid === undefined || uuid.length === UUID_BYTES
    ? []
    : [`expected a uuid of ${UUID_BYTES} bytes, found ${uuid.length}`]

const repeated = (blocks: ReadonlyArray<RamBlock.Shape>): ReadonlyArray<string> => {
  const names = blocks.map((block) => block.idstr)
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => `expected one block of each name, found another one called "${name}"`)
}

/**
 * Whether blocks can go into one image or one migration: each valid, no name twice, one page size for all.
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
    .map(
      (block) =>
        `expected pages of ${first?.pageSize} bytes in all blocks as in "${first?.idstr}", found ${block.pageSize} in "${block.idstr}"`
    )
  yield* refuse(operation, [
    ...(first === undefined ? ["expected at least one RAM block, found none"] : []),
    ...repeated(blocks),
    ...sizes
  ])
})

/**
 * Whether a limit is one.
 *
 * @internal
 */
export const bandwidthProblems = (maxBandwidth: number | RateLimit | undefined): ReadonlyArray<string> =>
  typeof maxBandwidth !== "number" || (maxBandwidth >= 0 && Number.isFinite(maxBandwidth))
    ? []
    : [`expected a bandwidth of 0 or more bytes a second, found ${maxBandwidth}`]

/**
 * Whether the numbers of a live migration are in their ranges.
 *
 * @internal
 */
export const liveProblems = (live: Live.Options<unknown> | undefined): ReadonlyArray<string> =>
  live === undefined ? [] : Convergence.problems(Convergence.settings(live))

/**
 * Whether a target is another file than those that are still being read from, or a part of one that nothing is read from. An
 * image that is replaced as a whole may be the one that the machine is from: it is read to its end before.
 *
 * @internal
 */
export const checkTarget = Effect.fnUntraced(function* (
  target: Location,
  origin: FileIdentity.FileIdentity | undefined,
  blocks: ReadonlyArray<RamBlock.Shape & RamBlock.Stored>
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  const existing = yield* FileIdentity.ofPath(target.path)
  if (existing === undefined) return
  const isOrigin = origin !== undefined && FileIdentity.equals(existing, origin)
  const inPlace = AtomicFile.isInPlace(target, existing)
  if (isOrigin) {
    const itself = `expected another file to write to in place, found the source itself: ${target.path}`
    return yield* refuse("save", inPlace ? [itself] : [])
  }
  const { offset = 0, path } = target
  yield* refuse("save", blocks.flatMap(overwritten({ path, start: offset, identity: existing })))
})

/**
 * Whether what is recovered goes to another file than the damaged one, which may be all that is left of some pages.
 *
 * @internal
 */
export const checkOther = Effect.fnUntraced(function* (
  source: Location,
  target: Location
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  const [from, to] = yield* Effect.all([source, target].map(({ path }) => FileIdentity.ofPath(path)))
  if (from === undefined || to === undefined || !FileIdentity.equals(from, to)) return
  yield* refuse("recover", [`expected another file to write to, found the source itself: ${target.path}`])
})

/**
 * Whether an image gets another name than the socket that its sender connects to, which is removed in the end.
 *
 * @internal
 */
export const checkSocket = Effect.fnUntraced(function* (
  target: Location,
  listen: SocketAddress
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  if (listen._tag !== "Unix") return
  const image = yield* FileIdentity.destination(target.path)
  // A directory that is missing is told by the socket, which is on a network of its own in a simulation.
  const ofSocket = FileIdentity.destination(listen.path)
  const socket = yield* Effect.catchTag(ofSocket, "FileNotFoundError", () => Effect.undefined)
  if (image.key !== socket?.key) return
  yield* refuse("receive", [
    `expected another path for the image than that of the socket, found the same: ${target.path}`
  ])
})

/** A block that lies in what a file has from `start` on: an image takes all of that. */
const overwritten =
  (file: { readonly path: string; readonly start: number; readonly identity: FileIdentity.FileIdentity }) =>
  ({ idstr, storage }: RamBlock.Shape & RamBlock.Stored): ReadonlyArray<string> => {
    if (storage === undefined || storage.file !== FileIdentity.key(file.identity) || storage.end <= file.start)
      return []
    const name = storage.path === file.path ? "" : `, which is also called ${storage.path}`
    return [`expected another file for the image than that of block "${idstr}", found the same: ${file.path}${name}`]
  }

const misfit = (block: RamBlock.Shape, source: SourceBlock<unknown> | undefined): ReadonlyArray<string> => {
  if (source === undefined) return [`expected a block that the image has, found "${block.idstr}"`]
  const { idstr, pageSize, usedLength } = source
  if (source.ignored)
    return [`expected a block with pages in the image, found "${idstr}", which was saved without them`]
  return [
    ...(block.usedLength === usedLength
      ? []
      : [`expected ${usedLength} bytes for block "${idstr}" as in the image, found ${block.usedLength}`]),
    ...(block.pageSize === pageSize
      ? []
      : [`expected pages of ${pageSize} bytes for block "${idstr}" as in the image, found ${block.pageSize}`])
  ]
}

/**
 * Whether blocks can take the pages of a snapshot: each one is in it, with the same shape, and lies apart from the snapshot and
 * from the others.
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
      .map(
        ({ idstr, storage }) =>
          `expected another file for block "${idstr}" than that of the image, found that it would overwrite the image itself: ${storage?.path}`
      ),
    ...BlocksApart.problems(blocks)
  ])
