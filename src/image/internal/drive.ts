import * as Effect from "effect/Effect"
import type { Demand } from "../../format/Demand.ts"
import type { Source } from "./verifiedRest.ts"

/** Records of a migration stream are short and follow each other: one read serves many demands. */
const WINDOW_BYTES = 64 * 1024

/**
 * Runs a parser over a file: answers each of its demands with the bytes at that position, fewer only where the file
 * is known to end: that it ends earlier now is an error.
 *
 * @internal
 */
export const drive = Effect.fnUntraced(function* <A, E>(
  file: Source<E>,
  fileSize: number,
  parser: Generator<Demand, A, Uint8Array>
): Effect.fn.Return<A, E> {
  let window = new Uint8Array(0)
  let start = 0
  let step = parser.next()
  while (step.done !== true) {
    const { length, position } = step.value
    if (position < start || position + length > start + window.length) {
      // A parser may keep what it was given, so a window is never reused.
      window = new Uint8Array(Math.min(Math.max(length, WINDOW_BYTES), Math.max(0, fileSize - position)))
      yield* file.readExtents([{ position, bytes: window }])
      start = position
    }
    step = parser.next(window.subarray(position - start, position - start + length))
  }
  return step.value
})
