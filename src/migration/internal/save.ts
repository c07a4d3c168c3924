import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ImageStream from "../../format/ImageStream.ts"
import * as MigrationStream from "../../format/MigrationStream.ts"
import * as AtomicFile from "../../io/AtomicFile.ts"
import type { FileError } from "../../io/FileError.ts"
import type { PositionalFile } from "../../io/PositionalFile.ts"
import * as FileChannel from "../../multifd/FileChannel.ts"
import * as Job from "../../multifd/Job.ts"
import * as Pipeline from "../../multifd/Pipeline.ts"
import * as PipelineOptions from "../../multifd/PipelineOptions.ts"
import * as SyncAhead from "../../multifd/SyncAhead.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as RamScanner from "../../ram/RamScanner.ts"
import * as Carried from "../Carried.ts"
import * as Location from "../Location.ts"
import * as MachineState from "../MachineState.ts"
import type { MigrationError, SaveOptions } from "../Migration.ts"
import type { Progress } from "../Progress.ts"
import { checkSave, checkTarget } from "./request.ts"

/** Where everything goes that is about to be written. */
interface Layout<E> {
  readonly machine: MachineState.MachineState<E>
  readonly head: ImageStream.ImageHead
  /** By `idstr`. */
  readonly targets: ReadonlyMap<string, FileChannel.Target>
}

/** Blocks that were saved without their pages stay so, and only then the image says `x-ignore-shared`. */
const configurationOf = (
  machine: MachineState.MachineState<unknown>,
  blocks: ReadonlyArray<ImageStream.HeadBlock>
): MigrationStream.Configuration | undefined => {
  if (machine.configuration === undefined) return undefined
  const anyIgnored = blocks.some((block) => block.ignored === true)
  const shared = MigrationStream.withCapability(machine.configuration, "x-ignore-shared", anyIgnored)
  return MigrationStream.withCapability(shared, "mapped-ram", true)
}

const layOut = <E>(
  machine: MachineState.MachineState<E>,
  blocks: ReadonlyArray<ImageStream.HeadBlock>,
  start: number
): Layout<E> => {
  const head = ImageStream.head({
    start,
    configuration: configurationOf(machine, blocks),
    prelude: machine.prelude,
    sectionId: machine.ramSectionId,
    blocks
  })
  const targets = head.blocks
    .filter((block) => !block.ignored)
    .map(({ header, idstr, usedLength }) => {
      const bitmap = PageBitmap.make(usedLength / header.pageSize)
      return [idstr, { pagesOffset: header.pagesOffset, bitmap }] as const
    })
  return { machine, head, targets: new Map(targets) }
}

/** The stream behind the last page region, and everything in front of it but the first piece. */
const writeStream = Effect.fnUntraced(function* <E>(
  file: PositionalFile,
  { head, machine, targets }: Layout<E>
): Effect.fn.Return<void, E | FileError> {
  for (const { header, idstr } of head.blocks) {
    const target = targets.get(idstr)
    if (target !== undefined) yield* file.write(header.bitmapOffset, target.bitmap.bytes)
  }
  yield* file.writeExtents(head.pieces.slice(1))

  const ramEnd = ImageStream.end({
    sectionId: machine.ramSectionId,
    early: machine.early,
    switchoverStart: machine.switchoverStart,
    footers: machine.footers
  })
  yield* file.write(head.end, ramEnd)
  const stateStart = head.end + ramEnd.length
  yield* Carried.copyTo(machine.deviceState, file, stateStart)
  const stateEnd = stateStart + machine.deviceState.length
  const endOfStream = Uint8Array.of(MigrationStream.SectionType.endOfStream)
  yield* file.write(stateEnd, endOfStream)
  if (machine.description.length === 0) return
  const opening = MigrationStream.encodeDescriptionHeader(machine.description.length)
  yield* file.write(stateEnd + 1, opening)
  yield* Carried.copyTo(machine.description, file, stateEnd + 1 + opening.length)
})

/**
 * Writes an image. The first bytes of the stream come last, when everything else is durable: what is written in place is
 * no image until it is complete.
 *
 * ```text
 *   setup    the new file, its length, the place of everything; in place: the old image's first bytes are wiped out
 *   ram      scan → queue → channels: one round, its sync, fdatasync of each channel
 *   device   bitmaps, block list, RAM's END, device state, description
 *   sync     fdatasync, the first piece of the stream, fdatasync, rename, fsync of the directory
 * ```
 *
 * @internal
 */
export const save = Effect.fnUntraced(function* <E>(
  options: SaveOptions<E>,
  ignored: ReadonlyArray<ImageStream.HeadBlock>,
  progress: Progress
): Effect.fn.Return<void, MigrationError | E, Scope.Scope> {
  const { blocks } = options
  yield* progress.enter("setup")
  const settings = yield* PipelineOptions.make(options)
  yield* checkSave(blocks)
  const machine = options.machineState ?? MachineState.empty({ pageSize: blocks[0]!.pageSize })
  const location = Location.make(options.target)
  yield* checkTarget(location, machine.origin)
  const target = yield* AtomicFile.make(location)
  const layout = layOut(machine, [...blocks, ...ignored], target.origin)
  const { file, path } = target
  const first = layout.head.pieces[0]!
  if (target.inPlace) yield* invalidate(file, first)

  const bytesTotal = blocks.reduce((sum, block) => sum + block.usedLength, 0)
  yield* progress.enter("ram", bytesTotal)
  yield* transferPages(options, settings, layout, path, progress)

  yield* progress.enter("device")
  yield* writeStream(file, layout)

  yield* progress.enter("sync")
  if (target.inPlace) yield* file.sync
  yield* file.write(first.position, first.bytes)
  yield* target.commit
})

/** Whatever image was there is none any more, also after a power cut in the middle of what follows. */
const invalidate = (file: PositionalFile, first: ImageStream.Piece): Effect.Effect<void, FileError> =>
  Effect.andThen(file.write(first.position, new Uint8Array(first.bytes.length)), file.sync)

const transferPages = <E>(
  { blocks, directIo }: SaveOptions<E>,
  { batchSize, channels, coalescePages, queueDepth }: PipelineOptions.PipelineOptions,
  { targets }: Layout<E>,
  path: string,
  { counters }: Progress
): Effect.Effect<void, MigrationError | E> =>
  Effect.gen(function* () {
    const { during, written } = yield* SyncAhead.make({ path })
    const pages = Pipeline.run({
      source: Job.round(RamScanner.scan(blocks, { batchSize })),
      channels,
      queueDepth,
      open: (id) => FileChannel.make({ id, path, directIo, blocks: targets, coalescePages, counters, written })
    })
    yield* during(pages)
  }).pipe(Effect.scoped)
