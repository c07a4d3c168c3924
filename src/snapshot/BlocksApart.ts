/**
 * Checks that blocks to be written do not overlap.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Problem from "../ram/Problem.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import { type MigrationRequestError, refuse } from "./MigrationRequestError.ts"

/** A part of a file; `file` is `undefined` if it does not exist yet. */
type Part = Pick<RamBlock.Storage, "start" | "end"> & { readonly file: string | undefined }

/**
 * `true` if two places share bytes of one file.
 *
 * @internal
 */
export const overlaps = (a: Part | undefined, b: Part | undefined): boolean =>
  a !== undefined && b !== undefined && a.file !== undefined && a.file === b.file && a.start < b.end && b.start < a.end

/**
 * One sentence for each pair of overlapping blocks.
 *
 * @internal
 */
export const problems = (blocks: ReadonlyArray<RamBlock.Shape & RamBlock.Stored>): ReadonlyArray<Problem.Problem> =>
  blocks.flatMap(({ idstr, storage }, index) =>
    blocks
      .slice(0, index)
      .filter((other) => overlaps(other.storage, storage))
      .map((other) =>
        Problem.make(
          `the blocks "${other.idstr}" and "${idstr}" overlap in ${storage?.path}`,
          "give each block a separate place"
        )
      )
  )

/**
 * Refuses blocks that overlap.
 *
 * @internal
 */
export const check = (
  operation: MigrationRequestError["operation"],
  blocks: ReadonlyArray<RamBlock.Shape & RamBlock.Stored>
): Effect.Effect<void, MigrationRequestError> => refuse(operation, problems(blocks))
