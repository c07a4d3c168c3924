import * as Effect from "effect/Effect"
import type { Algorithm } from "../../format/seal/Checksum.ts"
import type { PageDigests } from "../../format/seal/PageDigests.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import { forEachRange } from "../../snapshot/ReadRanges.ts"
import * as LaneCopy from "../../transfer/LaneCopy.ts"
import type { ImageBlock } from "../Image.ts"
import type { Options } from "./examine.ts"

/**
 * Takes the digests of all pages of blocks that have no checksums yet.
 *
 * @internal
 */
export const digestAll = Effect.fnUntraced(function* (
  blocks: ReadonlyArray<ImageBlock>,
  { algorithm, channels, extentSize: unit }: Options & { readonly algorithm: Algorithm },
  digestsOf: (idstr: string) => PageDigests
): Effect.fn.Return<void, FileError> {
  const lanes = LaneCopy.canRead(blocks) ? yield* LaneCopy.lanes : undefined
  const bytes = lanes === undefined ? undefined : LaneCopy.batchSize
  yield* forEachRange(blocks, { unit, channels, bytes }, ({ block, length, offset }, read) => {
    const { idstr, pageSize, reader } = block
    const first = offset / pageSize
    const present = () => reader.present.runs(first, length / pageSize)
    const here = Effect.map(read, (data) => digestsOf(idstr).record(first, data, present()))
    const batch = { block, offset, length, pages: PageRuns.all(length / pageSize) }
    const source = lanes === undefined ? undefined : LaneCopy.sourceOf(batch)
    const all =
      lanes === undefined || source === undefined
        ? here
        : Effect.map(LaneCopy.read(lanes, source, batch, algorithm), ({ digests, normal }) =>
            digestsOf(idstr).take(first, digests, normal)
          )
    return Effect.catchTag(all, "IntegrityError", Effect.die)
  })
})
