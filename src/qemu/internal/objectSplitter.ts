/**
 * Splits a stream of bytes into JSON objects.
 *
 *     whitespace  {…}  whitespace  {…}  …
 *
 *     one object a line, or an indented one (QEMU's `pretty=on`): the brackets give the end of an object
 */
import * as Stranger from "./stranger.ts"
import type { Problem } from "./objectSplitterModel.ts"

export type { Problem } from "./objectSplitterModel.ts"

/** Deeper than any message of QEMU, whose own parser stops at 1024, and safe for a recursive one. */
const MAX_DEPTH = 1024

/**
 * Splits objects out of bytes as they arrive. Only the brackets are examined; the text between them may not be JSON.
 *
 * @internal
 */
export interface ObjectSplitter {
  /** Passes each complete object to `onObject`, in order. After a problem it is unusable. */
  readonly push: (bytes: Uint8Array, onObject: (object: Uint8Array) => void) => Problem | undefined
}

const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d])

const QUOTE = 0x22

const BACKSLASH = 0x5c

const OPENING = new Set([0x7b, 0x5b])

const CLOSING = new Set([0x7d, 0x5d])

const BRACE = 0x7b

/**
 * Makes a splitter that keeps at most `maxBytes` of an incomplete object.
 *
 * @internal
 */
export const make = (maxBytes: number): ObjectSplitter => {
  /** The start of an object, which may arrive one byte at a time. */
  let kept = new Uint8Array(0)
  let length = 0
  let depth = 0
  let inString = false
  let escaped = false

  /** A copy, because the caller reuses the memory. */
  const keep = (bytes: Uint8Array): void => {
    const needed = length + bytes.length
    if (needed > kept.length) kept = new Uint8Array(kept.buffer.transfer(2 * needed))
    kept.set(bytes, length)
    length = needed
  }
  const take = (last: Uint8Array): Uint8Array => {
    const object = Buffer.concat([kept.subarray(0, length), last])
    kept = new Uint8Array(0)
    length = 0
    return object
  }
  const step = (byte: number): void => {
    if (escaped) escaped = false
    else if (inString) {
      if (byte === QUOTE) inString = false
      else if (byte === BACKSLASH) escaped = true
    } else if (byte === QUOTE) inString = true
    else if (OPENING.has(byte)) depth++
    else if (CLOSING.has(byte)) depth--
  }

  const problemWith = (size: number): Problem | undefined => {
    if (depth > MAX_DEPTH) return { expected: `at most ${MAX_DEPTH} nested brackets`, found: "more" }
    return size > maxBytes ? { expected: `a message of at most ${maxBytes} bytes`, found: "a longer one" } : undefined
  }
  return {
    push: (bytes, onObject) => {
      let start = 0
      for (const [at, byte] of bytes.entries()) {
        if (depth === 0) {
          if (SPACE.has(byte)) continue
          if (byte !== BRACE) return Stranger.problemOf(bytes.subarray(at))
          start = at
        }
        step(byte)
        const problem = problemWith(length + at + 1 - start)
        if (problem !== undefined) return problem
        if (depth === 0) onObject(take(bytes.subarray(start, at + 1)))
      }
      if (depth > 0) keep(bytes.subarray(start))
      return undefined
    }
  }
}
