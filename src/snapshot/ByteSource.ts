/**
 * Bytes that are read in pieces, without holding all of them in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ReadRequest } from "../format/Parser.ts"
import type { FileError } from "../io/files/FileError.ts"
import type { Extent, PositionalFile } from "../io/files/PositionalFile.ts"

/**
 * A sequence of bytes that is read in pieces.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ByteSource<out E = never> {
  /** Bytes. */
  readonly length: number
  /** Fills all of `target` with the bytes at `offset`. */
  readonly readInto: (offset: number, target: Uint8Array) => Effect.Effect<void, E>
}

/**
 * Bytes in memory.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromBytes = (bytes: Uint8Array): ByteSource => ({
  length: bytes.length,
  readInto: (offset, target) => Effect.sync(() => target.set(bytes.subarray(offset, offset + target.length)))
})

/**
 * No bytes.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const empty: ByteSource = fromBytes(new Uint8Array(0))

/**
 * `length` bytes at `position` of a file. Fails with `UnexpectedEndOfFileError` if the file has become shorter.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromFile = <E = FileError>(
  file: { readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, E> },
  position: number,
  length: number
): ByteSource<E> => ({
  length,
  readInto: (offset, target) => file.readExtents([{ position: position + offset, bytes: target }])
})

/**
 * Reads everything into memory; the caller must have bounded `length`.
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const read = <E>(source: ByteSource<E>): Effect.Effect<Uint8Array, E> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(source.length)
    return Effect.as(source.readInto(0, bytes), bytes)
  })

/** Large enough to make the overhead of a call negligible, small next to the buffers of the channels. */
const CHUNK_BYTES = 1024 * 1024

/**
 * Passes all bytes to `f`, in order, in pieces of at most 1 MiB. A piece is valid until `f` has ended.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const forEach: <E, E2, R>(
  source: ByteSource<E>,
  f: (bytes: Uint8Array, offset: number) => Effect.Effect<void, E2, R>
) => Effect.Effect<void, E | E2, R> = Effect.fnUntraced(function* <E, E2, R>(
  source: ByteSource<E>,
  f: (bytes: Uint8Array, offset: number) => Effect.Effect<void, E2, R>
): Effect.fn.Return<void, E | E2, R> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, source.length))
  for (let offset = 0; offset < source.length; offset += buffer.length) {
    const chunk = buffer.subarray(0, source.length - offset)
    yield* source.readInto(offset, chunk)
    yield* f(chunk, offset)
  }
})

/**
 * Copies all bytes to `position` of a file, through a buffer of at most 1 MiB.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const copyTo = <E>(
  source: ByteSource<E>,
  file: PositionalFile,
  position: number
): Effect.Effect<void, E | FileError> => forEach(source, (bytes, offset) => file.write(position + offset, bytes))

/** A parser requests small pieces, most of them next to each other. */
const WINDOW_BYTES = 64 * 1024

/**
 * Runs a parser over the bytes. Past their end, the parser gets fewer bytes than it requests.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const parse = Effect.fnUntraced(function* <A, E>(
  source: ByteSource<E>,
  parser: Generator<ReadRequest, A, Uint8Array>
): Effect.fn.Return<A, E> {
  let window = new Uint8Array(0)
  let start = 0
  let step = parser.next()
  while (step.done !== true) {
    const { length, position } = step.value
    if (position < start || position + length > start + window.length) {
      // A parser may keep the bytes it was given, so a window is never reused.
      window = new Uint8Array(Math.min(Math.max(length, WINDOW_BYTES), Math.max(0, source.length - position)))
      yield* source.readInto(position, window)
      start = position
    }
    step = parser.next(window.subarray(position - start, position - start + length))
  }
  return step.value
})
