import type { Transform } from "node:stream"
import type { Zlib } from "node:zlib"

/**
 * A stream of `node:zlib`.
 *
 * @internal
 */
export type Native = Transform & Zlib

/**
 * A stream of `node:zlib`, fed one piece at a time. Output is therefore known to belong to the piece, and after it is
 * settled the library no longer reads its bytes. The work runs on the thread pool.
 *
 * @internal
 */
export interface NativeStream<out S extends Native> {
  readonly native: S
  /**
   * Feeds one piece. `output` receives its output in order, each part in new memory, unless that memory is reused when
   * `output` returns. By returning `false` it reports too much output, which ends the stream. `settled` is called once,
   * later, with the library's error and the number of bytes of the piece that it consumed.
   */
  readonly feed: (
    input: Uint8Array,
    output: (bytes: Uint8Array) => boolean,
    settled: (error: NodeJS.ErrnoException | null, consumed: number) => void
  ) => void
  /** Frees the stream after the piece in progress, whose bytes the library still reads. */
  readonly close: (done: () => void) => void
}

interface Piece {
  readonly output: (bytes: Uint8Array) => boolean
  readonly settled: (error: NodeJS.ErrnoException | null, consumed: number) => void
  /** Bytes that the stream had consumed before. */
  readonly before: number
}

/**
 * Takes ownership of a stream.
 *
 * Destroying a stream while it works would suppress its callbacks if the library then rejects the piece. So a stream is
 * left alone until the piece is settled.
 *
 * With `reuse`, all output is written to the same memory. Half a megabyte of new memory per packet would take up to a
 * third of the decompression time, most of it for garbage collection.
 *
 * @internal
 */
export const makeNativeStream = <S extends Native>(
  native: S,
  { reuse }: { readonly reuse: boolean } = { reuse: false }
): NativeStream<S> => {
  let piece: Piece | undefined
  const waiting: Array<() => void> = []

  const answer = (error: NodeJS.ErrnoException | null): void => {
    if (piece === undefined) return
    const { settled, before } = piece
    piece = undefined
    settled(error, native.bytesWritten - before)
    if (waiting.length > 0) native.destroy()
    for (const done of waiting) done()
  }

  native.on("error", answer)
  takeOutput(native, (bytes) => {
    if (piece?.output(bytes) === false) {
      native.destroy()
      answer(null)
    } else if (reuse) rewind(native)
  })

  return {
    native,
    feed: (input, output, settled) => {
      piece = { output, settled, before: native.bytesWritten }
      native.write(input, (error) => answer(error ?? null))
    },
    close: (done) => {
      if (piece === undefined) {
        native.destroy()
        return done()
      }
      waiting.push(done)
    }
  }
}

/**
 * Delivers all output at once, in the call that brings it. A listener for `data` may be called later, when the library
 * is already writing to the same memory.
 */
const takeOutput = (native: Native, take: (bytes: Uint8Array) => void): void => {
  const end = native.push.bind(native)
  native.push = (bytes: Uint8Array | null) => {
    if (bytes === null) return end(null)
    take(bytes)
    return true
  }
  native.resume()
}

/**
 * Makes Node write the next output to the same memory, if it still has it; otherwise Node allocates new memory, as
 * usual.
 */
const rewind = (native: Native & { _outOffset?: unknown }): void => {
  if (typeof native._outOffset === "number") native._outOffset = 0
}
