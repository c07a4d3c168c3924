import * as Effect from "effect/Effect"
import * as ImageNotes from "../../format/ImageNotes.ts"
import * as AtomicFile from "../../io/AtomicFile.ts"
import type { FileError } from "../../io/FileError.ts"
import * as FileIdentity from "../../io/FileIdentity.ts"
import type { RateLimit } from "../../multifd/RateLimit.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import type { ImageBlock } from "../Image.ts"
import type * as Live from "../Live.ts"
import type { Location } from "../Location.ts"
import type { WriteOptions } from "../Migration.ts"
import { MigrationRequestError } from "../MigrationRequestError.ts"
import * as Convergence from "./convergence.ts"

type Operation = MigrationRequestError["operation"]

/**
 * Fails if there is a problem.
 *
 * @internal
 */
export const refuse = (
  operation: Operation,
  problems: ReadonlyArray<string>
): Effect.Effect<void, MigrationRequestError> => {
  const [first, ...rest] = problems
  return first === undefined
    ? Effect.void
    : Effect.fail(new MigrationRequestError({ operation, problems: [first, ...rest] }))
}

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
 * Whether what is written can have its notes, and can be kept: without checksums, nothing could be made of it.
 *
 * @internal
 */
export const keepProblems = ({
  checkpointBytes = 1,
  keepPartial,
  notes,
  seal
}: Pick<WriteOptions, "seal" | "notes" | "keepPartial" | "checkpointBytes">): ReadonlyArray<string> => [
  ...ImageNotes.problems(notes),
  ...(keepPartial === true && seal === false
    ? ["expected checksums where what was written is to be kept, found none"]
    : []),
  ...(checkpointBytes > 0 ? [] : [`expected more than 0 bytes between two checkpoints, found ${checkpointBytes}`])
]

/**
 * Whether the numbers of a live migration are in their ranges.
 *
 * @internal
 */
export const liveProblems = (live: Live.Options<unknown> | undefined): ReadonlyArray<string> =>
  live === undefined ? [] : Convergence.problems(Convergence.settings(live))

/**
 * Whether a target that is written in place is another file than the one that is still being read from.
 *
 * @internal
 */
export const checkTarget = Effect.fnUntraced(function* (
  target: Location,
  origin: FileIdentity.FileIdentity | undefined
): Effect.fn.Return<void, MigrationRequestError | FileError> {
  if (origin === undefined) return
  const existing = yield* FileIdentity.ofPath(target.path)
  if (existing === undefined || !FileIdentity.equals(existing, origin)) return
  if (!AtomicFile.isInPlace(target, existing)) return
  yield* refuse("save", [`expected another file to write to in place, found the source itself: ${target.path}`])
})

const misfit = (block: RamBlock.Shape, source: ImageBlock | undefined): ReadonlyArray<string> => {
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
 * Whether blocks can take the pages of an image: each one is in it, with the same shape.
 *
 * @internal
 */
export const checkRestore = (
  blocks: ReadonlyArray<RamBlock.Shape>,
  sources: ReadonlyMap<string, ImageBlock>
): Effect.Effect<void, MigrationRequestError> =>
  refuse("restore", [...repeated(blocks), ...blocks.flatMap((block) => misfit(block, sources.get(block.idstr)))])
