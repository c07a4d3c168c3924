import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { Durable } from "../../snapshot/SnapshotTarget.ts"
import type * as SyncAhead from "../SyncAhead.ts"
import { type Keeping, keepPartial } from "./keepPartial.ts"

/**
 * The way in which an image appears under its name. There are three ways:
 *
 * ```text
 *              before pages              after pages            sync                                     commit
 *   in place   first piece wiped, sync   old seal wiped *       sync, mark, sync                         first piece, sync
 *   replaced                                                    sync, mark *, first piece, sync          rename
 *   kept       name, room, zeros         one more checkpoint    sync, mark, first piece, sync            rename
 * ```
 *
 * `*`: in place, only without a new seal; replaced, only with one.
 *
 * @internal
 */
export interface Placing {
  /** Settings for syncing the file while pages are written. */
  readonly syncing: Pick<SyncAhead.Options, "around" | "threshold">
  /** Runs when no more page is written. */
  readonly endRam: Effect.Effect<void, FileError>
  /** Runs instead of writing a seal, when the stream ends at `end`. */
  readonly leaveUnsealed: (end: number) => Effect.Effect<void, FileError>
  /** Makes it durable, with the mark of its seal (none without a seal), up to the step that makes the image exist. */
  readonly sync: (mark: ReadonlyArray<ImageStream.Piece>) => Effect.Effect<Durable<void, FileError>, FileError>
}

/** The file, and the image in it. */
interface Place {
  readonly target: AtomicFile.AtomicFile
  readonly head: ImageStream.ImageHead
  /** The first piece of the stream. */
  readonly first: ImageStream.Piece
}

const wipe = ({ first, target: { file } }: Place): Effect.Effect<void, FileError> =>
  file.write(first.position, new Uint8Array(first.bytes.length))

/** Removes the remains of an earlier image's seal. */
const wipeSeal = ({ head: { blocks }, target: { file } }: Place, end: number): Effect.Effect<void, FileError> =>
  file.writeExtents(
    [SealMark.position(blocks), ImageSeal.sealPosition(end)]
      .filter((position) => position !== undefined)
      .map((position) => ({ position, bytes: new Uint8Array(SealMark.LENGTH) }))
  )

/**
 * Destroys the old image's first bytes first, so that a power cut half-way never leaves something that looks like an
 * image.
 *
 * @internal
 */
export const inPlace = Effect.fnUntraced(function* (place: Place): Effect.fn.Return<Placing, FileError> {
  const { first, target } = place
  const { file } = target
  yield* Effect.andThen(wipe(place), file.sync)
  /** An image that was not completed must not look like one. */
  const commit = Effect.andThen(file.write(first.position, first.bytes), target.commit).pipe(
    Effect.onError(() => Effect.ignore(wipe(place)))
  )
  return {
    syncing: {},
    endRam: Effect.void,
    leaveUnsealed: (end) => wipeSeal(place, end),
    sync: Effect.fnUntraced(function* (mark) {
      yield* file.sync
      yield* file.writeExtents(mark)
      if (mark.length > 0) yield* file.sync
      return { commit }
    })
  }
})

/**
 * Another file gets the name.
 *
 * @internal
 */
export const replaced = ({ first, target }: Place): Placing => {
  const { file } = target
  return {
    syncing: {},
    endRam: Effect.void,
    leaveUnsealed: () => Effect.void,
    sync: Effect.fnUntraced(function* (mark) {
      if (mark.length > 0) yield* file.sync
      yield* file.writeExtents(mark)
      yield* file.write(first.position, first.bytes)
      yield* target.prepare
      return { commit: target.commit }
    })
  }
}

/**
 * Another file gets the name, and is kept if it is not completed.
 *
 * @internal
 */
export const kept = Effect.fnUntraced(function* (
  place: Place,
  keeping: Omit<Keeping, "head" | "isSealed">
): Effect.fn.Return<Placing, FileError, Scope.Scope> {
  const { head, target } = place
  const { file } = target
  let isSealed = false
  const { around, take, threshold } = yield* keepPartial(target, { ...keeping, head, isSealed: () => isSealed })
  const replacing = replaced(place)
  return {
    ...replacing,
    syncing: { around, threshold },
    endRam: take,
    sync: Effect.fnUntraced(function* (mark) {
      yield* file.sync
      yield* file.writeExtents(mark)
      isSealed = true
      return yield* replacing.sync([])
    })
  }
})
