import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import type { Parser } from "../../Parser.ts"
import { encodeFooter } from "../MigrationStream.ts"
import { SectionType } from "../../internal/constants.ts"
import { attempt, Cursor, type Steps, stop } from "../../internal/cursor.ts"
import { readCommandHead, readOpening } from "./framing.ts"
import { readRamPartHeader, readRamStartHeader, stopAtSection } from "./ramSections.ts"
import type { StreamWindow } from "./streamWindow.ts"

/**
 * Finds the end of a device section before RAM's END. Its length is unknown, because the description comes last: it
 * ends at the first of its own footers that is followed by something valid. Returns the position after the footer.
 *
 * @internal
 */
export function* findSectionEnd(
  window: StreamWindow,
  start: number,
  {
    limit,
    ramSectionId
  }: {
    /** Most bytes of the section. */
    readonly limit: number
    /** RAM's section id, after START was read. */
    readonly ramSectionId: number | undefined
  }
): Steps<number> {
  const cursor = new Cursor(start)
  const { sectionId } = yield* readOpening(cursor)
  const footer = Buffer.from(encodeFooter(sectionId))
  let searched = cursor.position - start
  for (;;) {
    const bytes = window.from(start)
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(footer, searched)
    if ((at < 0 ? bytes.length : at) > limit) {
      const [expected, found] = [`at most ${limit} bytes more`, "a section that is longer"]
      yield* stop({ code: "early-sections-exceeded", offset: start, expected, found })
    }
    if (at < 0) {
      searched = Math.max(searched, bytes.length - footer.length + 1)
      yield* awaitMore(start, bytes.length)
    } else {
      const end = start + at + footer.length
      if (yield* isFollowed(new Cursor(end), ramSectionId)) return end
      searched = at + 1
    }
  }
}

function* awaitMore(position: number, length: number): Steps<void> {
  const bytes = yield { position, length: length + 1 }
  if (bytes.length > length) return
  yield* stop({ code: "stream-cut", offset: position, expected: "a complete device section", found: "the end" })
}

/** `true` if the data here may follow a section, as far as its head shows. */
function* isFollowed(cursor: Cursor, ramSectionId: number | undefined): Parser<boolean> {
  return Result.isSuccess(yield* attempt(readFollowing(cursor, ramSectionId)))
}

function* readFollowing(cursor: Cursor, ramSectionId: number | undefined): Steps<unknown> {
  const [type] = yield* cursor.peek(1)
  if (type === SectionType.command) return yield* readCommandHead(cursor)
  if (type === SectionType.full) return yield* readDevice(cursor)
  if (ramSectionId === undefined) return yield* readRamStartHeader(cursor)
  return yield* type === SectionType.part || type === SectionType.end
    ? readRamPartHeader(cursor, ramSectionId)
    : stopAtSection(cursor, type, "a valid section")
}

/** Device names are printable. */
function* readDevice(cursor: Cursor): Steps<void> {
  const offset = cursor.position
  const { name } = yield* readOpening(cursor)
  if (/^[ -~]+$/.test(name)) return
  yield* stop({ code: "name-invalid", offset, expected: "the name of a device", found: JSON.stringify(name) })
}
