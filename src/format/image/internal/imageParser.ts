import type { ByteRange } from "./imageModel.ts"
import * as ForeignFile from "../ForeignFile.ts"
import { readBlockList } from "../../stream/internal/blockList.ts"
import * as configuration from "../../stream/internal/configuration.ts"
import { Command, RamFlag, SectionType } from "../../internal/constants.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"
import type { Draft } from "./draft.ts"
import {
  beginsLikeMagic,
  describeRecord,
  readCommand,
  readFileHeader,
  readFooter,
  readOpening,
  readRamRecord
} from "../../stream/internal/framing.ts"
import { MAX_STATE_BYTES, stateLimit } from "./parts.ts"
import {
  readRamPartHeader,
  readRamStartHeader,
  stopAtIterable,
  stopAtSection
} from "../../stream/internal/ramSections.ts"
import { SectionSizes } from "../../devices/internal/sectionSizes.ts"

/**
 * Reads an image up to the end of RAM into a draft, and stops at the first error that makes the rest meaningless.
 *
 * @internal
 */
export function* readImage(draft: Draft, cursor: Cursor, fileSize: number): Steps<void> {
  const sizes = new SectionSizes()
  yield* stopAtForeign(cursor)
  yield* readFileHeader(cursor)
  yield* readConfiguration(draft, cursor)
  yield* readPrelude(draft, cursor, sizes, fileSize)
  const ramSectionId = yield* readRamStart(draft, cursor)
  const search = (from: number) => ({ from, to: stateLimit(from, draft.blocks, fileSize) })
  yield* readUntilRamEnd(draft, cursor, ramSectionId, (cursor) =>
    sizes.skipSection(cursor, search(cursor.position), draft.footers)
  )
  draft.stateStart = cursor.position
}

/** Names a file whose first bytes are known. */
function* stopAtForeign(cursor: Cursor): Steps<void> {
  const head = yield* cursor.peek(ForeignFile.HEAD_LENGTH)
  const foreign = beginsLikeMagic(head) ? undefined : ForeignFile.recognise(head)
  if (foreign === undefined) return
  const found = ForeignFile.describe(foreign)
  yield* stop({ code: "magic-wrong", offset: cursor.position, expected: `"QEVM"`, found })
}

const rangeFrom = (position: number, cursor: Cursor): ByteRange => ({ position, length: cursor.position - position })

function* readConfiguration(draft: Draft, cursor: Cursor): Steps<void> {
  const offset = cursor.position
  draft.configuration = yield* configuration.read(cursor)
  draft.configurationRange = rangeFrom(offset, cursor)
  yield* expectMore(cursor)
  if (draft.configuration === undefined) return
  const { capabilities } = draft.configuration
  if (!capabilities.includes("mapped-ram")) {
    const others = capabilities.length === 0 ? "none" : capabilities.join(", ")
    const found = `${others}, in ${ForeignFile.describe(ForeignFile.plainStream)}`
    yield* stop({ code: "mapped-ram-missing", offset, expected: "mapped-ram among the capabilities", found })
  }
  draft.findings.push(...configuration.unknownCapabilities(draft.configuration, offset))
}

/** A file that ends inside a subsection's name looks as if it had no subsection. */
function* expectMore(cursor: Cursor): Steps<void> {
  const offset = cursor.position
  if ((yield* cursor.peek(configuration.LOOKAHEAD_BYTES)).length === configuration.LOOKAHEAD_BYTES) return
  yield* stop({ code: "stream-cut", offset, expected: "RAM's START section", found: "the end" })
}

/** Skips everything before the first START. */
function* readPrelude(draft: Draft, cursor: Cursor, sizes: SectionSizes, fileSize: number): Steps<void> {
  const position = cursor.position
  // RAM is between here and the description, so the search covers only the end of the file.
  const range = { from: Math.max(position, fileSize - MAX_STATE_BYTES), to: fileSize }
  const skipDevice = (cursor: Cursor) => sizes.skipSection(cursor, range, undefined)
  for (;;) {
    draft.prelude = rangeFrom(position, cursor)
    const [type] = yield* cursor.peek(1)
    if (type === SectionType.command) yield* readCommand(cursor)
    else if (type === SectionType.full) yield* skipDevice(cursor)
    else if (type === SectionType.start) return
    else yield* stopAtSection(cursor, type, "RAM's START section")
  }
}

/** Reads RAM's START with the list of blocks, and returns RAM's section id. */
function* readRamStart(draft: Draft, cursor: Cursor): Steps<number> {
  const sectionId = yield* readRamStartHeader(cursor)
  draft.ramSectionId = sectionId
  yield* readStartRecords(draft, cursor)
  draft.footers = (yield* cursor.peek(1))[0] === SectionType.footer
  if (draft.footers) yield* readFooter(cursor, sectionId)
  return sectionId
}

/** The list of blocks and nothing else, up to the end of the section's records. */
function* readStartRecords(draft: Draft, cursor: Cursor): Steps<void> {
  const record = yield* readRamRecord(cursor)
  if (record.flags === RamFlag.memSize) {
    draft.totalLength = record.address
    yield* readBlockList(draft, cursor, record)
    return yield* readEndOfRecords(cursor)
  }
  const { offset } = record
  const found = describeRecord(record)
  yield* stop({ code: "block-list-missing", offset, expected: "the list of blocks", found })
}

function* readEndOfRecords(cursor: Cursor): Steps<void> {
  const record = yield* readRamRecord(cursor)
  if (record.flags === RamFlag.endOfSection) return
  const { offset } = record
  yield* stop({
    code: "ram-record-unexpected",
    offset,
    expected: "the end of the records",
    found: describeRecord(record)
  })
}

function* readUntilRamEnd(
  draft: Draft,
  cursor: Cursor,
  ramSectionId: number,
  skipDevice: (cursor: Cursor) => Steps<void>
): Steps<void> {
  for (;;) {
    const offset = cursor.position
    const [type] = yield* cursor.peek(1)
    if (type === SectionType.part || type === SectionType.end) {
      yield* readRamPart(draft, cursor, ramSectionId)
      if (type === SectionType.end) return
    } else if (type === SectionType.command) {
      if ((yield* readCommand(cursor)) === Command.switchoverStart) draft.switchoverStart = true
      else draft.early.push(rangeFrom(offset, cursor))
    } else if (type === SectionType.full) {
      yield* skipDevice(cursor)
      draft.early.push(rangeFrom(offset, cursor))
    } else {
      yield* stopBeforeRamEnd(cursor, type)
    }
  }
}

function* stopBeforeRamEnd(cursor: Cursor, type: number | undefined): Steps<never> {
  const offset = cursor.position
  const expected = "RAM's END section"
  if (type === SectionType.start) return yield* stopAtIterable((yield* readOpening(cursor)).name, offset)
  if (type !== undefined && type !== SectionType.endOfStream) return yield* stopAtSection(cursor, type, expected)
  const found = type === undefined ? "the end" : "the end of the stream"
  return yield* stop({ code: "ram-end-missing", offset, expected, found })
}

/** A PART or the END of RAM: an empty section in this format. */
function* readRamPart(draft: Draft, cursor: Cursor, ramSectionId: number): Steps<void> {
  yield* readRamPartHeader(cursor, ramSectionId)
  yield* readEndOfRecords(cursor)
  if (draft.footers) yield* readFooter(cursor, ramSectionId)
}
