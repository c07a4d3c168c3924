import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Parser from "../../../src/format/Parser.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import * as SocketSections from "../../../src/format/stream/SocketSections.ts"
import * as SocketStream from "../../../src/format/stream/SocketStream.ts"
import * as StreamTrailer from "../../../src/format/image/StreamTrailer.ts"
import { firmware } from "../../fixtures/multifd/firmware.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Captures from "../../support/images/captures.ts"
import * as Images from "../../support/images/images.ts"
import * as Fixtures from "../../support/wire/captured.ts"
import * as Replay from "../../support/images/replay.ts"
import { type Record, command, named, record, u16, u32, u64, u8 } from "../../support/wire/records.ts"
import * as Streams from "../../support/wire/socketStreams.ts"
import { between } from "../../support/arbitraries.ts"

const { concat, hex } = Bytes

const PAGE = 4096
const block = { idstr: "pc.ram", usedLength: 16 * PAGE, pageSize: PAGE }
const bios = { idstr: "pc.bios", usedLength: PAGE, pageSize: PAGE }
const page = (value: number) => new Uint8Array(PAGE).fill(value)

const switchoverStart = command(11)

const codeOf = (stream: Uint8Array, arrival: Streams.Arrival = {}) =>
  Streams.read(stream, arrival).finding?.code ?? "no finding"

describe("a migration that QEMU sent", () => {
  for (const name of Fixtures.withChannels) {
    it(`brings the guest's RAM over channels: ${name}`, () => {
      const ram = Replay.run(name, Fixtures.channels(name))
      assert.isTrue(Buffer.from(Fixtures.ram(name)).equals(ram.get("ram")!))
      const flash = ram.get("pc.bios")
      if (flash !== undefined) assert.isTrue(Buffer.from(firmware()).equals(flash))
    })
  }

  for (const name of ["plain", "xbzrle", "return-path", "uuid"] as const) {
    it(`brings the guest's RAM without channels: ${name}`, () => {
      const ram = Replay.run(name)
      assert.isTrue(Buffer.from(Fixtures.ram(name)).equals(ram.get("ram")!))
    })
  }

  it("says which machine it is of, and what belongs to it", () => {
    const [first] = Streams.read(Fixtures.main("uuid")).events
    const uuid = hex("00112233445566778899aabbccddeeff")
    const configuration = { machine: "none", capabilities: [], uuid }
    assert.deepStrictEqual(first, { _tag: "Configuration", configuration, pageSize: PAGE })
  })

  it("goes on with the device state behind RAM", () => {
    const main = Fixtures.main("none")
    const outcome = Streams.read(main)
    const end = outcome.events.at(-1)
    assert(end?._tag === "RamEnd")
    assert.deepStrictEqual(outcome.rest, main.subarray(end.position))
    const options = { from: end.position, to: main.length, footers: end.footers }
    const tail = Parser.runSync(StreamTrailer.parse(options), main)
    assert.deepStrictEqual(tail.findings, [])
    assert.strictEqual(tail.end, main.length)
  })

  it("has a flush in START, and one behind each round", () =>
    assert.deepStrictEqual(Streams.tags(Streams.read(Fixtures.main("none"))), [
      "Configuration",
      "Blocks",
      "Flush",
      "start",
      "Flush",
      "part",
      "switchoverStart",
      "Flush",
      "end",
      "RamEnd"
    ]))

  it("has several rounds if the guest runs", () => {
    const tags = Streams.tags(Streams.read(Fixtures.main("rounds")))
    assert.isAbove(tags.filter((tag) => tag === "Flush").length, 5)
    assert.isFalse(tags.includes("Pages"))
  })

  it("has changes of pages with XBZRLE", () => {
    const tags = Streams.tags(Streams.read(Fixtures.main("xbzrle")))
    assert.isTrue(tags.includes("Changes") && tags.includes("Pages") && tags.includes("Zeros"))
  })

  it("has sections for marks with an old machine type", () => {
    const { events } = Streams.read(Fixtures.main("per-section"))
    const ends = events.filter((event) => event._tag === "SectionEnd")
    assert.isAbove(ends.length, 3)
    assert.isTrue(ends.every(({ isMark }) => isMark))
    assert.isFalse(events.some(({ _tag }) => _tag === "Flush"))
  })

  it("asks for answers over a return path", () => {
    const [, first, second] = Streams.read(Fixtures.main("return-path")).events
    assert.deepStrictEqual(first, { _tag: "Command", command: "openReturnPath" })
    assert.deepStrictEqual(second, { _tag: "Command", command: "ping", value: 1 })
  })

  it("has the addresses of its blocks with x-ignore-shared", () => {
    const blocks = Streams.read(Fixtures.main("ignore-shared")).events.find((event) => event._tag === "Blocks")
    const announced = [{ idstr: "ram", usedLength: 1024 * 1024, address: 0 }]
    assert.deepStrictEqual(blocks, { _tag: "Blocks", sectionId: 1, totalLength: 1024 * 1024, blocks: announced })
  })

  it("is cut at every length", () => {
    const main = Fixtures.main("legacy")
    const end = main.length - Streams.read(main).rest.length
    assert.strictEqual(codeOf(main.subarray(0, 0)), "magic-wrong")
    for (let length = 1; length < end; length++) {
      assert.strictEqual(codeOf(main.subarray(0, length)), "stream-cut", `${length} bytes`)
    }
  })
})

