import * as Invariant from "../../../ram/Invariant.ts"
import type { ReadRequest } from "../../Parser.ts"
import * as Finding from "../../Finding.ts"
import type { Configuration } from "../MigrationStream.ts"
import type { Event, Limits } from "./socketStreamModel.ts"
import { readAnnouncedBlocks } from "./announcedBlocks.ts"
import * as configuration from "./configuration.ts"
import { Command, RamFlag, SectionType } from "../../internal/constants.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"
import { findSectionEnd } from "./earlySection.ts"
import {
  describeRecord,
  readCommandHead,
  readFileHeader,
  readFooter,
  readOpening,
  readRamRecord,
  stopAtCommand
} from "./framing.ts"
import { PageRecords } from "./pageRecords.ts"
import { readRamPartHeader, readRamStartHeader, stopAtIterable, stopAtSection } from "./ramSections.ts"
import type { StreamWindow } from "./streamWindow.ts"

/** Steps that report events while they read. @internal */
export type EventSteps<A> = Generator<ReadRequest | Finding.Finding | Event, A, Uint8Array>

/** The source of a main channel, and its settings. @internal */
export interface Source {
  readonly window: StreamWindow
  readonly cursor: Cursor
  /** Bytes of a page, unless the configuration gives the size. */
  readonly pageSize: number
  readonly limits: Limits
}

/** The state of the stream so far. */
interface Main extends Source {
  addresses: boolean
  ramSectionId: number | undefined
  records: PageRecords | undefined
  /** `true` if sections end with a footer; assumed until RAM's START has shown it. */
  footers: boolean
  /** `true` if the end of each section marks a sync: always, unless START has a flush. */
  sectionsAreMarks: boolean
  /** Bytes of early sections that are still allowed. */
  held: number
}

/** Reads a main channel to the end of RAM, and stops at the first error. @internal */
export function* readMainChannel(source: Source): EventSteps<void> {
  yield* readFileHeader(source.cursor)
  const main = yield* readConfiguration(source)
  yield* readPrelude(main)
  const ramSectionId = yield* readRamStartHeader(main.cursor)
  main.ramSectionId = ramSectionId
  yield* readRecords(main, "start")
  main.footers = (yield* main.cursor.peek(1))[0] === SectionType.footer
  yield* readEnd(main, ramSectionId)
  yield* readParts(main, ramSectionId)
  yield { _tag: "RamEnd", position: main.cursor.position, footers: main.footers }
}

function* readConfiguration(source: Source): EventSteps<Main> {
  const offset = source.cursor.position
  const read = yield* configuration.read(source.cursor)
  if (read !== undefined) yield* checkCapabilities(read, offset)
  const pageSize = read?.targetPageBits === undefined ? source.pageSize : 2 ** read.targetPageBits
  yield { _tag: "Configuration", configuration: read, pageSize }
  return {
    ...source,
    pageSize,
    addresses: read?.capabilities.includes("x-ignore-shared") ?? false,
    ramSectionId: undefined,
    records: undefined,
    footers: true,
    sectionsAreMarks: true,
    held: source.limits.maxHeld
  }
}

function* checkCapabilities({ capabilities }: Configuration, offset: number): Steps<void> {
  if (capabilities.includes("mapped-ram")) {
    const expected = "a configuration without mapped-ram"
    yield* stop({ code: "mapped-ram-unexpected", offset, expected, found: capabilities.join(", ") })
  }
  const unknown = capabilities.find((name) => !configuration.isKnownCapability(name))
  if (unknown !== undefined) {
    yield* stop({
      code: "configuration-unsupported",
      offset,
      expected: "a capability of QEMU",
      found: JSON.stringify(unknown)
    })
  }
}

/** Commands and devices before RAM's START. */
function* readPrelude(main: Main): EventSteps<void> {
  const { cursor } = main
  for (;;) {
    const [type] = yield* cursor.peek(1)
    if (type === SectionType.start) return
    if (!(yield* readBetween(main, type))) yield* stopAtSection(cursor, type, "RAM's START section")
  }
}

/** The data between START and END: PARTs, commands and devices. */
function* readParts(main: Main, ramSectionId: number): EventSteps<void> {
  const { cursor } = main
  for (;;) {
    const [type] = yield* cursor.peek(1)
    if (type === SectionType.part || type === SectionType.end) {
      yield* readRamPartHeader(cursor, ramSectionId)
      yield* readRecords(main, type === SectionType.end ? "end" : "part")
      yield* readEnd(main, ramSectionId)
      if (type === SectionType.end) return
    } else if (type === SectionType.start) {
      const offset = cursor.position
      yield* stopAtIterable((yield* readOpening(cursor)).name, offset)
    } else if (!(yield* readBetween(main, type))) {
      yield* stopAtSection(cursor, type, "RAM's END section")
    }
  }
}

