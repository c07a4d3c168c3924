/**
 * A mapped-ram image as a target.
 *
 * ```text
 *   make     the file is opened; one that is written in place is left alone until a machine has been accepted
 *   begin    the place of everything; in place: the old image's first bytes are wiped out
 *   ram      pages to their places, synced ahead
 *   endRam   bitmaps and the stream between the regions, RAM's END
 *   write    device state, the end of the stream, description, as they come
 *   finish   checksums
 *   sync     fdatasync, the mark of the seal, the first piece of the stream, fdatasync
 *   commit   rename, fsync of the directory; in place: the first piece, fdatasync
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type * as ImageNotes from "../format/seal/ImageNotes.ts"
import * as Uuid from "../format/Uuid.ts"
import * as AtomicFile from "../io/files/AtomicFile.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as FileIdentity from "../io/files/FileIdentity.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import * as RequestOptions from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"
import * as ByteSource from "../snapshot/ByteSource.ts"
import { type MigrationRequestError, refuse } from "../snapshot/MigrationRequestError.ts"
import type {
  MachineHeader,
  Place,
  RamEnd,
  RamWriter,
  SnapshotTarget,
  StateWriter,
  Transfer
} from "../snapshot/SnapshotTarget.ts"
import type * as PageSink from "../transfer/PageSink.ts"
import * as FileChannel from "./FileChannel.ts"
import * as ImageSink from "./ImageSink.ts"
import * as ImageWriter from "./internal/imageWriter.ts"
import * as Integrity from "./Integrity.ts"
import * as Location from "./Location.ts"
import * as SyncAhead from "./SyncAhead.ts"
import type { Options } from "./internal/imageTargetModel.ts"

export type { Options } from "./internal/imageTargetModel.ts"

/**
 * All problems with the options.
 *
 * @internal
 */
export const problems = (options: Options): ReadonlyArray<Problem.Problem> => [
  ...Integrity.problems(options.seal),
  ...(options.keepPartial === true && options.seal === false
    ? [Problem.make("written data cannot be kept without checksums", "choose a seal, or no keepPartial")]
    : []),
  ...optionProblems(options)
]

const optionProblems = RequestOptions.problems(
  Schema.Struct({
    checkpointBytes: Schema.optional(
      RequestOptions.where<number>((bytes) => typeof bytes === "number" && bytes > 0, "more than 0 bytes")
    )
  })
)

/** Without a seal, nothing would record that pages were lost. */
const notesProblems = ({ seal }: Options, { lost = [] }: ImageNotes.ImageNotes): ReadonlyArray<Problem.Problem> =>
  seal === false && lost.some(({ pages }) => pages > 0)
    ? [Problem.make("pages of the image were lost, which only a seal records", "choose a seal")]
    : []

interface Prepared {
  readonly place: Place
  readonly open: Effect.Effect<AtomicFile.AtomicFile, FileError>
}

/**
 * Opens the file now, so that an unwritable target is reported before a sender connects. A target that is written in
 * place is only checked: opening it would destroy its content, and a sender may never connect.
 */
const prepare = Effect.fnUntraced(function* (
  location: Location.Location,
  directIo: boolean | undefined,
  scope: Scope.Scope
): Effect.fn.Return<Prepared, FileError> {
  const open = Scope.provide(AtomicFile.make(location), scope)
  const existing = yield* FileIdentity.ofPath(location.path)
  const { offset: start = 0, path } = location
  const inPlace = existing !== undefined && AtomicFile.isInPlace(location, existing)
  const file = existing === undefined ? undefined : FileIdentity.key(existing)
  const place = { path, file, start, end: Infinity, inPlace }
  if (inPlace) {
    yield* AtomicFile.checkInPlace(location, { directIo })
    return { place, open }
  }
  const target = yield* open
  if (directIo === true) yield* Effect.scoped(PositionalFile.open(target.path, { access: "write", directIo }))
  return { place, open: Effect.succeed(target) }
})

