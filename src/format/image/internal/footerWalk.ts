import * as Result from "effect/Result"
import type { Parser } from "../../Parser.ts"
import { SectionType } from "../../internal/constants.ts"
import { attempt, Cursor, type Steps } from "../../internal/cursor.ts"
import { Window } from "../../devices/internal/descriptionSearch.ts"
import { readOpening } from "../../stream/internal/framing.ts"

/**
 * The end of a walk over device sections that only their footers delimit.
 *
 * - `End`: the byte that ends the stream, at `position`.
 * - `Cut`: the end of the range; `inside` the section of that name, if the walk got that far.
 * - `Stray`: bytes that are not a section, at `position`.
 *
 * @internal
 */
export type FooterWalk =
  | { readonly _tag: "End"; readonly position: number }
  | { readonly _tag: "Stray"; readonly position: number }
  | { readonly _tag: "Cut"; readonly inside: string | undefined }

/**
 * Follows device sections from `from` to the end of the stream without a description. A section's data ends where its
 * own footer is followed by another section or by the end of the stream. Device data hardly ever contains the same:
 * five given bytes, then one of two.
 *
 * @internal
 */
export function* walkFooters(options: { readonly from: number; readonly to: number }): Parser<FooterWalk> {
  const cursor = new Cursor(options.from)
  const window = new Window(options.to)
  for (;;) {
    const { position } = cursor
    const type = (yield* window.from(position, 1))[0]
    if (type === SectionType.endOfStream) return { _tag: "End", position }
    if (type === undefined) return { _tag: "Cut", inside: undefined }
    if (type !== SectionType.full) return { _tag: "Stray", position }
    const cutInside = yield* attempt(passSection(cursor, window))
    if (Result.isFailure(cutInside)) {
      return cutInside.failure.code === "stream-cut" ? { _tag: "Cut", inside: undefined } : { _tag: "Stray", position }
    }
    if (cutInside.success !== undefined) return { _tag: "Cut", inside: cutInside.success }
  }
}

/** Skips a section, or returns its name if its footer is missing. */
function* passSection(cursor: Cursor, window: Window): Steps<string | undefined> {
  const { name, sectionId } = yield* readOpening(cursor)
  const footer = Buffer.alloc(FOOTER_BYTES, SectionType.footer)
  footer.writeUInt32BE(sectionId, 1)
  const end = yield* behindFooter(cursor.position, window, footer)
  if (end === undefined) return name
  cursor.position = end
  return undefined
}

const FOOTER_BYTES = 5

/** The end of the first footer at or after `from` that is followed by a valid byte, or that ends the range. */
function* behindFooter(from: number, window: Window, footer: Buffer): Parser<number | undefined> {
  let at = from
  for (;;) {
    const bytes = yield* window.from(at, FOOTER_BYTES + 1)
    if (bytes.length < FOOTER_BYTES) return undefined
    const hit = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(footer)
    if (hit === 0 && followsSection(bytes[FOOTER_BYTES])) return at + FOOTER_BYTES
    // The first bytes of a footer may be the last ones fetched.
    if (hit < 0) at += bytes.length - (FOOTER_BYTES - 1)
    else at += Math.max(hit, 1)
  }
}

const followsSection = (type: number | undefined): boolean =>
  type === undefined || type === SectionType.full || type === SectionType.endOfStream
