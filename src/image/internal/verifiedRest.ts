import * as Effect from "effect/Effect"
import * as Invariant from "../../ram/Invariant.ts"
import { Buffer } from "node:buffer"
import * as Hex from "effect/encoding/Hex"
import * as Checksum from "../../format/seal/Checksum.ts"
import type { ByteRange } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { Extent, PositionalFile } from "../../io/files/PositionalFile.ts"
import * as Integrity from "../Integrity.ts"

/** Bytes that share a digest: reading a few of them reads all of them. */
const PIECE_BYTES = 256 * 1024

/**
 * A source of the bytes of an image.
 *
 * @internal
 */
export interface Source<out E> {
  readonly path: string
  /** Fills all extents; callers never ask past the known end of the file. */
  readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, E>
}

/**
 * Everything of an image except its pages, as verified: a digest for each piece of it.
 *
 * @internal
 */
export interface VerifiedRest {
  readonly algorithm: Checksum.Algorithm
  readonly ranges: ReadonlyArray<ByteRange>
  /** Digests of the pieces of all ranges, one after another. */
  readonly digests: ReadonlyArray<Uint8Array>
}

/**
 * The pieces of a range: each has its own digest.
 *
 * @internal
 */
export function* pieces({ length, position }: ByteRange): Generator<ByteRange> {
  for (let at = 0; at < length; at += PIECE_BYTES) {
    yield { position: position + at, length: Math.min(PIECE_BYTES, length - at) }
  }
}

/** @internal */
export const digestOf = (algorithm: Checksum.Algorithm, bytes: Uint8Array): Uint8Array => {
  const hasher = Checksum.hasher(algorithm)
  hasher.update(bytes)
  return hasher.digest()
}

/** Ranges in the order of the file, each with the number of its first piece. */
const placed = (ranges: ReadonlyArray<ByteRange>) => {
  let first = 0
  return ranges
    .map((range) => {
      const place = { ...range, end: range.position + range.length, first }
      first += Math.ceil(range.length / PIECE_BYTES)
      return place
    })
    .toSorted((a, b) => a.position - b.position)
}

/**
 * A file whose bytes outside of pages are compared with the verified ones whenever they are read: writes to the file in
 * the meantime do not get past the checksums.
 *
 * @internal
 */
export const view = (
  file: PositionalFile,
  { algorithm, digests, ranges }: VerifiedRest
): Source<FileError | Integrity.IntegrityError> => {
  const places = placed(ranges)
  let last: { readonly index: number; readonly bytes: Uint8Array } | undefined

  const readPiece = Effect.fnUntraced(function* (
    index: number,
    { length, position }: ByteRange
  ): Effect.fn.Return<Uint8Array, FileError | Integrity.IntegrityError> {
    if (last?.index === index) return last.bytes
    const bytes = new Uint8Array(length)
    yield* file.readExtents([{ position, bytes }])
    const expected = Invariant.defined(digests[index], "each range has its digest")
    const found = digestOf(algorithm, bytes)
    if (Buffer.compare(expected, found) !== 0) {
      const changed = { position, length, expected: Hex.encode(expected), found: Hex.encode(found) }
      return yield* new Integrity.IntegrityError({ path: file.path, damage: [], changed })
    }
    last = { index, bytes }
    return bytes
  })

  const readExtent = Effect.fnUntraced(function* ({ bytes, position }: Extent) {
    const end = position + bytes.length
    for (let at = position; at < end;) {
      const place = places.find((range) => range.end > at)
      const target = bytes.subarray(at - position)
      if (place === undefined || place.position > at) {
        const length = Math.min(end, place?.position ?? end) - at
        yield* file.readExtents([{ position: at, bytes: target.subarray(0, length) }])
        at += length
        continue
      }
      const number = Math.floor((at - place.position) / PIECE_BYTES)
      const start = place.position + number * PIECE_BYTES
      const piece = { position: start, length: Math.min(PIECE_BYTES, place.end - start) }
      const found = (yield* readPiece(place.first + number, piece)).subarray(at - start, end - start)
      target.set(found)
      at += found.length
    }
  })
  return {
    path: file.path,
    readExtents: (extents) => Effect.forEach(extents, readExtent, { discard: true })
  }
}