describe("a main channel", () => {
  const records = RamRecords.make()
  const everything = Streams.make({
    head: SocketSections.encodeHead({
      configuration: Streams.configuration,
      prelude: concat(command(1), command(2, u32(7)))
    }),
    early: concat(Images.early, switchoverStart),
    records: concat(
      ...records.pages(block, [{ offset: PAGE, bytes: page(1) }]),
      records.zeros(block, [{ offset: 2 * PAGE, length: 2 * PAGE }]),
      ...records.changes(block, [{ offset: 0, bytes: hex("000109") }]),
      ...records.pages(bios, [{ offset: 0, bytes: page(2) }])
    )
  })

  it("tells everything in order", () => {
    const outcome = Streams.read(everything)
    assert.isUndefined(outcome.finding)
    assert.deepStrictEqual(outcome.events, [
      { _tag: "Configuration", configuration: Streams.configuration, pageSize: PAGE },
      { _tag: "Command", command: "openReturnPath" },
      { _tag: "Command", command: "ping", value: 7 },
      { _tag: "Blocks", sectionId: 2, totalLength: 17 * PAGE, blocks: Streams.blocks },
      { _tag: "SectionEnd", section: "start", isMark: true },
      { _tag: "EarlySection", bytes: Images.early, inPrelude: false },
      { _tag: "Command", command: "switchoverStart" },
      { _tag: "Pages", idstr: "pc.ram", extents: [{ offset: PAGE, bytes: page(1) }] },
      { _tag: "Zeros", idstr: "pc.ram", extents: [{ offset: 2 * PAGE, length: 2 * PAGE }] },
      { _tag: "Changes", idstr: "pc.ram", extents: [{ offset: 0, bytes: hex("000109") }] },
      { _tag: "Pages", idstr: "pc.bios", extents: [{ offset: 0, bytes: page(2) }] },
      { _tag: "SectionEnd", section: "part", isMark: true },
      { _tag: "SectionEnd", section: "end", isMark: true },
      { _tag: "RamEnd", position: everything.length, footers: true }
    ])
  })

  /** For each event, how many bytes had arrived when it came out. */
  const arrivals = (stream: Uint8Array) => {
    const reader = SocketStream.make()
    const found: Array<readonly [string, number]> = []
    for (const [at, byte] of stream.entries()) {
      reader.space()[0] = byte
      reader.filled(1)
      for (let step = reader.next(); ; step = reader.next()) {
        assert(Result.isSuccess(step))
        if (step.success === undefined) break
        found.push([step.success._tag, at + 1])
      }
    }
    return found
  }

  it("waits for no byte that a peer may hold back", () => {
    const head = SocketSections.encodeHead({ configuration: Streams.configuration }).length
    const command = 5
    const start = head + SocketSections.encodeStart({ sectionId: 2, blocks: Streams.blocks }).length
    const stream = Streams.make({
      early: switchoverStart,
      records: concat(
        RamRecords.make().zeros(block, [{ offset: 0, length: PAGE }]),
        SocketSections.encodeClose({ sectionId: 2 }),
        SocketSections.encodeOpen("part", 2),
        record({ flags: ["ZERO", "CONTINUE"], page: 1, data: [0] })
      )
    })
    const part = start + command + 5
    const second = part + 16 + 13 + 5
    assert.deepStrictEqual(arrivals(stream), [
      ["Configuration", head + 1],
      ["Blocks", start - 13],
      ["SectionEnd", start - 5],
      ["Command", start + command],
      ["Zeros", part + 16],
      ["SectionEnd", part + 24],
      ["Zeros", second + 9],
      ["SectionEnd", second + 17],
      ["SectionEnd", second + 35],
      ["RamEnd", second + 40]
    ])
  })

  it("waits for a page to be whole, and for no more", () => {
    const stream = Streams.make({
      records: concat(...RamRecords.make().pages(block, [{ offset: 0, bytes: concat(page(1), page(2)) }]))
    })
    const pages = arrivals(stream).filter(([tag]) => tag === "Pages")
    assert.strictEqual(pages.length, 2)
    assert.strictEqual(pages[1]![1] - pages[0]![1], 8 + PAGE)
  })

  it("is read the same way, however it arrives", () => {
    const whole = Streams.read(everything).events
    const merged = (chunk: number, bufferSize?: number) => {
      const ram: Replay.Ram = new Map()
      const outcome = Streams.read(everything, {
        chunk,
        ...(bufferSize === undefined ? {} : { bufferSize }),
        onEvent: (event) => Replay.apply(ram, event)
      })
      return { ram, count: outcome.events.length, finding: outcome.finding }
    }
    const expected = merged(Infinity)
    assert.strictEqual(expected.count, whole.length)
    for (const chunk of [1, 2, 3, 7, 4095, 4097]) {
      const { finding, ram } = merged(chunk)
      assert.isUndefined(finding)
      assert.deepStrictEqual(ram, expected.ram)
    }
    for (const bufferSize of [1, 16, 5000]) assert.deepStrictEqual(merged(Infinity, bufferSize).ram, expected.ram)
  })

  it("takes no more memory than a record and a read need", () => {
    let largest = 0
    const reader = SocketStream.make({ bufferSize: 1024 })
    for (let at = 0; at < everything.length;) {
      const step = reader.next()
      assert(Result.isSuccess(step))
      if (step.success !== undefined) continue
      const space = reader.space()
      largest = Math.max(largest, space.length)
      space.set(everything.subarray(at, at + space.length))
      const count = Math.min(space.length, everything.length - at)
      reader.filled(count)
      at += count
    }
    assert.isAtMost(largest, 8192)
  })

  it("leaves what follows RAM alone", () => {
    const outcome = Streams.read(concat(everything, Images.state))
    assert.isUndefined(outcome.finding)
    assert.deepStrictEqual(outcome.rest, Images.state)
  })

  it("has no more to say behind the end of RAM", () => {
    const reader = SocketStream.make()
    reader.space().set(everything)
    reader.filled(everything.length)
    for (let i = 0; i < 14; i++) reader.next()
    assert.deepStrictEqual(reader.next(), Result.succeed(undefined))
    assert.deepStrictEqual(reader.next(), Result.succeed(undefined))
  })

  it("gives the same finding again and again", () => {
    const reader = SocketStream.make()
    reader.space()[0] = 1
    reader.filled(1)
    reader.ended()
    const first = reader.next()
    assert.isTrue(Result.isFailure(first))
    assert.deepStrictEqual(reader.next(), first)
  })

  it("may be without a configuration, and pages are then as large as agreed", () => {
    const head = SocketSections.encodeHead({ configuration: undefined })
    const { events } = Streams.read(Streams.make({ head }), { pageSize: 1024 })
    assert.deepStrictEqual(events[0], { _tag: "Configuration", configuration: undefined, pageSize: 1024 })
    assert.strictEqual(events.at(-1)?._tag, "RamEnd")
  })

  it("may have pages of another size, as its configuration says", () => {
    const large = { idstr: "m", usedLength: 65536 * 2, pageSize: 65536 }
    const data = new Uint8Array(65536).fill(9)
    const { events, finding } = Streams.read(
      Streams.make({
        head: SocketSections.encodeHead({ configuration: { ...Streams.configuration, targetPageBits: 16 } }),
        start: SocketSections.encodeStart({ sectionId: 2, blocks: [large] }),
        records: concat(...RamRecords.make().pages(large, [{ offset: 65536, bytes: data }]))
      }),
      { bufferSize: 4096 }
    )
    assert.isUndefined(finding)
    assert.deepStrictEqual(
      events.find(({ _tag }) => _tag === "Pages"),
      { _tag: "Pages", idstr: "m", extents: [{ offset: 65536, bytes: data }] }
    )
  })

  it("may be of a machine without footers", () => {
    const ending = { sectionId: 2, footers: false }
    const { encodeClose, encodeOpen, encodeStart } = SocketSections
    const outcome = Streams.read(
      Streams.make({
        start: encodeStart({ ...ending, blocks: Streams.blocks }),
        part: concat(encodeOpen("part", 2), encodeClose(ending)),
        end: concat(encodeOpen("end", 2), encodeClose(ending))
      })
    )
    const end = outcome.events.at(-1)
    assert.isTrue(end?._tag === "RamEnd" && !end.footers)
  })

  it("may have no RAM at all", () => {
    const start = SocketSections.encodeStart({ sectionId: 2, blocks: [] })
    assert.strictEqual(codeOf(Streams.make({ start })), "no finding")
  })
})

