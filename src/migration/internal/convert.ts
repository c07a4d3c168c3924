import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import type { LastStep } from "../../snapshot/SnapshotTarget.ts"
import type { ConvertOptions, MigrationError } from "./migrationModel.ts"
import * as Problem from "../../ram/Problem.ts"
import type { Progress } from "../Progress.ts"
import { refuse } from "./request.ts"
import { save } from "./save.ts"

/** Without a seal nothing would say any more that pages are lost. */
const sealProblems = (
  { seal }: Pick<ConvertOptions, "seal">,
  { lost = [] }: ImageNotes
): ReadonlyArray<Problem.Problem> =>
  seal === false && lost.some(({ pages }) => pages > 0)
    ? [Problem.make("pages of the image were lost, which only a seal records", "choose a seal")]
    : []

/**
 * Saves what a snapshot holds: its bitmaps are known, so no page is looked at, only copied.
 *
 * @internal
 */
export const convert = (
  { source, ...options }: ConvertOptions,
  progress: Progress,
  last: LastStep
): Effect.Effect<void, MigrationError, Scope.Scope> => {
  const { blocks, machineState, readUnit } = source
  const notes = { ...source.notes, ...options.notes }
  return Effect.andThen(
    refuse("convert", sealProblems(options, notes)),
    save({ ...options, notes, blocks, machineState, readUnit }, progress, last)
  )
}