/**
 * Makes the target, in a scope that outlives the whole operation. Its options have passed `problems`.
 *
 * **Failure effect**: the target is unchanged; only one that is written in place loses its old content, from `begin`
 * on.
 *
 * @internal
 */
export const makeChecked = Effect.fnUntraced(function* (
  location: Location.Location,
  options: Options
): Effect.fn.Return<SnapshotTarget<void, FileError>, FileError, Scope.Scope> {
  const { directIo } = options
  const { open, place } = yield* prepare(location, directIo, yield* Effect.scope)
  return {
    name: location.path,
    places: [place],
    problems: (notes) => notesProblems(options, notes),
    begin: Effect.fnUntraced(function* (machine, transfer) {
      const notes = notesOf(machine)
      const image = yield* ImageWriter.make(yield* open, machine, machine.blocks, { ...options, notes })
      return yield* ramWriter(image, { machine, transfer, directIo: directIo ?? false })
    })
  }
})

/**
 * Makes the target, in a scope that outlives the whole operation. Fails with `MigrationRequestError` for options that
 * contradict each other.
 *
 * **When to use**
 *
 * For an image with other options than those of `save` or `receive`, which make a target themselves from a path.
 *
 * **Failure effect**: the target is unchanged; only one that is written in place loses its old content, from `begin`
 * on.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  location: string | Location.Location,
  options: Options = {}
): Effect.fn.Return<SnapshotTarget<void, FileError>, FileError | MigrationRequestError, Scope.Scope> {
  yield* refuse("save", problems(options))
  return yield* makeChecked(Location.make(location), options)
})

/** The facts about the machine, and its UUID. */
const notesOf = ({ notes, uuid }: MachineHeader): ImageNotes.ImageNotes =>
  uuid === undefined || Uuid.isNone(uuid) ? { ...notes } : { uuid: Uuid.format(uuid), ...notes }

interface Plan {
  readonly machine: MachineHeader
  readonly transfer: Transfer
  readonly directIo: boolean
}

const ramWriter = Effect.fnUntraced(function* (
  image: ImageWriter.ImageWriter,
  { directIo, machine, transfer }: Plan
): Effect.fn.Return<RamWriter<void, FileError>, FileError, Scope.Scope> {
  const { path, syncing, targets } = image
  const { coalescePages, counters } = transfer
  // The scope of the descriptors through which pages are written and synced ahead.
  const ramScope = yield* Scope.fork(yield* Effect.scope)
  const { during, written } = yield* Scope.provide(SyncAhead.make({ path, ...syncing }), ramScope)
  const common = { coalescePages, counters, directIo, written }
  const openSinks = Effect.gen(function* () {
    const opened = PositionalFile.open(path, { access: "write", directIo: true })
    const file = directIo ? yield* Scope.provide(opened, ramScope) : image.file
    return new Map(
      machine.blocks.flatMap((shape): ReadonlyArray<readonly [string, PageSink.PageSink<FileError>]> => {
        const target = targets.get(shape.idstr)
        return target === undefined ? [] : [[shape.idstr, ImageSink.make({ shape, file, target, ...common })]]
      })
    )
  })
  return {
    openSinks,
    saveChannel: (id, rateLimit) => FileChannel.make({ id, path, blocks: targets, rateLimit, ...common }),
    during,
    endRam: Effect.fnUntraced(function* (end) {
      // An interruption half-way would leave open descriptors that nothing refers to.
      yield* Effect.uninterruptible(Scope.close(ramScope, Exit.void))
      yield* image.writeHead
      return stateWriter(image, yield* image.writeEnd(end), end)
    })
  }
})

const stateWriter = (
  { file, finish }: ImageWriter.ImageWriter,
  start: number,
  { marks }: RamEnd
): StateWriter<void, FileError> => {
  let end = start
  return {
    write: (bytes) =>
      Effect.suspend(() => {
        const position = end
        end += bytes.length
        return file.write(position, bytes)
      }),
    written: Effect.sync(() => ByteSource.fromFile(file, start, end - start)),
    finish: () => Effect.suspend(() => finish(end, marks === undefined ? {} : { marks }))
  }
}
