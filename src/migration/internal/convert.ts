import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import type { ConvertOptions, MigrationError } from "../Migration.ts"
import type { Progress } from "../Progress.ts"
import { wholeExtents } from "../../image/internal/extentChecks.ts"
import { refuse } from "./request.ts"
import type { LastStep } from "./operation.ts"
import { save } from "./save.ts"

/** Without a seal nothing would say any more that pages are lost. */
const sealProblems = ({ seal }: Pick<ConvertOptions, "seal">, { lost = [] }: ImageNotes): ReadonlyArray<string> =>
  seal === false && lost.some(({ pages }) => pages > 0)
    ? ["expected a seal for an image with lost pages, where they are noted, found none"]
    : []

/**
 * Saves what an image holds: its bitmaps are known, so no page is looked at, only copied.
 *
 * @internal
 */
export const convert = (
  { source, ...options }: ConvertOptions,
  progress: Progress,
  last: LastStep<void, MigrationError>
): Effect.Effect<void, MigrationError, Scope.Scope> => {
  const ignored = source.blocks.filter((block) => block.ignored)
  const blocks = source.blocks.filter((block) => !block.ignored)
  const batchSize = wholeExtents(options.batchSize ?? PipelineOptions.limits.batchSize.default, blocks)
  const notes = { ...source.notes, ...options.notes }
  return Effect.andThen(
    refuse("convert", sealProblems(options, notes)),
    save({ ...options, notes, batchSize, blocks, machineState: source.machineState }, ignored, progress, last)
  )
}