describe("the records of pages", () => {
  const eventsOf = (records: Uint8Array) =>
    Streams.read(Streams.make({ records })).events.flatMap((event) => {
      if (event._tag !== "Pages" && event._tag !== "Zeros" && event._tag !== "Changes") return []
      return [[event._tag, event.idstr, event.extents.map(({ offset }) => offset / PAGE)]]
    })

  /** PAGE records of one block, in this order. */
  const pages = (offsets: ReadonlyArray<number>) =>
    concat(
      ...RamRecords.make().pages(
        block,
        offsets.map((offset) => ({ offset: offset * PAGE, bytes: page(offset) }))
      )
    )

  it("come kind by kind, as long as they ascend", () => {
    const records = RamRecords.make()
    const mixed = concat(
      records.zeros(block, [{ offset: 0, length: PAGE }]),
      ...records.pages(block, [{ offset: PAGE, bytes: page(1) }]),
      records.zeros(block, [{ offset: 2 * PAGE, length: 2 * PAGE }]),
      ...records.changes(block, [{ offset: 4 * PAGE, bytes: hex("000101") }]),
      ...records.pages(block, [{ offset: 5 * PAGE, bytes: page(2) }])
    )
    assert.deepStrictEqual(eventsOf(mixed), [
      ["Pages", "pc.ram", [1, 5]],
      ["Changes", "pc.ram", [4]],
      ["Zeros", "pc.ram", [0, 2]]
    ])
  })

  it("never bring a page twice in one event", () =>
    assert.deepStrictEqual(eventsOf(pages([1, 2, 2, 3, 0])), [
      ["Pages", "pc.ram", [1, 2]],
      ["Pages", "pc.ram", [2, 3]],
      ["Pages", "pc.ram", [0]]
    ]))

  it("of another block are another event", () => {
    const records = RamRecords.make()
    const zeros = concat(
      records.zeros(block, [{ offset: 0, length: PAGE }]),
      records.zeros(bios, [{ offset: 0, length: PAGE }]),
      records.zeros(block, [{ offset: PAGE, length: PAGE }])
    )
    assert.deepStrictEqual(eventsOf(zeros), [
      ["Zeros", "pc.ram", [0]],
      ["Zeros", "pc.bios", [0]],
      ["Zeros", "pc.ram", [1]]
    ])
  })

  const records = Arbitrary.array(
    Arbitrary.all({ block: between(0, 1), first: between(0, 15), count: between(1, 4), value: between(0, 2) }),
    { maxLength: 12 }
  )

  it.effect.prop(
    "leave in memory what was sent, however they arrive",
    { list: records, chunk: between(1, 9000) },
    (given) =>
      Effect.sync(() => {
        const encoder = RamRecords.make()
        const expected = new Map(Streams.blocks.map(({ idstr, usedLength }) => [idstr, new Uint8Array(usedLength)]))
        const parts = given.list.flatMap(({ block: which, count, first, value }) => {
          const shape = which === 0 ? block : bios
          const offset = which === 0 ? first * PAGE : 0
          const length = Math.min(count * PAGE, shape.usedLength - offset)
          expected.get(shape.idstr)!.fill(value, offset, offset + length)
          if (value === 0) return [encoder.zeros(shape, [{ offset, length }])]
          return encoder.pages(shape, [{ offset, bytes: new Uint8Array(length).fill(value) }])
        })
        const ram: Replay.Ram = new Map()
        const { finding } = Streams.read(Streams.make({ records: concat(...parts) }), {
          chunk: given.chunk,
          bufferSize: 3000,
          onEvent: (event) => Replay.apply(ram, event)
        })
        assert.isUndefined(finding)
        assert.deepStrictEqual(ram, expected)
      })
  )
})

