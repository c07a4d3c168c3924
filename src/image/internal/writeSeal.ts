import * as Effect from "effect/Effect"
import * as Invariant from "../../ram/Invariant.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { MappedBlock, Piece } from "../../format/image/ImageStream.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type * as FileChannel from "../FileChannel.ts"

/**
 * The destination of each block's pages, for blocks with pages, by `idstr`.
 *
 * @internal
 */
export type Targets = ReadonlyMap<string, FileChannel.Target>

/** @internal */
export const sealedBlock = ({ header, idstr, usedLength }: MappedBlock, digests: Uint8Array): ImageSeal.SealedBlock => {
  const { bitmapOffset, pageSize, pagesOffset } = header
  return { idstr, usedLength, pageSize, bitmapOffset, pagesOffset, digests }
}

/**
 * The sealed blocks of an image in progress, from the current digests of their pages.
 *
 * @internal
 */
export const sealedBlocks = (
  blocks: ReadonlyArray<MappedBlock>,
  targets: Targets
): ReadonlyArray<ImageSeal.SealedBlock> =>
  blocks
    .filter(({ ignored }) => !ignored)
    .map((block) => {
      const digests = Invariant.defined(targets.get(block.idstr)?.digests, "each block of a sealed image has digests")
      return sealedBlock(block, digests.extents())
    })

/**
 * Writes a seal to its place, and succeeds with the mark to write when the seal is durable.
 *
 * @internal
 */
export const writeSealOf = Effect.fnUntraced(function* (
  file: PositionalFile,
  options: {
    /** The position of the mark. */
    readonly position: number
    readonly seal: ImageSeal.Seal
    readonly key: Uint8Array | undefined
  }
): Effect.fn.Return<Piece, FileError> {
  const { key, position, seal } = options
  const { algorithm, end } = seal
  const bytes = ImageSeal.encode(seal)
  const range = { position: ImageSeal.sealPosition(end), length: bytes.length }
  yield* file.write(range.position, bytes)
  const mark = { state: "sealed" as const, algorithm, seal: range }
  return { position, bytes: SealMark.encode({ ...mark, digest: SealMark.digestOf(mark, bytes, key) }) }
})
