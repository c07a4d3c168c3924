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
import * as Integrity from "../Integrity.ts"
import type { Durable, MachineHeader, RamEnd } from "../../snapshot/SnapshotTarget.ts"
import { digestRest } from "./digestRest.ts"
import { keepPartial } from "./keepPartial.ts"
import { digestPending } from "./digestPending.ts"
import { sealedBlocks, type Targets, writeSealOf } from "./writeSeal.ts"

/**
 * An image in progress. Data outside the pages is written in this order, the pages at any time between `make` and
 * `writeHead`:
 *
 * ```text
 *   make        the place of everything; in place: the old image's first bytes are wiped out, and that is made durable
 *   writeEnd    RAM's END behind the last page region; the device state goes where it says
 *   writeHead   bitmaps, and the stream between the page regions, but for its first piece
 *   writeSeal   checksums of all of it, behind the stream
 *   commit      fdatasync, the mark of the seal and the first piece, fdatasync, rename, fsync of the directory
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
  readonly writeSeal: (end: number, late?: ImageNotes.ImageNotes) => Effect.Effect<void, FileError>
  /** Makes it durable, up to the step that makes the image exist. */
  readonly sync: Effect.Effect<Durable<void, FileError>, FileError>
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

/** Removes the remains of an earlier image's seal. */
const wipeSeal = (
  file: PositionalFile,
  { blocks }: ImageStream.ImageHead,
  end: number
): Effect.Effect<void, FileError> =>
  file.writeExtents(
    [SealMark.position(blocks), ImageSeal.sealPosition(end)]
      .filter((position) => position !== undefined)
      .map((position) => ({ position, bytes: new Uint8Array(SealMark.LENGTH) }))
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
  const start = first!.position
  const rest = yield* digestRest(file, ImageSeal.restOf({ start, end, blocks }), { algorithm, first })
  yield* digestPending(digestsOf(targets))
  return yield* writeSealOf(file, {
    position: SealMark.position(blocks)!,
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

/**
 * Destroys the old image's magic first, so that a power cut half-way never leaves something that looks like an image.
 */
const invalidate = (file: PositionalFile, first: ImageStream.Piece): Effect.Effect<void, FileError> =>
  Effect.andThen(file.write(first.position, new Uint8Array(first.bytes.length)), file.sync)

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
  const { notes = ImageNotes.empty, seal = {} } = options
  const { file, inPlace, origin, path } = target
  const settings = seal === false ? undefined : Integrity.forBlocks(seal, blocks)
  const kept = options.keepPartial === true && !inPlace ? settings : undefined
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
  const first = head.pieces[0]!
  if (inPlace) yield* invalidate(file, first)

  let isSealed = false
  const checkpoints =
    kept === undefined
      ? undefined
      : yield* keepPartial(target, {
          head,
          targets,
          settings: kept,
          notes,
          length,
          interval: options.checkpointBytes,
          isSealed: () => isSealed
        })
  const writeEnd = (end: RamEnd) => {
    const { early, footers, switchoverStart } = end
    const bytes = ImageStream.end({ sectionId: opening.ramSectionId, early, switchoverStart, footers })
    return Effect.as(file.write(head.end, bytes), head.end + bytes.length)
  }
  let mark: ReadonlyArray<ImageStream.Piece> = []
  const writeSeal = Effect.fnUntraced(function* (
    end: number,
    late: ImageNotes.ImageNotes = ImageNotes.empty
  ): Effect.fn.Return<void, FileError> {
    if (settings !== undefined) {
      mark = [yield* sealImage(file, head, { end, targets, settings, notes: { ...notes, ...late } })]
    } else if (inPlace) yield* wipeSeal(file, head, end)
  })
  const begin = file.write(first.position, first.bytes)
  /** In place, an image that was not completed must not look like one. */
  const complete = Effect.andThen(begin, target.commit).pipe(
    Effect.onError(() => Effect.ignore(file.write(first.position, new Uint8Array(first.bytes.length))))
  )
  const sync = Effect.gen(function* (): Effect.fn.Return<Durable<void, FileError>, FileError> {
    if (inPlace || mark.length > 0) yield* file.sync
    yield* file.writeExtents(mark)
    isSealed = true
    if (inPlace && mark.length > 0) yield* file.sync
    if (inPlace) return { commit: complete }
    yield* begin
    yield* target.prepare
    return { commit: target.commit }
  })
  return {
    file,
    path,
    targets,
    syncing: checkpoints ?? {},
    writeEnd,
    writeSeal,
    writeHead: Effect.gen(function* () {
      if (checkpoints !== undefined) yield* checkpoints.take
      yield* writeBitmaps(file, head, targets)
      yield* file.writeExtents(head.pieces.slice(1))
    }),
    sync
  }
})