describe("an early section", () => {
  const sections = (stream: Uint8Array, arrival?: Streams.Arrival) =>
    Streams.read(stream, arrival).events.filter((event) => event._tag === "EarlySection")

  const virtioMem = Captures.earlySection

  it("ends at its footer if a PART follows", () =>
    assert.deepStrictEqual(sections(Streams.make({ early: virtioMem })), [
      { _tag: "EarlySection", bytes: virtioMem, inPrelude: false }
    ]))

  it("ends at its footer if END, a command or another section follows", () => {
    const follow = [Images.early, switchoverStart, virtioMem]
    for (const next of follow) {
      const [first] = sections(Streams.make({ early: concat(virtioMem, next) }))
      assert.deepStrictEqual(first?.bytes, virtioMem)
    }
    assert.strictEqual(sections(Streams.make({ early: virtioMem, part: new Uint8Array(0) })).length, 1)
  })

  it("may stand in front of RAM's START", () => {
    const head = SocketSections.encodeHead({ configuration: undefined, prelude: concat(virtioMem, Images.early) })
    for (const chunk of [1, Infinity]) {
      assert.deepStrictEqual(sections(Streams.make({ head }), { chunk }), [
        { _tag: "EarlySection", bytes: virtioMem, inPrelude: true },
        { _tag: "EarlySection", bytes: Images.early, inPrelude: true }
      ])
    }
  })

  /** Data that looks like the end of its section, but for what follows. */
  const lookalikes = [
    hex("7e 00000003 00"),
    hex("7e 00000003 02 00000003"),
    hex("7e 00000003 01 00000001 03 72616d 00000000 00000004"),
    hex("7e 00000003 04 00000004 01 07 00000000 00000001"),
    hex("7e 00000003 04 00000004 00 00000000 00000001"),
    hex("7e 00000003 04 00000004 02 6107 00000000 00000001"),
    hex("7e 00000003 04 00000004 02 0761 00000000 00000001"),
    hex("7e 00000003 08 000c 0000"),
    hex("7e 00000003 08 0002 0000"),
    hex("7e 7e 7e 00000003")
  ]

  it("may have data that looks like its footer", () => {
    for (const chunk of [1, 3, Infinity]) {
      for (const data of lookalikes) {
        const early = Images.section(3, "early/device", data)
        const [found] = sections(Streams.make({ early }), { chunk })
        assert.deepStrictEqual(found?.bytes, early)
      }
    }
  })

  it("may have data that its footer begins in", () => {
    const early = Images.section(0x7e, "early/device", hex("7e 000000"))
    assert.deepStrictEqual(sections(Streams.make({ early }))[0]?.bytes, early)
  })

  it("does not end at PART in front of RAM's START", () => {
    const early = Images.section(3, "early/device", hex("7e 00000003 02 00000002"))
    const head = SocketSections.encodeHead({ configuration: undefined, prelude: early })
    assert.deepStrictEqual(sections(Streams.make({ head }))[0]?.bytes, early)
  })

  it("is larger than what is read at once, if need be", () => {
    const early = Images.section(3, "early/device", new Uint8Array(10_000))
    const [found] = sections(Streams.make({ early }), { bufferSize: 100 })
    assert.deepStrictEqual(found?.bytes, early)
  })

  it("may come with as much RAM as is allowed", () =>
    assert.strictEqual(codeOf(Streams.make(), { limits: { maxRam: 17 * 4096 } }), "no finding"))

  it("must end within bounds, by itself and with the others", () => {
    const limits = { maxHeld: 1000 }
    const endless = Images.section(3, "early/device", new Uint8Array(1001))
    assert.strictEqual(codeOf(Streams.make({ early: endless }), { limits }), "early-sections-exceeded")
    const unended = concat(endless.subarray(0, 100), new Uint8Array(2 ** 20))
    assert.strictEqual(codeOf(Streams.make({ early: unended }), { limits }), "early-sections-exceeded")
    const many = concat(...Array.from({ length: 30 }, () => Images.early))
    assert.strictEqual(codeOf(Streams.make({ early: many }), { limits }), "early-sections-exceeded")
    assert.strictEqual(codeOf(Streams.make({ early: Images.early }), { limits }), "no finding")
    const two = concat(Images.early, Images.early)
    const exactly = { limits: { maxHeld: two.length } }
    assert.strictEqual(codeOf(Streams.make({ early: two }), exactly), "no finding")
    assert.strictEqual(codeOf(Streams.make({ early: concat(two, Images.early) }), exactly), "early-sections-exceeded")
    const data = Images.early.length - MigrationStream.encodeFooter(3).length
    const upTo = (maxHeld: number) => codeOf(Streams.make({ early: Images.early }), { limits: { maxHeld } })
    assert.deepStrictEqual([upTo(data), upTo(data - 1)], ["no finding", "early-sections-exceeded"])
  })

  it("cannot be told from what follows without a footer", () => {
    const start = SocketSections.encodeStart({ sectionId: 2, blocks: Streams.blocks, footers: false })
    assert.strictEqual(codeOf(Streams.make({ start, early: Images.early })), "early-section-unsized")
  })

  it("may be cut", () => {
    const stream = Streams.make({ early: Images.early })
    const start = stream.length - Streams.make().length
    for (let length = 1; length < start; length++) {
      const early = Images.early.subarray(0, length)
      const cut = concat(SocketSections.encodeHead({ configuration: undefined, prelude: early }))
      assert.strictEqual(codeOf(cut), "stream-cut")
    }
  })
})

