import * as Finding from "../../Finding.ts"
import type { Configuration } from "./migrationStreamModel.ts"
import { ByteWriter } from "../../internal/byteWriter.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"

const SECTION = 0x07
const SUBSECTION = 0x05
const SUBSECTION_VERSION = 1
const PREFIX = "configuration/"
const PAGE_BITS = "configuration/target-page-bits"
const CAPABILITIES = "configuration/capabilities"
const UUID = "configuration/uuid"
const UUID_BYTES = 16

/** Bytes needed to distinguish a subsection of the configuration from anything else. @internal */
export const LOOKAHEAD_BYTES = 2 + PREFIX.length

/** Machine type names have a few dozen bytes; QEMU itself has no limit. */
const MAX_MACHINE_BYTES = 1024

/** A stream lists only the two capabilities that are checked; QEMU knows about 25 names. */
const MAX_CAPABILITIES = 256

/** From 1 KiB, the smallest page of any target that QEMU emulates, to 1 MiB. */
const isPageBits = (bits: number): boolean => bits >= 10 && bits <= 20

/** @internal */
export const encode = (configuration: Configuration): Uint8Array => {
  const out = new ByteWriter().u8(SECTION).str32(configuration.machine)
  const subsection = (name: string) => out.u8(SUBSECTION).str8(name).u32(SUBSECTION_VERSION)
  if (configuration.targetPageBits !== undefined) subsection(PAGE_BITS).u32(configuration.targetPageBits)
  if (configuration.capabilities.length > 0) {
    subsection(CAPABILITIES).u32(configuration.capabilities.length)
    for (const name of configuration.capabilities) out.str8(name)
  }
  if (configuration.uuid !== undefined) subsection(UUID).append(configuration.uuid)
  return out.finish()
}

/** Reads a configuration section, if one begins at the cursor. @internal */
export function* read(cursor: Cursor): Steps<Configuration | undefined> {
  if ((yield* cursor.peek(1))[0] !== SECTION) return undefined
  yield* cursor.u8("the configuration section")
  const machine = yield* readMachine(cursor)
  const configuration: Configuration = { machine, capabilities: [] }
  while (yield* subsectionFollows(cursor)) Object.assign(configuration, yield* readSubsection(cursor))
  return configuration
}

function* readMachine(cursor: Cursor): Steps<string> {
  const at = cursor.position
  const length = yield* cursor.u32("the length of the machine type's name")
  if (length > MAX_MACHINE_BYTES) {
    const expected = `a machine type of at most ${MAX_MACHINE_BYTES} bytes`
    yield* stop({ code: "configuration-corrupt", offset: at, expected, found: `${length} bytes` })
  }
  return yield* cursor.text(length, "the machine type")
}

/**
 * The section has no end marker: it ends where no subsection of that name follows. A peer may have nothing to send yet
 * after it, so more than one byte is requested only if more must follow.
 */
function* subsectionFollows(cursor: Cursor): Steps<boolean> {
  if ((yield* cursor.peek(1))[0] !== SUBSECTION) return false
  const head = yield* cursor.peek(LOOKAHEAD_BYTES)
  return Buffer.from(head.subarray(2)).toString("latin1") === PREFIX
}

function* readSubsection(cursor: Cursor): Steps<Partial<Configuration>> {
  const at = cursor.position
  yield* cursor.u8("a subsection of the configuration")
  const name = yield* cursor.str8("the name of a subsection of the configuration")
  const version = yield* cursor.u32(`the version of ${name}`)
  if (version !== SUBSECTION_VERSION) {
    const found = `version ${version}`
    yield* stop({ code: "configuration-unsupported", offset: at, expected: `${name} in version 1`, found })
  }
  switch (name) {
    case PAGE_BITS:
      return { targetPageBits: yield* readPageBits(cursor) }
    case CAPABILITIES:
      return { capabilities: yield* readCapabilities(cursor) }
    case UUID:
      return { uuid: (yield* cursor.take(UUID_BYTES, "the uuid")).slice() }
    default: {
      const expected = `${PAGE_BITS}, ${CAPABILITIES} or ${UUID}`
      return yield* stop({ code: "configuration-unsupported", offset: at, expected, found: name })
    }
  }
}

function* readPageBits(cursor: Cursor): Steps<number> {
  const at = cursor.position
  const bits = yield* cursor.u32("the target page bits")
  if (isPageBits(bits)) return bits
  return yield* stop({
    code: "configuration-corrupt",
    offset: at,
    expected: "10 to 20 target page bits",
    found: String(bits)
  })
}

function* readCapabilities(cursor: Cursor): Steps<ReadonlyArray<string>> {
  const at = cursor.position
  const count = yield* cursor.u32("the number of capabilities")
  if (count > MAX_CAPABILITIES) {
    const expected = `at most ${MAX_CAPABILITIES} capabilities`
    yield* stop({ code: "configuration-corrupt", offset: at, expected, found: String(count) })
  }
  const names: Array<string> = []
  for (let i = 0; i < count; i++) names.push(yield* cursor.str8("the name of a capability"))
  return names
}

/** Every capability of QEMU 9.0 to 11.1. A stream may list any of them; QEMU refuses other names. */
const known: ReadonlySet<string> = new Set([
  "xbzrle",
  "rdma-pin-all",
  "auto-converge",
  "zero-blocks",
  "events",
  "postcopy-ram",
  "x-colo",
  "release-ram",
  "return-path",
  "pause-before-switchover",
  "multifd",
  "dirty-bitmaps",
  "postcopy-blocktime",
  "late-block-activate",
  "x-ignore-shared",
  "validate-uuid",
  "background-snapshot",
  "zero-copy-send",
  "postcopy-preempt",
  "switchover-ack",
  "dirty-limit",
  "mapped-ram"
])

/** @internal */
export const isKnownCapability = (name: string): boolean => known.has(name)

/** @internal */
export const unknownCapabilities = (configuration: Configuration, offset: number): ReadonlyArray<Finding.Finding> =>
  configuration.capabilities
    .filter((name) => !isKnownCapability(name))
    .map((found) => Finding.make({ code: "capability-unknown", offset, expected: "a capability of QEMU", found }))
