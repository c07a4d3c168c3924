import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type * as SocketStream from "../../src/format/stream/SocketStream.ts"
import * as MainChannel from "../../src/multifd/MainChannel.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBatch from "../../src/ram/PageBatch.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import { hex } from "../support/bytes.ts"
import * as Fixtures from "../support/wire/captured.ts"
import * as SocketStreams from "../support/wire/socketStreams.ts"
import * as Wire from "../support/wire/channel.ts"

const PAGE = 4096
const none = new Uint8Array(0)

const machine: MainChannel.Machine = {
  configuration: { machine: "pc-i440fx-10.0", capabilities: [] },
  prelude: none,
  early: none,
  switchoverStart: false,
  footers: true,
  ramSectionId: 1
}

const blocks = [{ idstr: "m", usedLength: 8 * PAGE }]

const make = (wire: Wire.Wire, options: Partial<MainChannel.Options> = {}): MainChannel.MainChannel =>
  MainChannel.make({ connection: wire.connection, machine, blocks, marks: "each-round", ...options })

/** What one step writes. */
const bytesOf = (wire: Wire.Wire, step: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const before = wire.bytes().length
    yield* Effect.orDie(step)
    return wire.bytes().subarray(before)
  })

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const eos = "0000000000000010 7e 00000001"
const flush = "0000000000000200"

/** As QEMU 10.0 wrote them. */
const forms: Record<MainChannel.Marks, { readonly start: string; readonly part: string; readonly end: string }> = {
  "each-section": { start: eos, part: `02 00000001 ${eos}`, end: `03 00000001 ${eos}` },
  "each-round": { start: flush + eos, part: `02 00000001 ${flush} ${eos}`, end: `03 00000001 ${flush} ${eos}` },
  none: { start: eos, part: `02 00000001 ${eos}`, end: `03 00000001 ${eos}` }
}

/** What a captured stream says of its machine and its blocks. */
const described = (stream: Uint8Array) => {
  const { events } = SocketStreams.read(stream)
  const find = <Tag extends SocketStream.Event["_tag"]>(tag: Tag) =>
    events.find((event): event is Extract<SocketStream.Event, { readonly _tag: Tag }> => event._tag === tag)!
  const [opening, list, end] = [find("Configuration"), find("Blocks"), find("RamEnd")]
  const ramSectionId = Buffer.from(stream).readUInt32BE(end.position - 4)
  const switchoverStart = events.some((event) => event._tag === "Command" && event.command === "switchoverStart")
  return {
    blocks: list.blocks,
    end: end.position,
    machine: { ...machine, configuration: opening.configuration, ramSectionId, switchoverStart }
  }
}

