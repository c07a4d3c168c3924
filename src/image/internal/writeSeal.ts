import * as Effect from "effect/Effect"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { MappedBlock, Piece } from "../../format/image/ImageStream.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type * as FileChannel from "../FileChannel.ts"

/**
 * Where the pages of each block with pages go, by `idstr`.
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
 * What a seal says of the blocks of an image that is being written, by the digests that their pages have now.
 *
 * @internal
 */
export const sealedBlocks = (
  blocks: ReadonlyArray<MappedBlock>,
  targets: Targets
): ReadonlyArray<ImageSeal.SealedBlock> =>
  blocks
    .filter(({ ignored }) => !ignored)
    .map((block) => sealedBlock(block, targets.get(block.idstr)!.digests!.extents()))

/**
 * Writes a seal to where it belongs, and succeeds with the mark that is to be written when it is durable.
 *
 * @internal
 */
export const writeSealOf = Effect.fnUntraced(function* (
  file: PositionalFile,
  options: {
    /** Where the mark belongs. */
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
