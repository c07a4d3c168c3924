/**
 * What can be saved of an image that is damaged, or was never finished.
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
 * What came out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Whether the save was never finished. */
  readonly partial: boolean
  /** Whether everything that is not RAM could be taken over; otherwise the new image holds RAM and nothing else. */
  readonly machineState: boolean
  /** The pages that did not have their checksum: they are zero in the new image. */
  readonly lost: ReadonlyArray<Integrity.Damage>
  /**
   * Of a save that was never finished: how many pages of which block nothing is known of, because it had not come to them, or
   * because they were zero. They are zero in the new image.
   */
  readonly neverSaved: ReadonlyArray<LostPages>
  /** The new image. Pages of `lost` and `neverSaved` are not among its zero pages. */
  readonly summary: Migration.Summary
}

/**
 * Which image, and where to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<Migration.WriteOptions, "maxBandwidth" | "target"> {
  /** The new image, in another file than the damaged one. */
  readonly target: string | Location.Location
  /** A damaged image with checksums, or what a save with `keepPartial` has left that failed or was killed. */
  readonly source: string | Location.Location
  /** The secret that it was sealed with. */
  readonly key?: Uint8Array | undefined
}

/** Whatever is zero for want of anything better, by block; the source may have lost some before. */
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

/** Pages that nothing is known of are no zero pages, although they are zeros now. */
const withoutLost = (summary: Migration.Summary, { lost, neverSaved }: Recovered): Migration.Summary => {
  const pages = [...lost, ...neverSaved].reduce((sum, one) => sum + one.pages, 0)
  return { ...summary, pages: summary.pages - pages, zeroPages: summary.zeroPages - pages }
}

/**
 * Writes a new image of all pages that have their checksum; its notes say how many others there are. Fails with
 * `MigrationRequestError` where nothing can be proven: there are no checksums, or they are damaged themselves; and where the
 * target is the source, by whatever name.
 *
 * **Details**
 *
 * A page is taken over with its whole extent or not at all. Where the save was stopped by SIGKILL or a power cut, its last
 * checkpoint says which pages it had written; one that was killed when all was written gives the whole machine. With `live`,
 * the pages of a save that has not come to its end are those of different moments.
 *
 * **Failure effect**: the source is only read; the target is as it was.
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