describe("MainChannel", () => {
  for (const marks of ["each-section", "each-round", "none"] as const) {
    it.effect(`marks of a ${marks}: at the end of START, in a PART, at the end of END`, () =>
      Effect.gen(function* () {
        const wire = Wire.make()
        const main = make(wire, { marks })
        yield* main.begin
        assert.isTrue(hexOf(yield* bytesOf(wire, main.mark)).endsWith(hexOf(hex(forms[marks].start))))
        assert.strictEqual(hexOf(yield* bytesOf(wire, main.mark)), hexOf(hex(forms[marks].part)))
        assert.strictEqual(hexOf(yield* bytesOf(wire, main.mark)), hexOf(hex(forms[marks].part)))
        assert.strictEqual(hexOf(yield* bytesOf(wire, main.endRam)), hexOf(hex(forms[marks].end)))
      })
    )
  }

  const captures = {
    none: "each-round",
    legacy: "each-round",
    "per-section": "each-section",
    plain: "none",
    uuid: "none",
    "ignore-shared": "none"
  } as const
  for (const [name, marks] of Object.entries(captures)) {
    it.effect(`the beginning and the end of RAM are QEMU's own: ${name}`, () =>
      Effect.gen(function* () {
        const captured = Fixtures.main(name as keyof typeof captures)
        const { blocks, end, machine } = described(captured)
        const wire = Wire.make()
        const main = make(wire, { blocks, machine, marks })
        yield* main.begin
        yield* main.mark
        const beginning = wire.bytes()
        assert.strictEqual(hexOf(beginning), hexOf(captured.subarray(0, beginning.length)))
        const ending = yield* bytesOf(wire, main.endRam)
        assert.strictEqual(hexOf(ending), hexOf(captured.subarray(end - ending.length, end)))
      })
    )
  }

  it.effect("carries what stands around RAM, and takes the capability of files away", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const early = hex("04 00000007 05 6561726c79 00000000 00000001 ff 7e 00000007")
      const prelude = hex("08 0001 0000")
      const configuration = { machine: "pc-q35-9.2", capabilities: ["x-ignore-shared", "mapped-ram"] }
      const main = make(wire, {
        machine: { ...machine, configuration, prelude, early, switchoverStart: true, footers: true },
        blocks: [{ idstr: "m", usedLength: 8 * PAGE, address: 0x40000000 }]
      })
      yield* main.begin
      yield* main.mark
      yield* main.endRam
      const { events, finding } = SocketStreams.read(wire.bytes())
      assert.isUndefined(finding)
      assert.deepStrictEqual(events[0], {
        ...events[0],
        _tag: "Configuration",
        configuration: { machine: "pc-q35-9.2", capabilities: ["x-ignore-shared"] }
      } as never)
      assert.include(hexOf(wire.bytes()), `${hexOf(early)}08000b00000300000001`)
      assert.deepInclude(
        events.find(({ _tag }) => _tag === "Blocks"),
        {
          blocks: [{ idstr: "m", usedLength: 8 * PAGE, address: 0x40000000 }]
        }
      )
    })
  )

  it.effect("without a configuration, and without footers", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const main = make(wire, { machine: { ...machine, configuration: undefined, footers: false } })
      yield* main.begin
      assert.strictEqual(hexOf(wire.bytes()), "5145564d00000003")
      yield* main.mark
      assert.isTrue(hexOf(wire.bytes()).endsWith("00000000000002000000000000000010"))
    })
  )

  it.effect("records stand in one PART up to the mark, and name their block once", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const main = make(wire, { marks: "none" })
      const memory = new Uint8Array(8 * PAGE)
      memory.fill(7, 2 * PAGE, 4 * PAGE)
      const block = yield* MemoryPages.make({ idstr: "m", memory })
      const batch = yield* PageBatch.load(
        { block, offset: 0, length: memory.length, pages: PageRuns.all(8) },
        () => none
      )
      yield* main.begin
      yield* main.mark
      const zeros = yield* bytesOf(wire, main.zeros(batch, [0, 2]))
      assert.strictEqual(hexOf(zeros), hexOf(hex("02 00000001  0000000000000002 01 6d 00  0000000000001022 00")))
      const pages = yield* bytesOf(wire, main.pages(batch))
      assert.strictEqual(pages.length, 2 * (8 + PAGE))
      assert.strictEqual(hexOf(pages.subarray(0, 9)), "000000000000202807")
      assert.isTrue(
        wire.writes.at(-1)!.some(({ buffer }) => buffer === memory.buffer),
        "no copy of the pages"
      )
      assert.strictEqual(hexOf(yield* bytesOf(wire, main.mark)), hexOf(hex(eos)))
      const again = yield* bytesOf(wire, main.zeros(batch, [7, 1]))
      assert.strictEqual(hexOf(again), hexOf(hex("02 00000001 0000000000007022 00")))
      assert.strictEqual(hexOf(yield* bytesOf(wire, main.zeros(batch, []))), "")
    })
  )

  it.effect("errors name the main channel", () =>
    Effect.gen(function* () {
      const main = make(Wire.make({ breaksAt: 0 }))
      assert.deepInclude(yield* Effect.flip(main.begin), { _tag: "ConnectionLostError", channel: "main" })
    })
  )
})
