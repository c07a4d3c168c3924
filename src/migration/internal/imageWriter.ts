import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Checksum from "../../format/Checksum.ts"
import * as ImageSeal from "../../format/ImageSeal.ts"
import * as ImageStream from "../../format/ImageStream.ts"
import * as MigrationStream from "../../format/MigrationStream.ts"
import * as PageDigests from "../../format/PageDigests.ts"
import * as PartialSeal from "../../format/PartialSeal.ts"
import type * as AtomicFile from "../../io/AtomicFile.ts"
import type { FileError } from "../../io/FileError.ts"
import type { PositionalFile } from "../../io/PositionalFile.ts"
import type * as FileChannel from "../../multifd/FileChannel.ts"
import type * as SyncAhead from "../../multifd/SyncAhead.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as Integrity from "../Integrity.ts"
import type { MachineState } from "../MachineState.ts"
import type { WriteOptions } from "../Migration.ts"
import * as Checkpoints from "./checkpoints.ts"
import { digestRest } from "./digestRest.ts"
import { settleDigests } from "./settleDigests.ts"
import { sealedBlock, writeSealOf } from "./writeSeal.ts"

/**
 * What has to be known of a machine before the first page is written.
 *
 * @internal
 */
export type Opening = Pick<MachineState<unknown>, "configuration" | "prelude" | "ramSectionId">

/**
 * What stands between RAM and the device state, known when RAM is complete.
 *
 * @internal
 */
export type Closing = Pick<MachineState<unknown>, "early" | "switchoverStart" | "footers">

/**
 * An image in the making. What is not pages is written in this order, the pages anywhere between `make` and `writeHead`:
 *
 * ```text
 *   make        the place of everything; in place: the old image's first bytes are wiped out, and that is made durable
 *   writeEnd    RAM's END behind the last page region; the device state goes where it says
 *   writeHead   bitmaps, and the stream between the page regions, but for its first piece
 *   writeSeal   checksums of all of it, behind the stream
 *   commit      fdatasync, the mark of the seal and the first piece, fdatasync, rename, fsync of the directory
 * ```
 *
 * The mark comes when all that it vouches for is durable. The first bytes of the stream come last: what is written in place
 * is no image until it is complete.
 *
 * @internal
 */
export interface ImageWriter {
  readonly file: PositionalFile
  /** The name by which further descriptors of the file are opened. */
  readonly path: string
  /** Where the pages of each block go, by `idstr`; without the blocks that are left out. */
  readonly targets: ReadonlyMap<string, FileChannel.Target>
  /** How the file is synced while pages are written. */
  readonly syncing: Pick<SyncAhead.Options, "around" | "threshold">
  /** Succeeds with the position where the device state begins. */
  readonly writeEnd: (closing: Closing) => Effect.Effect<number, FileError>
  /** Once no page is written and no bit is set any more. */
  readonly writeHead: Effect.Effect<void, FileError>
  /** Once all but the first piece is written, up to the end of the stream. */
  readonly writeSeal: (end: number) => Effect.Effect<void, FileError>
  readonly commit: Effect.Effect<void, FileError>
}

/** The first bytes of a stream, without which it is none. */
const MAGIC_BYTES = 4

/** Zeros that are written at once. */
const ZEROS_BYTES = 1024 * 1024

/** Blocks that were saved without their pages stay so, and only then the image says `x-ignore-shared`. */
const configurationOf = (
  { configuration }: Opening,
  blocks: ReadonlyArray<ImageStream.HeadBlock>
): MigrationStream.Configuration | undefined => {
  if (configuration === undefined) return undefined
  const anyIgnored = blocks.some((block) => block.ignored === true)
  const shared = MigrationStream.withCapability(configuration, "x-ignore-shared", anyIgnored)
  return MigrationStream.withCapability(shared, "mapped-ram", true)
}

const targetsOf = ({ blocks }: ImageStream.ImageHead, seal: Integrity.Settings | undefined): ImageWriter["targets"] =>
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

