import * as Invariant from "../../ram/Invariant.ts"
import * as Effect from "effect/Effect"
import type { CompressionMethod } from "../Compression.ts"
import type { CompressionError } from "../CompressionError.ts"
import type { CodecStreams } from "./codecStreams.ts"
import { failed } from "./problems.ts"

/**
 * The output of a piece.
 *
 * @internal
 */
export interface Packed {
  readonly parts: Array<Uint8Array>
  /** Bytes in all parts. */
  length: number
}

/**
 * Compresses independent pieces.
 *
 * @internal
 */
export const compressPieces = (
  streams: CodecStreams,
  method: CompressionMethod,
  pieces: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<Packed>, CompressionError> => {
  const packed = pieces.map((): Packed => ({ parts: [], length: 0 }))
  const task = streams.run({
    pieces: pieces.length,
    input: (piece) => Invariant.defined(pieces[piece], "a piece of the task is one of the pieces"),
    output: (piece, bytes) => add(Invariant.defined(packed[piece], "a piece has its place"), bytes),
    checkOutput: (_, error) => (error === null ? undefined : failed(method, error))
  })
  return Effect.as(task, packed)
}

const add = (packed: Packed, bytes: Uint8Array): true => {
  packed.parts.push(bytes)
  packed.length += bytes.length
  return true
}

/**
 * Cuts bytes into pieces of `size`; the last one may be smaller.
 *
 * @internal
 */
export const split = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, piece) => bytes.subarray(piece * size, (piece + 1) * size))