/** A command or a device, in any place that allows one. */
function* readBetween(main: Main, type: number | undefined): EventSteps<boolean> {
  if (type === SectionType.command) yield* readCommand(main.cursor)
  else if (type === SectionType.full) yield* readDevice(main)
  else return false
  return true
}

function* readCommand(cursor: Cursor): EventSteps<void> {
  const head = yield* readCommandHead(cursor)
  switch (head.command) {
    case Command.openReturnPath:
      return void (yield { _tag: "Command", command: "openReturnPath" })
    case Command.ping:
      return void (yield { _tag: "Command", command: "ping", value: yield* cursor.u32("the body of a PING") })
    case Command.switchoverStart:
      return void (yield { _tag: "Command", command: "switchoverStart" })
    default:
      yield* stopAtCommand(head, "OPEN_RETURN_PATH, PING or SWITCHOVER_START")
  }
}

function* readDevice(main: Main): EventSteps<void> {
  const { cursor, footers, held, ramSectionId, window } = main
  const start = cursor.position
  if (!footers) {
    const expected = "sections with footers"
    yield* stop({ code: "early-section-unsized", offset: start, expected, found: "a device section without one" })
  }
  const end = yield* findSectionEnd(window, start, { limit: held, ramSectionId })
  main.held -= end - start
  cursor.position = end
  yield {
    _tag: "EarlySection",
    bytes: window.from(start, end - start).slice(),
    inPrelude: ramSectionId === undefined
  }
}

function* readEnd({ cursor, footers }: Main, sectionId: number): Steps<void> {
  if (footers) yield* readFooter(cursor, sectionId)
}

type Section = Extract<Event, { readonly _tag: "SectionEnd" }>["section"]

/** The records of a RAM section, including the one that ends them. */
function* readRecords(main: Main, section: Section): EventSteps<void> {
  for (;;) {
    yield* readPages(main)
    const record = yield* readRamRecord(main.cursor)
    if (record.flags === RamFlag.memSize && section === "start") yield* readBlocks(main, record)
    else if (main.records === undefined) yield* stopAtRecord("block-list-missing", record, "the list of blocks")
    else if (record.flags === RamFlag.multifdFlush) yield* readFlush(main, section, record)
    else if (record.flags === RamFlag.endOfSection) break
    else yield* stopAtRecord("record-unexpected", record, "a page, a flush, or the end of the records")
  }
  yield { _tag: "SectionEnd", section, isMark: main.sectionsAreMarks }
}

type Record = ReturnType<typeof readRamRecord> extends Generator<unknown, infer R> ? R : never

const stopAtRecord = (code: Finding.FindingCode, record: Record, expected: string) =>
  stop({ code, offset: record.offset, expected, found: describeRecord(record) })

/** As many consecutive page records as possible. */
function* readPages({ cursor, records }: Main): EventSteps<void> {
  if (records === undefined) return
  for (;;) {
    const gathered = records.gather(cursor.position)
    if (gathered === 0) return
    if (gathered instanceof Finding.Finding) {
      yield gathered
    } else if (typeof gathered === "number") {
      yield* awaitRecord(cursor, gathered)
    } else {
      cursor.position = gathered.end
      yield* gathered.events
    }
  }
}

function* awaitRecord(cursor: Cursor, length: number): Steps<void> {
  const { position } = cursor
  const found = (yield* cursor.peek(length)).length
  if (found === length) return
  const expected = `a record of the RAM section, at least ${length} bytes`
  yield* stop({ code: "stream-cut", offset: position, expected, found: `the end at byte ${position + found}` })
}

function* readBlocks(main: Main, record: Record): EventSteps<void> {
  if (main.records !== undefined) yield* stopAtRecord("block-list-duplicated", record, "one list of blocks")
  const { addresses, cursor, limits, pageSize, window } = main
  const blocks = yield* readAnnouncedBlocks(cursor, record, { ...limits, addresses, pageSize })
  main.records = new PageRecords(window, blocks, pageSize)
  yield {
    _tag: "Blocks",
    sectionId: Invariant.defined(main.ramSectionId, "the START of RAM came before its blocks"),
    totalLength: record.address,
    blocks
  }
}

function* readFlush(main: Main, section: Section, record: Record): EventSteps<void> {
  if (section === "start") main.sectionsAreMarks = false
  if (main.sectionsAreMarks) yield* stopAtRecord("flush-unexpected", record, "sections as marks, as START began")
  yield { _tag: "Flush" }
}
