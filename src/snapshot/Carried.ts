/**
 * Bytes that are carried from one place to another without being held in memory as a whole.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { FileError } from "../io/files/FileError.ts"
import type { Extent, PositionalFile } from "../io/files/PositionalFile.ts"

/**
 * A sequence of bytes that is read piece by piece.
 *
 * @category models
 * @since 0.1.0
 */
export interface Carried<out E = never> {
  /** Bytes. */
  readonly length: number
  /** Fills all of `target` with the bytes at `offset`. */
  readonly readInto: (offset: number, target: Uint8Array) => Effect.Effect<void, E>
}

/**
 * Carries bytes that are in memory already.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromBytes = (bytes: Uint8Array): Carried => ({
  length: bytes.length,
  readInto: (offset, target) => Effect.sync(() => target.set(bytes.subarray(offset, offset + target.length)))
})

/**
 * Carries nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Carried = fromBytes(new Uint8Array(0))

/**
 * Carries `length` bytes at `position` of a file. Fails with `UnexpectedEndOfFileError` when the file became shorter.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromFile = <E = FileError>(
  file: { readonly readExtents: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, E> },
  position: number,
  length: number
): Carried<E> => ({
  length,
  readInto: (offset, target) => file.readExtents([{ position: position + offset, bytes: target }])
})

/**
 * All of the bytes. The caller sees to it that `length` is no more than it can hold.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = <E>(carried: Carried<E>): Effect.Effect<Uint8Array, E> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(carried.length)
    return Effect.as(carried.readInto(0, bytes), bytes)
  })

/** Large enough to make the cost of a call vanish, small beside the buffers of the channels. */
const CHUNK_BYTES = 1024 * 1024

/**
 * Hands all of the bytes to `f`, in order, in pieces of 1 MiB at most. A piece is valid until `f` has ended.
 *
 * @category running
 * @since 0.1.0
 */
export const forEach: <E, E2, R>(
  carried: Carried<E>,
  f: (bytes: Uint8Array, offset: number) => Effect.Effect<void, E2, R>
) => Effect.Effect<void, E | E2, R> = Effect.fnUntraced(function* <E, E2, R>(
  carried: Carried<E>,
  f: (bytes: Uint8Array, offset: number) => Effect.Effect<void, E2, R>
): Effect.fn.Return<void, E | E2, R> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, carried.length))
  for (let offset = 0; offset < carried.length; offset += buffer.length) {
    const chunk = buffer.subarray(0, carried.length - offset)
    yield* carried.readInto(offset, chunk)
    yield* f(chunk, offset)
  }
})

/**
 * Copies all of the bytes to `position` of a file, through a buffer of 1 MiB at most.
 *
 * @category running
 * @since 0.1.0
 */
export const copyTo = <E>(
  carried: Carried<E>,
  file: PositionalFile,
  position: number
): Effect.Effect<void, E | FileError> => forEach(carried, (bytes, offset) => file.write(position + offset, bytes))
