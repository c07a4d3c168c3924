import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import * as ImageStream from "../../format/image/ImageStream.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as PageDigests from "../../format/seal/PageDigests.ts"
import * as PartialSeal from "../../format/seal/PartialSeal.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type * as SyncAhead from "../SyncAhead.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import type * as ImageTarget from "./imageTargetModel.ts"
import * as Invariant from "../../ram/Invariant.ts"
import * as Integrity from "../Integrity.ts"
import type { MachineHeader, Prepared, RamEnd } from "../../snapshot/SnapshotTarget.ts"
import { digestRest } from "./digestRest.ts"
import * as Placing from "./placing.ts"
import { digestPending } from "./digestPending.ts"
import { sealedBlocks, type Targets, writeSealOf } from "./writeSeal.ts"

/**
 * An image in progress. Data outside the pages is written in this order, the pages at any time between `make` and
 * `writeHead`:
 *
 * ```text
 *   make        the place of everything
 *   writeEnd    RAM's END after the last page region; the device state goes where it says
 *   writeHead   bitmaps, and the stream between the page regions, but for its first piece
 *   finish      checksums of all of it, after the stream
 *   sync        fdatasync, the mark of the seal, the first piece, as the image takes its place (`placing`)
 * ```
 *
 * The mark comes when everything it covers is durable. The first bytes of the stream come last: data written in place
 * is not an image until it is complete.
 *
 * @internal
 */
export interface ImageWriter {
  readonly file: PositionalFile
  /** The name by which further descriptors of the file are opened. */
  readonly path: string
  /** The destination of each block's pages, by `idstr`; without the blocks that are left out. */
  readonly targets: Targets
  /** Settings for syncing the file while pages are written. */
  readonly syncing: Pick<SyncAhead.Options, "around" | "threshold">
  /** Succeeds with the position at which the device state begins. */
  readonly writeEnd: (end: RamEnd) => Effect.Effect<number, FileError>
  /** Call it when no more page is written and no more bit is set. */
  readonly writeHead: Effect.Effect<void, FileError>
  /**
   * Call it when all but the first piece is written, up to the end of the stream. `late` are notes that were not known
   * at the start.
   */
  readonly finish: (end: number, late?: ImageNotes.ImageNotes) => Effect.Effect<Prepared<void, FileError>, FileError>
}

/** Blocks saved without their pages stay so; only then the image has `x-ignore-shared`. */
const configurationOf = (
  { configuration }: Pick<MachineHeader, "configuration">,
  blocks: ReadonlyArray<ImageStream.HeadBlock>
): MigrationStream.Configuration | undefined => {
  if (configuration === undefined) return undefined
  const anyIgnored = blocks.some((block) => block.ignored === true)
  const shared = MigrationStream.withCapability(configuration, "x-ignore-shared", anyIgnored)
  return MigrationStream.withCapability(shared, "mapped-ram", true)
}

const targetsOf = ({ blocks }: ImageStream.ImageHead, seal: Integrity.Settings | undefined): Targets =>
  new Map(
    blocks
      .filter((block) => !block.ignored)
      .map(({ header, idstr, usedLength }) => {
        const { pageSize, pagesOffset } = header
        const bitmap = PageBitmap.make(usedLength / pageSize)
        const shape = { idstr, usedLength, pageSize }
        const digests = seal === undefined ? undefined : PageDigests.make({ ...seal, shape, bitmap })
        return [idstr, { pagesOffset, bitmap, digests }] as const
      })
  )

const digestsOf = (targets: Targets): ReadonlyArray<PageDigests.PageDigests> =>
  Array.from(targets.values()).flatMap(({ digests }) => digests ?? [])

