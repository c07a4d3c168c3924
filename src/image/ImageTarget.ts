import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as ImageNotes from "../format/seal/ImageNotes.ts"
import * as StreamTail from "../format/image/StreamTail.ts"
import * as Uuid from "../format/Uuid.ts"
import * as AtomicFile from "../io/files/AtomicFile.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as FileIdentity from "../io/files/FileIdentity.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import * as PageSink from "../transfer/PageSink.ts"
import type { PipelineOptions } from "../transfer/PipelineOptions.ts"
import type { Closing, Opening, Target } from "../multifd/Receiver.ts"
import * as SyncAhead from "./SyncAhead.ts"
import * as Location from "./Location.ts"
import type { Progress } from "../migration/Progress.ts"
import type { ReceiveError, ReceiveIntoImage } from "../migration/ReceiveOptions.ts"
import { drive } from "./internal/drive.ts"
import * as ImageWriter from "./internal/imageWriter.ts"
import type { LastStep } from "../migration/internal/operation.ts"
import { checkOpening, checkTail } from "../migration/internal/receiveChecks.ts"

/** What is known once the blocks have been announced. */
interface Begun {
  readonly opening: Opening
  readonly image: ImageWriter.ImageWriter
  readonly syncAhead: SyncAhead.SyncAhead
  /** Of the descriptors that pages are written and synced ahead through. */
  readonly ramScope: Scope.Closeable
  closing: Closing | undefined
  stateStart: number
  /** Where the next piece of the device state goes. */
  position: number
}

/**
 * Opens the file now, so that what cannot be written is known before anybody connects; one that is written in place is only
 * looked at, or it would lose what it holds although perhaps no sender ever connects.
 */
const prepare = Effect.fnUntraced(function* (
  location: Location.Location,
  directIo: boolean | undefined
): Effect.fn.Return<Effect.Effect<AtomicFile.AtomicFile, FileError>, FileError, Scope.Scope> {
  const scope = yield* Effect.scope
  const open = Scope.provide(AtomicFile.make(location), scope)
  const existing = yield* FileIdentity.ofPath(location.path)
  if (existing !== undefined && AtomicFile.isInPlace(location, existing)) {
    yield* AtomicFile.checkInPlace(location, { directIo })
    return open
  }
  const target = yield* open
  if (directIo === true) yield* Effect.scoped(PositionalFile.open(target.path, { access: "write", directIo }))
  return Effect.succeed(target)
})

/** What the caller knows of the machine, and whose it is. */
const notesOf = ({ notes }: ReceiveIntoImage, { uuid }: Opening): ImageNotes.ImageNotes =>
  uuid === undefined || Uuid.isNone(uuid) ? { ...notes } : { uuid: Uuid.format(uuid), ...notes }

/**
 * An image that is written as pages arrive, in the same order of durability as one that is saved.
 *
 * ```text
 *   setup    the file; everything is known that the sender can be refused for
 *   ram      pages to their places, synced ahead
 *   device   RAM's END, device state as it arrives; bitmaps and the stream between the regions; checksums
 *   sync     fdatasync, the first piece of the stream, fdatasync, rename, fsync of the directory
 * ```
 *
 * @internal
 */
export const imageTarget = Effect.fnUntraced(function* (
  options: ReceiveIntoImage,
  { coalescePages }: PipelineOptions,
  progress: Progress,
  last: LastStep<void, ReceiveError>
): Effect.fn.Return<Target<ReceiveError>, FileError, Scope.Scope> {
  const { counters } = progress
  const scope = yield* Effect.scope
  const open = yield* prepare(Location.make(options.target), options.directIo)
  let begun: Begun | undefined

  const openPages = (path: string) =>
    options.directIo === true ? PositionalFile.open(path, { access: "write", directIo: true }) : undefined

  const begin: Target<ReceiveError>["begin"] = Effect.fnUntraced(function* (opening) {
    const { blocks } = opening
    yield* checkOpening(opening)
    const noted = { ...options, notes: notesOf(options, opening) }
    const image = yield* Scope.provide(ImageWriter.make(yield* open, opening, blocks, noted), scope)
    const ramScope = yield* Scope.fork(scope)
    const syncAhead = yield* Scope.provide(SyncAhead.make({ path: image.path, ...image.syncing }), ramScope)
    const direct = openPages(image.path)
    const file = direct === undefined ? image.file : yield* Scope.provide(direct, ramScope)
    begun = { opening, image, syncAhead, ramScope, closing: undefined, stateStart: 0, position: 0 }
    yield* progress.begin(blocks)
    yield* progress.enter("ram")
    const { written } = syncAhead
    const common = { file, directIo: options.directIo, coalescePages, counters, written }
    return new Map(
      blocks.map((shape) => {
        const target = image.targets.get(shape.idstr)!
        return [shape.idstr, PageSink.toImage({ shape, target, ...common })] as const
      })
    )
  })
  return {
    begin,
    during: (ram) => Effect.suspend(() => begun!.syncAhead.during(ram)),
    ramEnd: Effect.fnUntraced(function* (closing) {
      const { image, ramScope } = begun!
      yield* progress.enter("device")
      // Interrupted half-way, it would leave open what nobody knows of any more.
      yield* Effect.uninterruptible(Scope.close(ramScope, Exit.void))
      yield* image.writeHead
      const stateStart = yield* image.writeEnd(closing)
      Object.assign(begun!, { closing, stateStart, position: stateStart })
    }),
    state: (bytes) =>
      Effect.suspend(() => {
        const { image, position } = begun!
        begun!.position += bytes.length
        return image.file.write(position, bytes)
      }),
    complete: Effect.gen(function* () {
      const { closing, image, opening, position, stateStart } = begun!
      const { footers, marks } = closing!
      const tail = yield* drive(image.file, position, StreamTail.parse({ from: stateStart, to: position, footers }))
      yield* checkTail(tail, { ...opening, ...closing!, from: stateStart })
      yield* image.writeSeal(position, marks === undefined ? {} : { marks })
      if (options.onReceived !== undefined) yield* options.onReceived
      yield* progress.enter("sync")
      yield* image.commit(last)
    })
  }
})
