import * as Effect from "effect/Effect"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { FileError } from "../../io/files/FileError.ts"
import { forEachRange, type Range } from "../../snapshot/ReadRanges.ts"
import * as LaneCopy from "../../transfer/LaneCopy.ts"
import type { ImageBlock } from "../Image.ts"
import type { Damage, IntegrityError } from "../Integrity.ts"

/**
 * Options of reading an image's pages only to check them.
 *
 * @internal
 */
export interface Options {
  readonly extentSize: number
  /** Concurrent reads. */
  readonly channels: number
}

const asBatch = ({ block, length, offset }: Range<ImageBlock>) => ({
  block,
  offset,
  length,
  pages: PageRuns.all(length / block.pageSize)
})

/** The lanes, if these blocks justify them. */
const lanesFor = (blocks: ReadonlyArray<ImageBlock>) =>
  LaneCopy.canRead(blocks) ? LaneCopy.lanes : Effect.succeed(undefined)

/**
 * Compares all pages of sealed blocks with their checksums. `damage` gets the damaged extents, `failed` the unreadable
 * ones.
 *
 * @internal
 */
export const examine = Effect.fnUntraced(function* (
  blocks: ReadonlyArray<ImageBlock>,
  { channels, extentSize: unit }: Options,
  on: {
    readonly damage: (damage: ReadonlyArray<Damage>) => void
    readonly failed: (error: FileError) => Effect.Effect<void, FileError>
  }
): Effect.fn.Return<void, FileError> {
  const report = (error: FileError | IntegrityError): Effect.Effect<void, FileError> =>
    error._tag === "IntegrityError" ? Effect.sync(() => on.damage(error.damage)) : on.failed(error)
  const lanes = yield* lanesFor(blocks)
  const here = (only: ReadonlyArray<ImageBlock>, within?: Range<ImageBlock>) =>
    forEachRange(only, { unit, channels, within }, (_, read) => Effect.catch(Effect.asVoid(read), report))
  if (lanes === undefined) return yield* here(blocks)
  yield* forEachRange(blocks, { unit, channels, bytes: LaneCopy.batchSize }, (range) => {
    // Ranges that a lane cannot read are read again in smaller ones, which fail separately.
    const again = here([range.block], range)
    const batch = asBatch(range)
    const source = LaneCopy.sourceOf<FileError | IntegrityError>(batch)
    if (source === undefined) return again
    return Effect.catch(Effect.asVoid(LaneCopy.read(lanes, source, batch)), (error) =>
      error._tag === "IntegrityError" ? report(error) : again
    )
  })
})