describe("a main channel is refused", () => {
  const { encodeHead, encodeOpen } = SocketSections
  const { encodeConfiguration, encodeFileHeader, encodeSectionHeader } = MigrationStream

  const head = (capabilities: ReadonlyArray<string>) =>
    concat(encodeFileHeader(), encodeConfiguration({ ...Streams.configuration, capabilities }))
  const before = (prelude: Uint8Array) => encodeHead({ configuration: undefined, prelude })
  const section = (name: string, instanceId: number, version: number) =>
    encodeSectionHeader({ type: "start", sectionId: 2, name, instanceId, version })
  const ram = (...records: ReadonlyArray<Uint8Array>) => ({ start: concat(section("ram", 0, 4), ...records) })
  const memSize = (address: number | bigint) => record({ flags: ["MEM_SIZE"], address })
  const entry = (idstr: string | Uint8Array, usedLength: number | bigint) => concat(named(idstr), u64(usedLength))
  const list = (total: number, ...entries: ReadonlyArray<Uint8Array>) => ram(memSize(total), ...entries)
  const twoPages = entry("m", 8192)
  const flush = record({ flags: ["MULTIFD_FLUSH"] })
  const eos = record({ flags: ["EOS"] })
  const part = (...bytes: ReadonlyArray<Uint8Array>) => ({ part: concat(encodeOpen("part", 2), ...bytes) })
  const name = block.idstr
  const zero = (fields: Partial<Record>) => ({ records: record({ flags: ["ZERO"], data: [0], ...fields }) })
  const changes = (...data: ReadonlyArray<number>) => record({ flags: ["XBZRLE"], block: name, data })

  /** A title, the parts of a stream that differ from the whole one or all of its bytes, and the finding. */
  const cases: ReadonlyArray<readonly [string, Streams.Parts | Uint8Array, string, Streams.Arrival?]> = [
    ["if it is none", Bytes.text("GET / HTTP/1.1\r\n\r\n"), "magic-wrong"],
    ["if it is a channel", hex("11223344 00000001"), "magic-wrong"],
    ["in another version", concat(Bytes.text("QEVM"), u32(4)), "stream-version-unsupported"],
    ["with mapped-ram", { head: head(["mapped-ram"]) }, "mapped-ram-unexpected"],
    ["with a capability of the future", { head: head(["new"]) }, "configuration-unsupported"],
    ["with an endless machine type", concat(encodeFileHeader(), u8(7), u32(0x7fffffff)), "configuration-corrupt"],
    ["with postcopy advice", before(command(3, u64(4096), u64(4096))), "command-unsupported"],
    ["with COLO", before(command(8)), "command-unsupported"],
    ["with a package", before(command(7, u32(0))), "command-unsupported"],
    ["with an unknown command", before(command(12)), "command-corrupt"],
    ["with a PING of the wrong length", before(command(2, u8(0), u16(0))), "command-corrupt"],
    ["if it ends without RAM", before(u8(0)), "section-unexpected"],
    ["with a part of nothing", before(concat(u8(2), u32(2))), "section-unexpected"],
    ["with a description in front of RAM", before(concat(u8(6), u32(2), Bytes.text("{}"))), "section-unexpected"],
    ["with another iterable in front of RAM", { start: section("dirty-bitmap", 0, 1) }, "iterable-unsupported"],
    ["with another iterable behind RAM's START", { early: section("vfio", 0, 1) }, "iterable-unsupported"],
    ["with another version of RAM", { start: section("ram", 0, 5) }, "ram-version-unsupported"],
    ["with a second RAM", { start: section("ram", 1, 4) }, "ram-instance-wrong"],
    ["without a list of blocks", ram(eos), "block-list-missing"],
    ["with a page in front of the list", ram(record({ flags: ["PAGE"] })), "block-list-missing"],
    ["with a flush in front of the list", ram(flush), "block-list-missing"],
    ["with two lists", list(8192, twoPages, memSize(8192)), "block-list-duplicated"],
    ["with a list in a PART", { records: memSize(8192) }, "record-unexpected"],
    ["with a total below the sum", list(4096, twoPages, eos), "total-mismatch"],
    ["with a total above the sum", list(16384, twoPages, eos), "name-invalid"],
    ["with a block twice", list(16384, twoPages, twoPages, eos), "block-duplicated"],
    ["with a block of no length", list(4096, entry("m", 0), eos), "length-not-whole-pages"],
    ["with a block of part of a page", list(4096, entry("m", 4095), eos), "length-not-whole-pages"],
    ["with a name with a zero byte", list(4096, entry("m\0", 4096), eos), "name-invalid"],
    ["with a name that is not text", list(8192, entry(u8(0xff), 8192)), "name-invalid"],
    ["with a block beyond 2^53", list(8192, entry("m", 2n ** 53n)), "number-too-large"],
    ["with more RAM than allowed", {}, "bitmap-limit-exceeded", { limits: { maxRam: 17 * PAGE - 1 } }],
    ["with RAM beyond all bounds", ram(memSize(0xffff_ffff_ffff_fc00n)), "bitmap-limit-exceeded"],
    ["with more blocks than allowed", {}, "block-limit-exceeded", { limits: { maxBlocks: 1 } }],
    ["without a footer, if START has one", part(eos, u8(3)), "footer-missing"],
    ["with the footer of another section", part(eos, u8(0x7e), u32(3)), "footer-mismatch"],
    ["with a PART of another section", { part: encodeOpen("part", 3) }, "section-id-unknown"],
    ["if the device state follows without RAM's END", { early: u8(0) }, "section-unexpected"],
    ["with a configuration behind RAM's START", { early: u8(7) }, "section-unexpected"],
    ["with a retired record", { records: record({ flags: ["FULL"] }) }, "record-unexpected"],
    ["with a record for RDMA", { records: record({ flags: ["HOOK"] }) }, "record-unexpected"],
    ["with a record that is two things", { records: record({ flags: ["PAGE", "ZERO"] }) }, "record-unexpected"],
    ["with CONTINUE alone", { records: record({ flags: ["CONTINUE"] }) }, "record-unexpected"],
    ["with CONTINUE of no block", zero({ flags: ["ZERO", "CONTINUE"] }), "record-block-missing"],
    [
      "with a page of an unknown block",
      { records: record({ flags: ["PAGE"], block: "nope" }) },
      "record-block-unknown"
    ],
    ["with a block whose name is not text", zero({ block: u8(0xff) }), "record-block-unknown"],
    ["with a page behind its block", zero({ block: name, page: 16 }), "record-offset-out-of-range"],
    [
      "with a page beyond all bounds",
      zero({ block: name, address: 0xffff_ffff_ffff_f000n }),
      "record-offset-out-of-range"
    ],
    ["with a page between two", zero({ block: name, address: 1024 }), "record-offset-misaligned"],
    ["with a zero page of ones", zero({ block: name, data: [1] }), "record-fill-wrong"],
    ["with changes in another encoding", { records: changes(2, 0, 1, 0) }, "xbzrle-corrupt"],
    ["with changes larger than a page", { records: changes(1, 0x10, 1) }, "xbzrle-corrupt"],
    ["with a flush if START had none", { records: flush }, "flush-unexpected"]
  ]
  for (const [title, parts, code, arrival] of cases) {
    it(title, () => {
      const stream = parts instanceof Uint8Array ? parts : Streams.make(parts)
      assert.strictEqual(codeOf(stream, arrival), code)
      assert.strictEqual(codeOf(stream, { ...arrival, chunk: 1 }), code)
    })
  }

  /** A page, and one behind the end of its block. */
  const tooFar = Streams.make({
    records: concat(zero({ block: name }).records, zero({ flags: ["ZERO", "CONTINUE"], page: 16 }).records)
  })

  it("at the place where it is wrong", () => {
    const before = Streams.make({ part: encodeOpen("part", 2), end: new Uint8Array(0) }).length
    const { finding } = Streams.read(tooFar)
    assert.strictEqual(finding?.offset, before + 16)
    assert.strictEqual(finding?.block, "pc.ram")
    assert.strictEqual(finding?.expected, "an offset up to 61440")
  })

  it("only when all that came in front of it was told", () => {
    const outcome = Streams.read(tooFar)
    assert.strictEqual(outcome.events.at(-1)?._tag, "Zeros")
    assert.strictEqual(outcome.finding?.code, "record-offset-out-of-range")
  })

  it("without a byte of the guest in what is said of it", () => {
    const secret = concat(record({ flags: ["PAGE"], block: "pc.ram", data: page(0x5a) }), record({ flags: ["FULL"] }))
    const { finding } = Streams.read(Streams.make({ records: secret }))
    assert.strictEqual(finding?.code, "record-unexpected")
    assert.notInclude(finding?.message, "5a5a")
  })

  it("if it is cut, at every length", () => {
    const encoder = RamRecords.make()
    const records = concat(
      encoder.zeros(block, [{ offset: 0, length: PAGE }]),
      ...encoder.changes(block, [{ offset: 0, bytes: hex("000109") }]),
      ...encoder.pages(block, [{ offset: 0, bytes: page(1) }])
    )
    const stream = Streams.make({ early: switchoverStart, records })
    for (let length = 1; length < stream.length; length++) {
      const { finding } = Streams.read(stream.subarray(0, length))
      assert.strictEqual(finding?.code, "stream-cut", `${length} bytes`)
      assert.isAtMost(finding!.offset, length)
    }
  })

  it("but not while it may go on", () => {
    const stream = Streams.make()
    for (let length = 0; length < stream.length; length++) {
      assert.isUndefined(Streams.read(stream.subarray(0, length), { ends: false }).finding)
    }
  })
})

