/**
 * What can be saved of an image that is damaged, or was never finished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as PipelineOptions from "../multifd/PipelineOptions.ts"
import type * as Integrity from "./Integrity.ts"
import { salvage } from "./internal/salvage.ts"
import * as Location from "./Location.ts"
import * as Migration from "./Migration.ts"

/**
 * What came out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Whether the save was never finished: pages that it had not come to are not known, and zero in the new image. */
  readonly partial: boolean
  /** Whether everything that is not RAM could be taken over; otherwise the new image holds RAM and nothing else. */
  readonly machineState: boolean
  /** The pages that did not have their checksum: they are zero in the new image. */
  readonly lost: ReadonlyArray<Integrity.Damage>
  /** The new image. */
  readonly summary: Migration.Summary
}

/**
 * Which image, and where to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<Migration.WriteOptions, "maxBandwidth"> {
  /** A damaged image with checksums, or what a save with `keepPartial` has left that failed or was killed. */
  readonly source: string | Location.Location
  /** The secret that it was sealed with. */
  readonly key?: Uint8Array | undefined
}

/**
 * Writes a new image of all pages that have their checksum. Fails with `MigrationRequestError` where nothing can be proven:
 * there are no checksums, or they are damaged themselves.
 *
 * **Details**
 *
 * A page is taken over with its whole extent or not at all. Where the save was stopped by SIGKILL or a power cut, its last
 * checkpoint says which pages it had written; one that was killed when all was written gives the whole machine. With `live`,
 * the pages of a save that has not come to its end are those of different moments.
 *
 * **Failure effect**: the source is only read; the target is as it was.
 *
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
      const salvaged = yield* salvage(Location.make(source), { key, channels })
      const { blocks, lost, machineState, partial } = salvaged
      const notes = { ...salvaged.notes, ...options.notes }
      const summary = yield* Migration.make.save({ ...options, notes, blocks, machineState: machineState.value })
      return { partial, machineState: machineState.isWhole, lost, summary }
    })
  )
})
