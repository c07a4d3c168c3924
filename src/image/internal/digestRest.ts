import * as Effect from "effect/Effect"
import * as Checksum from "../../format/seal/Checksum.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ByteRange, Piece } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import { digestOf, pieces } from "./verifiedRest.ts"

/** Copies the bytes of a piece that is not in the file yet to their place among bytes of the file. */
const overlay = (bytes: Uint8Array, position: number, piece: Piece): void => {
  const from = Math.max(position, piece.position)
  const to = Math.min(position + bytes.length, piece.position + piece.bytes.length)
  if (from < to) bytes.set(piece.bytes.subarray(from - piece.position, to - piece.position), from - position)
}

/**
 * The digest of everything in an image except its pages. The first piece of the stream may not be written yet.
 * `digests` gets one per piece, in order.
 *
 * @internal
 */
export const digestRest = Effect.fnUntraced(function* (
  file: PositionalFile,
  ranges: ReadonlyArray<ByteRange>,
  options: {
    readonly algorithm: Checksum.Algorithm
    readonly first?: Piece | undefined
    readonly digests?: Array<Uint8Array> | undefined
  }
): Effect.fn.Return<Uint8Array, FileError> {
  const { algorithm, digests, first } = options
  const state = Checksum.hasher(algorithm)
  for (const range of ranges) {
    state.update(ImageSeal.encodeRange(range))
    for (const { length, position } of pieces(range)) {
      const bytes = new Uint8Array(length)
      yield* fromFile(file, range, first).readInto(position - range.position, bytes)
      state.update(bytes)
      digests?.push(digestOf(algorithm, bytes))
    }
  }
  return state.digest()
})

const fromFile = (
  file: PositionalFile,
  { length, position }: ByteRange,
  first: Piece | undefined
): ByteSource.ByteSource<FileError> => {
  if (first === undefined) return ByteSource.fromFile(file, position, length)
  return {
    length,
    readInto: (offset, target) =>
      Effect.gen(function* () {
        const from = position + offset
        // A failed write may have ended before the place of its first piece.
        const there = Math.min(target.length, Math.max(0, (yield* file.size) - from))
        yield* file.readExtents([{ position: from, bytes: target.subarray(0, there) }])
        overlay(target.fill(0, there), from, first)
      })
  }
}