/** Whatever is left of the seal of an image that lay there before. */
const wipeSeal = (
  file: PositionalFile,
  { blocks }: ImageStream.ImageHead,
  end: number
): Effect.Effect<void, FileError> =>
  file.writeExtents(
    [ImageSeal.markPosition(blocks), ImageSeal.sealPosition(end)]
      .filter((position) => position !== undefined)
      .map((position) => ({ position, bytes: new Uint8Array(ImageSeal.MARK_LENGTH) }))
  )

const digestsOf = (targets: ImageWriter["targets"]): ReadonlyArray<PageDigests.PageDigests> =>
  Array.from(targets.values()).flatMap(({ digests }) => digests ?? [])

/** What a seal says of the blocks, by the digests that their pages have now. */
const sealedBlocks = (
  { blocks }: ImageStream.ImageHead,
  targets: ImageWriter["targets"]
): ReadonlyArray<ImageSeal.SealedBlock> =>
  blocks
    .filter(({ ignored }) => !ignored)
    .map((block) => sealedBlock(block, targets.get(block.idstr)!.digests!.extents()))

/** The first piece of a stream that nobody is to take for one. */
const withoutMagic = (first: ImageStream.Piece): ImageStream.Piece => ({
  ...first,
  bytes: first.bytes.slice().fill(0, 0, MAGIC_BYTES)
})

/**
 * Everything in front of the device state but pages, bitmaps and the magic of the stream, so that it can be told what was
 * written; and zeros where checkpoints go, so that a disk that is full has room for them.
 */
const openPartial = Effect.fnUntraced(function* (
  file: PositionalFile,
  { blocks, pieces }: ImageStream.ImageHead,
  length: number
): Effect.fn.Return<void, FileError> {
  const [first, ...others] = pieces
  yield* file.writeExtents([withoutMagic(first!), ...others])
  const [start, second] = PartialSeal.places(blocks, length)!
  const end = second + ImageSeal.sealPosition(length)
  const zeros = new Uint8Array(Math.min(ZEROS_BYTES, end - start))
  for (let position = start; position < end; position += zeros.length) {
    yield* file.write(position, zeros.subarray(0, end - position))
  }
})

/** What has been written of an image by now. */
const partialOf = (
  head: ImageStream.ImageHead,
  { settings, targets }: { readonly targets: ImageWriter["targets"]; readonly settings: Integrity.Settings }
): PartialSeal.PartialSeal => {
  const { algorithm, extentSize } = settings
  const rest = new Uint8Array(Checksum.digestLength(algorithm))
  const blocks = sealedBlocks(head, targets)
  return {
    seal: { algorithm, extentSize, start: head.pieces[0]!.position, end: head.end, rest, blocks },
    bitmaps: blocks.map(({ idstr }) => targets.get(idstr)!.bitmap)
  }
}

/** Writes the seal of an image whose stream ends at `end`, and succeeds with its mark. */
const sealImage = Effect.fnUntraced(function* (
  file: PositionalFile,
  head: ImageStream.ImageHead,
  options: { readonly end: number; readonly targets: ImageWriter["targets"]; readonly settings: Integrity.Settings }
): Effect.fn.Return<ImageStream.Piece, FileError> {
  const { end, settings, targets } = options
  const { algorithm, extentSize } = settings
  const { blocks, pieces } = head
  const [first] = pieces
  const start = first!.position
  const rest = yield* digestRest(file, ImageSeal.restOf({ start, end, blocks }), { algorithm, first })
  yield* settleDigests(digestsOf(targets))
  return yield* writeSealOf(file, {
    position: ImageSeal.markPosition(blocks)!,
    key: settings.key,
    seal: {
      algorithm,
      extentSize,
      start,
      end,
      rest,
      blocks: sealedBlocks(head, targets)
    }
  })
})

