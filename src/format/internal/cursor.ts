import * as Result from "effect/Result"
import * as Invariant from "../../ram/Invariant.ts"
import { type ReadRequest, type Parser, runSync } from "../Parser.ts"
import * as Finding from "../Finding.ts"
import type { Decoded } from "../stream/internal/migrationStreamModel.ts"

/**
 * A parser that can stop: yielding a finding ends it, and the driver never resumes the steps.
 *
 * @internal
 */
export type Steps<A> = Generator<ReadRequest | Finding.Finding, A, Uint8Array>

/**
 * Stops with a finding.
 *
 * @internal
 */
export function* stop(finding: Parameters<typeof Finding.make>[0]): Generator<Finding.Finding, never, Uint8Array> {
  const value = Finding.make(finding)
  while (true) yield value
}

/**
 * Turns a stop into a result.
 *
 * @internal
 */
export function* attempt<A>(steps: Steps<A>): Parser<Result.Result<A, Finding.Finding>> {
  let step = steps.next()
  while (step.done !== true) {
    if (step.value instanceof Finding.Finding) return Result.fail(step.value)
    step = steps.next(yield step.value)
  }
  return Result.succeed(step.value)
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Decodes bytes that should be UTF-8, or `undefined` if they are not. @internal */
export const decodeText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** The largest byte position that a number holds exactly; more than any file system allows. */
const MAX_POSITION = Number.MAX_SAFE_INTEGER

/**
 * Reads a stream from a position onwards. Each `what` completes "the file ends inside …".
 *
 * @internal
 */
export class Cursor {
  position: number
  readonly #fileSize: number | undefined

  /** With the length of the file, a finding about truncation reports how many bytes are missing. */
  constructor(position: number, fileSize?: number) {
    this.position = position
    this.#fileSize = fileSize
  }

  /** Describes the end of the input, before `needed`. */
  endBefore(needed: number): string {
    const size = this.#fileSize
    return size === undefined || size >= needed
      ? "the end"
      : `the end at byte ${size}: at least ${needed - size} bytes are missing`
  }

  /** Up to `length` bytes without advancing; fewer at the end of the input. */
  *peek(length: number): Parser<Uint8Array> {
    return yield { position: this.position, length }
  }

  /** Exactly `length` bytes. */
  *take(length: number, what: string): Steps<Uint8Array> {
    if (length === 0) return new Uint8Array(0)
    const bytes = yield { position: this.position, length }
    if (bytes.length < length) {
      const found = `the end at byte ${this.position + bytes.length}: at least ${length - bytes.length} bytes are missing`
      yield* stop({ code: "stream-cut", offset: this.position, expected: `${what}, ${length} bytes`, found })
    }
    this.position += length
    return bytes
  }

  /** Skips `length` bytes, which must be present. */
  *skip(length: number, what: string): Steps<void> {
    if (length === 0) return
    const offset = this.position
    const last = offset + length - 1
    const isThere = last < MAX_POSITION && (yield { position: last, length: 1 }).length === 1
    if (!isThere) {
      const found = this.endBefore(last + 1)
      yield* stop({ code: "stream-cut", offset, expected: `${what}, ${length} bytes`, found })
    }
    this.position = last + 1
  }

  *u8(what: string): Steps<number> {
    return Invariant.defined((yield* this.take(1, what))[0], "a byte was taken")
  }

  *u16(what: string): Steps<number> {
    return view(yield* this.take(2, what)).getUint16(0)
  }

  *u32(what: string): Steps<number> {
    return view(yield* this.take(4, what)).getUint32(0)
  }

  /** A number that must be below 2^53. */
  *u64(what: string): Steps<number> {
    const at = this.position
    const value = view(yield* this.take(8, what)).getBigUint64(0)
    if (value > BigInt(MAX_POSITION)) {
      const expected = `${what} below 2^53`
      return yield* stop({ code: "number-too-large", offset: at, expected, found: String(value) })
    }
    return Number(value)
  }

  /** `length` bytes of UTF-8. The caller bounds the length. Invalid text may be guest memory, so it is not quoted. */
  *text(length: number, what: string): Steps<string> {
    const at = this.position
    const bytes = yield* this.take(length, what)
    const text = decodeText(bytes)
    if (text !== undefined) return text
    return yield* stop({
      code: "name-invalid",
      offset: at,
      expected: `${what} in UTF-8`,
      found: `${length} bytes that are not`
    })
  }

  /** One length byte and that many bytes of UTF-8. */
  *str8(what: string): Steps<string> {
    return yield* this.text(yield* this.u8(`the length of ${what}`), what)
  }
}

/**
 * Runs steps over bytes in memory, to decode one value.
 *
 * @internal
 */
export const decodeWith = <A>(
  bytes: Uint8Array,
  position: number,
  read: (cursor: Cursor) => Steps<A>
): Result.Result<Decoded<A>, Finding.Finding> => {
  function* steps(): Steps<Decoded<A>> {
    const cursor = new Cursor(position)
    const value = yield* read(cursor)
    return { value, end: cursor.position }
  }
  return runSync(attempt(steps()), bytes)
}

/** @internal */
export const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Enough bytes to recognise the data by. */
