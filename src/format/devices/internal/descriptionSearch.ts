import { MAX_READ_BYTES, type Parser } from "../../Parser.ts"
import { SectionType } from "../../internal/constants.ts"
import { view } from "../../internal/cursor.ts"

/**
 * A place that looks like the end of a stream followed by a description: `00 06 LLLLLLLL 7b`, a byte that can follow
 * JSON's opening brace, and no zero byte among the available bytes of the L from the brace onwards.
 *
 * @internal
 */
export interface Candidate {
  /** Absolute position of the end-of-stream byte. */
  readonly eof: number
  /** The announced length of the JSON, in bytes. */
  readonly jsonLength: number
  /** The available text: complete unless the input ends first, empty if it is longer than the search may keep. */
  readonly text: Uint8Array
  /** Absolute position of the end of the available text. */
  readonly end: number
}

/** End of stream, description, u32 length. */
const HEAD_BYTES = 6
const OPENING_BRACE = 0x7b
/** Bytes that can follow the brace: a quotation mark, the closing brace, white space. */
const seconds = new Set([0x22, 0x7d, 0x20, 0x09, 0x0a, 0x0d])
const needle = Buffer.from([SectionType.endOfStream, SectionType.description])

/**
 * Bytes of a range, fetched by one read request at a time and kept until the next one.
 *
 * @internal
 */
export class Window {
  private start = 0
  private bytes = new Uint8Array(0)
  private end: number

  constructor(to: number) {
    this.end = to
  }

  /** Bytes from `position`, at least `least` of them unless the range ends first. */
  *from(position: number, least: number): Parser<Uint8Array> {
    const skip = position - this.start
    const known = this.start + this.bytes.length
    if (skip < 0 || (position + least > known && known < this.end)) yield* this.load(position)
    return this.bytes.subarray(position - this.start)
  }

  /** A copy, because the driver may reuse the buffer. */
  private *load(position: number): Parser<void> {
    const length = Math.min(MAX_READ_BYTES, this.end - position)
    this.bytes = length > 0 ? (yield { position, length }).slice() : new Uint8Array(0)
    this.start = position
    if (this.bytes.length < length) this.end = position + this.bytes.length
  }
}

/**
 * The first candidate at or after `from`. Texts longer than `keep` bytes are skipped without being kept.
 *
 * The text of a candidate has no zero byte and each candidate begins with one, so candidates never overlap. Rejecting
 * one takes no longer than advancing to the next, so the search is linear for any input.
 *
 * @internal
 */
export function* nextCandidate(window: Window, from: number, keep: number): Parser<Candidate | undefined> {
  let at = from
  for (;;) {
    const bytes = yield* window.from(at, HEAD_BYTES + 1)
    if (bytes.length <= HEAD_BYTES) return undefined
    const hit = findHead(bytes)
    if (hit === undefined) {
      at += bytes.length - HEAD_BYTES
      continue
    }
    const eof = at + hit
    const candidate = yield* readText(window, eof, view(bytes).getUint32(hit + 2), keep)
    if (candidate !== undefined) return candidate
    at = eof + 1
  }
}

/** Index in `bytes` of the first complete head, brace included. */
const findHead = (bytes: Uint8Array): number | undefined => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hit = buffer.indexOf(needle)
  while (hit >= 0 && hit + HEAD_BYTES < bytes.length) {
    if (bytes[hit + HEAD_BYTES] === OPENING_BRACE) return hit
    hit = buffer.indexOf(needle, hit + 1)
  }
  return undefined
}

function* readText(window: Window, eof: number, jsonLength: number, keep: number): Parser<Candidate | undefined> {
  const parts: Array<Uint8Array> = []
  const last = eof + HEAD_BYTES + jsonLength
  let end = eof + HEAD_BYTES
  while (end < last) {
    const part = (yield* window.from(end, 2)).subarray(0, last - end)
    if (part.length === 0) break
    if (part.includes(0) || (parts.length === 0 && !opensObject(part))) return undefined
    parts.push(jsonLength <= keep ? part : nothing)
    end += part.length
  }
  return parts.length === 0 ? undefined : { eof, jsonLength, text: Buffer.concat(parts), end }
}

const nothing = new Uint8Array(0)

const opensObject = (text: Uint8Array): boolean => text[1] === undefined || seconds.has(text[1])