interface Keeping {
  readonly head: ImageStream.ImageHead
  readonly targets: ImageWriter["targets"]
  readonly settings: Integrity.Settings
  /** Bytes of a checkpoint. */
  readonly length: number
  readonly interval: number | undefined
  /** Whether all of it is there and has its checksums. */
  readonly isSealed: () => boolean
}

/** Leaves a file that was not completed, where anything can be made of it. */
const leave = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  checkpoints: Checkpoints.Checkpoints,
  { isSealed, targets }: Keeping
): Effect.fn.Return<void> {
  if ([...targets.values()].every(({ bitmap }) => bitmap.lastSet() === -1)) return
  if (!isSealed()) {
    yield* Effect.ignore(checkpoints.take, { log: "Error" })
    if (!checkpoints.isThere()) return
  }
  if (yield* target.keep) yield* Effect.logWarning(`what was saved so far is kept in ${target.path}`)
})

/** Makes checkpoints of an image, and leaves it where it is when the scope ends too early. */
const keepPartial = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  keeping: Keeping
): Effect.fn.Return<Checkpoints.Checkpoints, FileError, Scope.Scope> {
  const { file } = target
  const { head, length, settings, targets } = keeping
  const bytesTotal = head.blocks.reduce((sum, { ignored, usedLength }) => sum + (ignored ? 0 : usedLength), 0)
  const checkpoints = Checkpoints.make({
    file,
    blocks: head.blocks,
    length,
    interval: keeping.interval ?? Checkpoints.defaultInterval(bytesTotal),
    key: settings.key,
    snapshot: () => partialOf(head, { settings, targets })
  })
  yield* target.name
  yield* openPartial(file, head, length)
  yield* Effect.addFinalizer(() => leave(target, checkpoints, keeping))
  return checkpoints
})

/** Whatever image was there is none any more, also after a power cut in the middle of what follows. */
const invalidate = (file: PositionalFile, first: ImageStream.Piece): Effect.Effect<void, FileError> =>
  Effect.andThen(file.write(first.position, new Uint8Array(first.bytes.length)), file.sync)

const writeBitmaps = (
  file: PositionalFile,
  { blocks }: ImageStream.ImageHead,
  targets: ImageWriter["targets"]
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
 * Lays out an image in a file that is to be replaced as a whole.
 *
 * **Failure effect**: that of `AtomicFile`; in place, the old image is gone from here on.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  opening: Opening,
  blocks: ReadonlyArray<ImageStream.HeadBlock>,
  options: Pick<WriteOptions, "seal" | "keepPartial" | "checkpointBytes"> = {}
): Effect.fn.Return<ImageWriter, FileError, Scope.Scope> {
  const { seal = {} } = options
  const { file, inPlace, origin, path } = target
  const settings = seal === false ? undefined : Integrity.forBlocks(seal, blocks)
  const kept = options.keepPartial === true && !inPlace ? settings : undefined
  const withPages = blocks.filter(({ ignored }) => ignored !== true)
  const length = kept === undefined ? 0 : PartialSeal.byteLength(withPages, kept)
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
          length,
          interval: options.checkpointBytes,
          isSealed: () => isSealed
        })
  const writeEnd = (closing: Closing) => {
    const { early, footers, switchoverStart } = closing
    const bytes = ImageStream.end({ sectionId: opening.ramSectionId, early, switchoverStart, footers })
    return Effect.as(file.write(head.end, bytes), head.end + bytes.length)
  }
  let mark: ReadonlyArray<ImageStream.Piece> = []
  const writeSeal = Effect.fnUntraced(function* (end: number): Effect.fn.Return<void, FileError> {
    if (settings !== undefined) mark = [yield* sealImage(file, head, { end, targets, settings })]
    else if (inPlace) yield* wipeSeal(file, head, end)
  })
  const commit = Effect.gen(function* () {
    if (inPlace || mark.length > 0) yield* file.sync
    yield* file.writeExtents(mark)
    isSealed = true
    if (inPlace && mark.length > 0) yield* file.sync
    yield* file.write(first.position, first.bytes)
    yield* target.commit
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
    commit
  }
})
