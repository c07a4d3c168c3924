import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as ImageTarget from "../../image/ImageTarget.ts"
import * as Location from "../../image/Location.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as Problem from "../../ram/Problem.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"
import * as SnapshotTarget from "../../snapshot/SnapshotTarget.ts"
import type { Target } from "./migrationModel.ts"

/** Options of an image that the operation makes itself. A target made by the caller has its own. */
const imageOptions = ["seal", "keepPartial", "checkpointBytes", "directIo"] as const

const strayProblems = (options: ImageTarget.Options): ReadonlyArray<Problem.Problem> =>
  imageOptions
    .filter((name) => options[name] !== undefined)
    .map((name) => Problem.make(`${name} is an option of images that are named by a path`, "give it to the target"))

const problemsOf = <A, E>(target: Target<A, E>, options: ImageTarget.Options): ReadonlyArray<Problem.Problem> =>
  SnapshotTarget.isSnapshotTarget(target) ? strayProblems(options) : ImageTarget.problems(options)

const open = <A, E>(
  target: Target<A, E>,
  options: ImageTarget.Options
): Effect.Effect<SnapshotTarget.SnapshotTarget<A, E | FileError>, FileError, Scope.Scope> => {
  if (SnapshotTarget.isSnapshotTarget(target)) return Effect.succeed(target)
  // A path gives no value: `A` is `void` unless a target says otherwise.
  const image = ImageTarget.makeChecked(Location.make(target), options)
  return image as Effect.Effect<SnapshotTarget.SnapshotTarget<A, E | FileError>, FileError, Scope.Scope>
}

/**
 * Opens the target of an operation: an image for a path, or a target made by the caller. Reasons why it cannot take the
 * machine are reported before it is opened, as far as they are known.
 *
 * @internal
 */
export const openTarget = Effect.fnUntraced(function* <A, E>(
  operation: MigrationRequestError["operation"],
  options: ImageTarget.Options & { readonly target: Target<A, E>; readonly notes?: ImageNotes.ImageNotes | undefined },
  /** The notes of the source, if it is a snapshot. */
  source: ImageNotes.ImageNotes | undefined,
  problems: ReadonlyArray<Problem.Problem> = []
): Effect.fn.Return<SnapshotTarget.SnapshotTarget<A, E | FileError>, FileError | MigrationRequestError, Scope.Scope> {
  const { notes } = options
  yield* refuse(operation, [...problems, ...ImageNotes.problems(notes), ...problemsOf(options.target, options)])
  const target = yield* open(options.target, options)
  yield* refuse(operation, target.problems?.(source === undefined ? {} : { ...source, ...notes }) ?? [])
  return SnapshotTarget.withNotes(target, notes)
})
