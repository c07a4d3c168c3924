import * as Invariant from "../../../ram/Invariant.ts"
import type { SectionHeader } from "./migrationStreamModel.ts"
import { Command, MAGIC, RamFlag, SectionType, VERSION } from "../../internal/constants.ts"
import { type Cursor, type Steps, stop, view } from "../../internal/cursor.ts"

/** @internal */
export function* readFileHeader(cursor: Cursor): Steps<void> {
  const offset = cursor.position
  const head = yield* cursor.peek(8)
  if (!beginsLikeMagic(head)) {
    const found = head.length === 0 ? "nothing" : Buffer.from(head.subarray(0, 4)).toString("hex")
    yield* stop({ code: "magic-wrong", offset, expected: `"QEVM"`, found })
  }
  yield* cursor.skip(4, "the magic number")
  const version = yield* cursor.u32("the stream's version")
  if (version === VERSION) return
  const found = version === 2 ? "2, which no QEMU of the last ten years loads" : String(version)
  yield* stop({ code: "stream-version-unsupported", offset: offset + 4, expected: String(VERSION), found })
}

/**
 * `true` if bytes match the magic number as far as they go, so that a truncated file is distinguished from another kind
 * of file.
 *
 * @internal
 */
export const beginsLikeMagic = (head: Uint8Array): boolean => {
  const magic = [MAGIC >>> 24, (MAGIC >>> 16) & 0xff, (MAGIC >>> 8) & 0xff, MAGIC & 0xff]
  return head.length > 0 && head.subarray(0, 4).every((byte, i) => byte === magic[i])
}

/** @internal */
export function* readSectionHeader(cursor: Cursor): Steps<SectionHeader> {
  const offset = cursor.position
  const [byte] = yield* cursor.peek(1)
  const type = byte === undefined ? undefined : sectionTypes.get(byte)
  if (type === "start" || type === "full") return { type, ...(yield* readOpening(cursor)) }
  yield* cursor.skip(1, "a section")
  const sectionId = yield* cursor.u32("the id of a section")
  if (type !== undefined) return { type, sectionId }
  return yield* stop({
    code: "section-unexpected",
    offset,
    expected: "START, PART, END or FULL",
    found: hexByte(Invariant.defined(byte, "a byte was taken"))
  })
}

const sectionTypes: ReadonlyMap<number, SectionHeader["type"]> = new Map([
  [SectionType.start, "start"],
  [SectionType.part, "part"],
  [SectionType.end, "end"],
  [SectionType.full, "full"]
])

/** The header of a START or FULL section. @internal */
export interface SectionStart {
  readonly sectionId: number
  readonly name: string
  readonly instanceId: number
  readonly version: number
}

/** Reads the header of a START or FULL section, whose type is known to be one of the two. @internal */
export function* readOpening(cursor: Cursor): Steps<SectionStart> {
  yield* cursor.skip(1, "a section")
  const sectionId = yield* cursor.u32("the id of a section")
  const name = yield* cursor.str8("the name of a section")
  const instanceId = yield* cursor.u32(`the instance id of section "${name}"`)
  const version = yield* cursor.u32(`the version of section "${name}"`)
  return { sectionId, name, instanceId, version }
}

const hexByte = (byte: number): string => `byte 0x${byte.toString(16).padStart(2, "0")}`

/** @internal */
export function* readFooter(cursor: Cursor, sectionId: number): Steps<void> {
  const offset = cursor.position
  const byte = yield* cursor.u8(`the footer of section ${sectionId}`)
  const expected = `the footer of section ${sectionId}`
  if (byte !== SectionType.footer) {
    yield* stop({ code: "footer-missing", offset, expected, found: hexByte(byte) })
  }
  const id = yield* cursor.u32(expected)
  if (id !== sectionId) {
    yield* stop({ code: "footer-mismatch", offset, expected, found: `the footer of section ${id}` })
  }
}

/** The fixed body lengths of some commands; others may have any length. */
const bodyLengths: ReadonlyMap<number, number> = new Map([
  [Command.openReturnPath, 0],
  [Command.ping, 4],
  [Command.enableColo, 0],
  [Command.switchoverStart, 0]
])

/** The last command that QEMU 11.1 knows. */
const LAST_COMMAND = Command.switchoverStart

/** The header of a command. @internal */
export interface CommandHead {
  readonly offset: number
  readonly command: number
  /** Bytes of the body that follows; the fixed length if the command has one. */
  readonly length: number
}

/** @internal */
export function* readCommandHead(cursor: Cursor): Steps<CommandHead> {
  const offset = cursor.position
  yield* cursor.skip(1, "a command")
  const command = yield* cursor.u16("the number of a command")
  const length = yield* cursor.u16(`the length of command ${command}`)
  if (command === 0 || command > LAST_COMMAND) {
    yield* stop({
      code: "command-corrupt",
      offset,
      expected: `a command from 1 to ${LAST_COMMAND}`,
      found: `${command}`
    })
  }
  const required = bodyLengths.get(command) ?? length
  if (length !== required) {
    const expected = `${required} bytes after command ${command}`
    yield* stop({ code: "command-corrupt", offset, expected, found: `${length} bytes` })
  }
  return { offset, command, length }
}

/** Reads a command that may occur in a file and skips its body. The value is its number. @internal */
export function* readCommand(cursor: Cursor): Steps<number> {
  const head = yield* readCommandHead(cursor)
  const { command, length } = head
  if (!allowedCommands.has(command)) yield* stopAtCommand(head, "a command that needs no peer")
  yield* cursor.skip(length, `the body of command ${command}`)
  return command
}

/** @internal */
export const stopAtCommand = ({ command, offset }: CommandHead, expected: string) =>
  stop({ code: "command-unsupported", offset, expected, found: `command ${command}` })

const allowedCommands: ReadonlySet<number> = new Set(Object.values(Command))

/** The ten low bits of a record are flags for every page size: pages are at least 1 KiB. @internal */
export const FLAG_MASK = 0x3ff

/** A record of the section "ram". @internal */
export interface RamRecord {
  readonly offset: number
  readonly flags: number
  /** Inexact above 2^53. */
  readonly address: number
}

/** @internal */
export function* readRamRecord(cursor: Cursor): Steps<RamRecord> {
  const offset = cursor.position
  const bytes = view(yield* cursor.take(8, "a record of the RAM section"))
  const low = bytes.getUint32(4)
  const flags = low & FLAG_MASK
  return { offset, flags, address: bytes.getUint32(0) * 2 ** 32 + low - flags }
}

/** @internal */
export const describeRecord = ({ address, flags }: RamRecord): string => {
  const names = Object.entries(RamFlag).flatMap(([name, flag]) => ((flags & flag) === 0 ? [] : [name]))
  return `flags 0x${flags.toString(16)} (${names.length === 0 ? "none" : names.join(", ")}), address ${address}`
}
