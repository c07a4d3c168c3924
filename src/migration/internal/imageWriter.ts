import * as Effect from "effect/Effect"
import * as ImageStream from "../../format/ImageStream.ts"
import * as MigrationStream from "../../format/MigrationStream.ts"
import type * as AtomicFile from "../../io/AtomicFile.ts"
import type { FileError } from "../../io/FileError.ts"
import type { PositionalFile } from "../../io/PositionalFile.ts"
import type * as FileChannel from "../../multifd/FileChannel.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import type { MachineState } from "../MachineState.ts"

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
 *   commit      fdatasync, the first piece, fdatasync, rename, fsync of the directory
 * ```
 *
 * The first bytes of the stream come last, when everything else is durable: what is written in place is no image until it
 * is complete.
 *
 * @internal
 */
export interface ImageWriter {
  readonly file: PositionalFile
  /** The name by which further descriptors of the file are opened. */
  readonly path: string
  /** Where the pages of each block go, by `idstr`; without the blocks that are left out. */
  readonly targets: ReadonlyMap<string, FileChannel.Target>
  /** Succeeds with the position where the device state begins. */
  readonly writeEnd: (closing: Closing) => Effect.Effect<number, FileError>
  /** Once no page is written and no bit is set any more. */
  readonly writeHead: Effect.Effect<void, FileError>
  readonly commit: Effect.Effect<void, FileError>
}

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

const targetsOf = ({ blocks }: ImageStream.ImageHead): ImageWriter["targets"] =>
  new Map(
    blocks
      .filter((block) => !block.ignored)
      .map(({ header, idstr, usedLength }) => {
        const bitmap = PageBitmap.make(usedLength / header.pageSize)
        return [idstr, { pagesOffset: header.pagesOffset, bitmap }] as const
      })
  )

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
  blocks: ReadonlyArray<ImageStream.HeadBlock>
): Effect.fn.Return<ImageWriter, FileError> {
  const { file, inPlace, origin, path } = target
  const head = ImageStream.head({
    start: origin,
    configuration: configurationOf(opening, blocks),
    prelude: opening.prelude,
    sectionId: opening.ramSectionId,
    blocks
  })
  const targets = targetsOf(head)
  const first = head.pieces[0]!
  if (inPlace) yield* invalidate(file, first)

  const writeEnd = (closing: Closing) => {
    const { early, footers, switchoverStart } = closing
    const bytes = ImageStream.end({ sectionId: opening.ramSectionId, early, switchoverStart, footers })
    return Effect.as(file.write(head.end, bytes), head.end + bytes.length)
  }
  const commit = Effect.gen(function* () {
    if (inPlace) yield* file.sync
    yield* file.write(first.position, first.bytes)
    yield* target.commit
  })
  return {
    file,
    path,
    targets,
    writeEnd,
    writeHead: Effect.andThen(writeBitmaps(file, head, targets), file.writeExtents(head.pieces.slice(1))),
    commit
  }
})
