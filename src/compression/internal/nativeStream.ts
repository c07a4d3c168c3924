import type { Transform } from "node:stream"
import type { Zlib } from "node:zlib"

/**
 * A stream of `node:zlib`.
 *
 * @internal
 */
export type Native = Transform & Zlib

/**
 * A stream of `node:zlib`, fed one piece at a time: what comes out of a piece is known to be of that piece, and when it is
 * settled nobody looks at its bytes any more. The work is done by the thread pool.
 *
 * @internal
 */
export interface NativeStream<out S extends Native> {
  readonly native: S
  /**
   * Feeds one piece. `output` is given what comes out, in order, each part in memory of its own, unless that is used again
   * when `output` returns; by `false` it says that this is more than it wants, which ends the stream. `settled` is called
   * once, later, with what the library complained about and with how many bytes of the piece it took.
   */
  readonly feed: (
    input: Uint8Array,
    output: (bytes: Uint8Array) => boolean,
    settled: (error: NodeJS.ErrnoException | null, consumed: number) => void
  ) => void
  /** Frees the stream. A piece under way comes first: the library still looks at its bytes. */
  readonly close: (done: () => void) => void
}

interface Piece {
  readonly output: (bytes: Uint8Array) => boolean
  readonly settled: (error: NodeJS.ErrnoException | null, consumed: number) => void
  /** Bytes that the stream had taken before. */
  readonly before: number
}

/**
 * Takes charge of a stream, which nobody else may touch then.
 *
 * Destroying one while it works would be the end of its callbacks if the library finds the piece to be wrong then. So a
 * stream is left alone until the piece is settled.
 *
 * With `reuse`, all output is written to the same memory: half a megabyte of new memory for each packet would cost as much as
 * a third of the decompression, most of it in collecting the garbage.
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
 * Has everything that comes out handed over at once, in the very call that brings it. A listener for `data` may be called
 * later, when the library is at work on the memory behind it.
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

/** Node writes what comes next behind this place, if it still has it: without it, it takes new memory, as it does otherwise. */
const rewind = (native: Native & { _outOffset?: unknown }): void => {
  if (typeof native._outOffset === "number") native._outOffset = 0
}