/** Writes the seal of an image whose stream ends at `end`, and succeeds with its mark. */
const sealImage = Effect.fnUntraced(function* (
  file: PositionalFile,
  head: ImageStream.ImageHead,
  options: {
    readonly end: number
    readonly targets: Targets
    readonly settings: Integrity.Settings
    readonly notes: ImageNotes.ImageNotes
  }
): Effect.fn.Return<ImageStream.Piece, FileError> {
  const { end, notes, settings, targets } = options
  const { algorithm, extentSize } = settings
  const { blocks, pieces } = head
  const [first] = pieces
  const start = Invariant.defined(first, "a stream begins with a piece").position
  const rest = yield* digestRest(file, ImageSeal.restOf({ start, end, blocks }), { algorithm, first })
  yield* digestPending(digestsOf(targets))
  return yield* writeSealOf(file, {
    position: Invariant.defined(SealMark.position(blocks), "an image of blocks with bitmaps has room for a mark"),
    key: settings.key,
    seal: {
      algorithm,
      extentSize,
      start,
      end,
      rest,
      blocks: sealedBlocks(blocks, targets),
      notes
    }
  })
})

const writeBitmaps = (
  file: PositionalFile,
  { blocks }: ImageStream.ImageHead,
  targets: Targets
): Effect.Effect<void, FileError> =>
  Effect.forEach(
    blocks,
    ({ header, idstr }) => {
      const target = targets.get(idstr)
      return target === undefined ? Effect.void : file.write(header.bitmapOffset, target.bitmap.bytes)
    },
    { discard: true }
  )

/**
 * Lays out an image in a file that is to be replaced completely.
 *
 * **Failure effect**: that of `AtomicFile`; in place, the old image is lost.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  opening: Omit<MachineHeader, "blocks">,
  blocks: ReadonlyArray<ImageStream.HeadBlock>,
  options: Pick<ImageTarget.Options, "seal" | "keepPartial" | "checkpointBytes"> & {
    readonly notes?: ImageNotes.ImageNotes
  } = {}
): Effect.fn.Return<ImageWriter, FileError, Scope.Scope> {
  const { checkpointBytes: interval, notes = ImageNotes.empty, seal = {} } = options
  const { file, origin, path } = target
  const settings = seal === false ? undefined : Integrity.forBlocks(seal, blocks)
  const kept = options.keepPartial === true && !target.inPlace ? settings : undefined
  const withPages = blocks.filter(({ ignored }) => ignored !== true)
  const length = kept === undefined ? 0 : PartialSeal.byteLength(withPages, { ...kept, notes })
  const head = ImageStream.head({
    start: origin,
    configuration: configurationOf(opening, blocks),
    prelude: opening.prelude,
    sectionId: opening.ramSectionId,
    blocks,
    room: kept === undefined ? 0 : PartialSeal.room(length)
  })
  const targets = targetsOf(head, settings)
  const [begin, ...pieces] = head.pieces
  const first = Invariant.defined(begin, "a stream begins with a piece")
  const place = { target, head, first }
  const placing =
    kept !== undefined
      ? yield* Placing.kept(place, { targets, settings: kept, notes, length, interval })
      : target.inPlace
        ? yield* Placing.inPlace(place)
        : Placing.replaced(place)
  const writeEnd = (end: RamEnd) => {
    const { early, footers, switchoverStart } = end
    const bytes = ImageStream.end({ sectionId: opening.ramSectionId, early, switchoverStart, footers })
    return Effect.as(file.write(head.end, bytes), head.end + bytes.length)
  }
  const writeSeal = Effect.fnUntraced(function* (
    end: number,
    late: ImageNotes.ImageNotes = ImageNotes.empty
  ): Effect.fn.Return<ReadonlyArray<ImageStream.Piece>, FileError> {
    if (settings !== undefined) {
      return [yield* sealImage(file, head, { end, targets, settings, notes: { ...notes, ...late } })]
    }
    yield* placing.leaveUnsealed(end)
    return []
  })
  return {
    file,
    path,
    targets,
    syncing: placing.syncing,
    writeEnd,
    writeHead: Effect.gen(function* () {
      yield* placing.endRam
      yield* writeBitmaps(file, head, targets)
      yield* file.writeExtents(pieces)
    }),
    finish: (end, late) => Effect.map(writeSeal(end, late), (mark) => ({ sync: placing.sync(mark) }))
  }
})
