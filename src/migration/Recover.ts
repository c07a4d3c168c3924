/**
 * Recovers the intact pages of an image that is damaged, or was never finished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ImageNotes, LostPages } from "../format/seal/ImageNotes.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import type * as Integrity from "../image/Integrity.ts"
import { checkOther } from "./internal/request.ts"
import { type Recovered, recoverImage } from "../image/PartialImage.ts"
import * as Location from "../image/Location.ts"
import * as Migration from "./Migration.ts"

/**
 * The result of a recovery.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** `true` if the save was never finished. */
  readonly partial: boolean
  /** `true` if everything that is not RAM was recovered; otherwise the new image holds only RAM. */
  readonly machineState: boolean
  /** The pages that did not match their checksum: they are zero in the new image. */
  readonly lost: ReadonlyArray<Integrity.Damage>
  /**
   * For an unfinished save: the number of unknown pages per block, which the save had not reached, or which were zero.
   * They are zero in the new image.
   */
  readonly neverSaved: ReadonlyArray<LostPages>
  /** The new image. Pages of `lost` and `neverSaved` are not counted as zero pages. */
  readonly summary: Migration.Summary
}

/**
 * Options of a recovery.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<Migration.WriteOptions, "maxBandwidth" | "target"> {
  /** The new image, in another file than the damaged one. */
  readonly target: string | Location.Location
  /** A damaged image with checksums, or the file left by a failed or killed save with `keepPartial`. */
  readonly source: string | Location.Location
  /** The secret that it is sealed with. */
  readonly key?: Uint8Array | undefined
}

/** All pages that are zero because they were not recovered, by block; the source may have lost some before. */
const allLost = ({ lost, neverSaved, notes }: Recovered): ReadonlyArray<LostPages> => {
  const pages = new Map<string, number>()
  const add = (idstr: string, count: number): void => void pages.set(idstr, (pages.get(idstr) ?? 0) + count)
  for (const one of lost) add(one.block, one.pages)
  for (const one of [...neverSaved, ...(notes.lost ?? [])]) add(one.idstr, one.pages)
  return [...pages].map(([idstr, count]) => ({ idstr, pages: count }))
}

const notesOf = (salvaged: Recovered, notes: ImageNotes | undefined): ImageNotes => {
  const lost = allLost(salvaged)
  return { ...salvaged.notes, ...notes, ...(lost.length === 0 ? {} : { lost }) }
}

/** Unknown pages are not zero pages, although they are zeros now. */
const withoutLost = (summary: Migration.Summary, { lost, neverSaved }: Recovered): Migration.Summary => {
  const pages = [...lost, ...neverSaved].reduce((sum, one) => sum + one.pages, 0)
  return { ...summary, pages: summary.pages - pages, zeroPages: summary.zeroPages - pages }
}

/**
 * Writes a new image of all pages that match their checksum; its notes have the number of the other pages. Fails with
 * `MigrationRequestError` if nothing can be proven, because there are no checksums or they are damaged themselves; and
 * if the target is the source under any name.
 *
 * **Details**
 *
 * A page is recovered with its whole extent or not at all. If the save was stopped by SIGKILL or a power cut, its last
 * checkpoint lists the written pages; a save that was killed after everything was written gives the whole machine. With
 * `live`, the pages of an unfinished save are from different moments.
 *
 * **Failure effect**: the source is only read; the target is unchanged.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Recover.run")(function* ({
  key,
  source,
  ...options
}: Options): Effect.fn.Return<Report, Migration.MigrationError> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { channels } = yield* PipelineOptions.make(options)
      yield* checkOther(Location.make(source), Location.make(options.target))
      const salvaged = yield* recoverImage(Location.make(source), { key, channels })
      const { blocks, lost, machineState, neverSaved, partial } = salvaged
      const notes = notesOf(salvaged, options.notes)
      const summary = yield* Migration.make.save({ ...options, notes, blocks, machineState: machineState.value })
      return { partial, machineState: machineState.isWhole, lost, neverSaved, summary: withoutLost(summary, salvaged) }
    })
  )
})