describe("any main channel", () => {
  const encoder = RamRecords.make()
  const stream = Streams.make({
    head: SocketSections.encodeHead({ configuration: Streams.configuration, prelude: hex("08 0001 0000") }),
    start: SocketSections.encodeStart({ sectionId: 2, blocks: Streams.blocks, flush: true }),
    early: Images.early,
    records: concat(
      encoder.zeros(block, [{ offset: 0, length: 3 * PAGE }]),
      SocketSections.encodeFlush(),
      ...encoder.changes(block, [{ offset: 0, bytes: hex("000109") }])
    )
  })

  /** That pages lie in their blocks, whatever the stream says. */
  const check = (bytes: Uint8Array, chunk: number) => {
    const lengths = new Map<string, number>()
    Streams.read(bytes, {
      chunk,
      onEvent: (event) => {
        if (event._tag === "Blocks") for (const { idstr, usedLength } of event.blocks) lengths.set(idstr, usedLength)
        if (event._tag !== "Pages" && event._tag !== "Zeros" && event._tag !== "Changes") return
        for (const { offset } of event.extents) assert.isBelow(offset, lengths.get(event.idstr)!)
      }
    })
  }

  it.effect.prop(
    "is read without harm, whatever is changed",
    { changes: Bytes.mutation, chunk: between(1, 600) },
    ({ changes, chunk }) => Effect.sync(() => check(Bytes.mutate(stream, changes), chunk)),
    { arbitrary: { runs: 1000 } }
  )

  it.effect.prop("is read without harm, whatever the bytes", { bytes: Bytes.bytes(300) }, ({ bytes }) =>
    Effect.sync(() => {
      check(bytes, Infinity)
      check(concat(MigrationStream.encodeFileHeader(), bytes), 1)
      check(Streams.make({ records: bytes }), 7)
    })
  )
})
