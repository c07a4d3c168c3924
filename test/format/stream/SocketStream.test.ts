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
import * as Streams from "../../support/wire/socketStreams.ts"

const { concat, hex, int } = Bytes

const PAGE = 4096
const block = { idstr: "pc.ram", usedLength: 16 * PAGE, pageSize: PAGE }
const bios = { idstr: "pc.bios", usedLength: PAGE, pageSize: PAGE }
const page = (value: number) => new Uint8Array(PAGE).fill(value)

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
      prelude: hex("08 0001 0000 08 0002 0004 00000007")
    }),
    early: concat(Images.early, hex("08 000b 0000")),
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
      early: hex("08 000b 0000"),
      records: concat(
        RamRecords.make().zeros(block, [{ offset: 0, length: PAGE }]),
        hex("0000000000000010 7e 00000002  02 00000002  0000000000001022 00")
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
    Arbitrary.all({ block: int(0, 1), first: int(0, 15), count: int(1, 4), value: int(0, 2) }),
    { maxLength: 12 }
  )

  it.effect.prop(
    "leave in memory what was sent, however they arrive",
    { list: records, chunk: int(1, 9000) },
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
    const follow = [Images.early, hex("08 000b 0000"), virtioMem]
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
  const { encodeHead, encodeOpen, encodeStart } = SocketSections
  const { encodeConfiguration, encodeFileHeader, encodeRamRecord, encodeSectionHeader, RamFlag } = MigrationStream

  const head = (capabilities: ReadonlyArray<string>) =>
    concat(encodeFileHeader(), encodeConfiguration({ ...Streams.configuration, capabilities }))
  const prelude = (digits: string) => encodeHead({ configuration: undefined, prelude: hex(digits) })
  const start = (name: string, instanceId: number, version: number) =>
    encodeSectionHeader({ type: "start", sectionId: 2, name, instanceId, version })
  const list = (blocks: ReadonlyArray<SocketStream.AnnouncedBlock>, total?: number) => {
    const sum = blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
    const entries = encodeStart({ sectionId: 2, blocks }).subarray(25)
    return concat(start("ram", 0, 4), encodeRamRecord(RamFlag.memSize, total ?? sum), entries)
  }
  const twoPages = [{ idstr: "m", usedLength: 8192 }]
  const ram = concat(start("ram", 0, 4))
  const entry = hex("01 6d 0000000000002000")
  const memSize = hex("0000000000002004")
  const eos = hex("0000000000000010")
  const flush = hex("0000000000000200")
  const changes = (digits: string) => hex(`0000000000000040 06 70632e72616d ${digits}`)

  const cases: ReadonlyArray<readonly [string, Uint8Array, string, Streams.Arrival?]> = [
    ["if it is none", Bytes.text("GET / HTTP/1.1\r\n\r\n"), "magic-wrong"],
    ["if it is a channel", hex("11223344 00000001"), "magic-wrong"],
    ["in another version", hex("5145564d 00000004"), "stream-version-unsupported"],
    ["with mapped-ram", Streams.make({ head: head(["mapped-ram"]) }), "mapped-ram-unexpected"],
    ["with a capability of the future", Streams.make({ head: head(["new"]) }), "configuration-unsupported"],
    ["with a machine type beyond all bounds", hex("5145564d 00000003 07 7fffffff"), "configuration-corrupt"],
    ["with postcopy advice", prelude("08 0003 0010 00000000000010000000000000001000"), "command-unsupported"],
    ["with COLO", prelude("08 0008 0000"), "command-unsupported"],
    ["with a package", prelude("08 0007 0004 00000000"), "command-unsupported"],
    ["with an unknown command", prelude("08 000c 0000"), "command-corrupt"],
    ["with a PING of the wrong length", prelude("08 0002 0003 000000"), "command-corrupt"],
    ["if it ends without RAM", prelude("00"), "section-unexpected"],
    ["with a part of nothing", prelude("02 00000002"), "section-unexpected"],
    ["with a description in front of RAM", prelude("06 00000002 7b7d"), "section-unexpected"],
    [
      "with another iterable in front of RAM",
      Streams.make({ start: start("dirty-bitmap", 0, 1) }),
      "iterable-unsupported"
    ],
    ["with another iterable behind RAM's START", Streams.make({ early: start("vfio", 0, 1) }), "iterable-unsupported"],
    ["with another version of RAM", Streams.make({ start: start("ram", 0, 5) }), "ram-version-unsupported"],
    ["with a second RAM", Streams.make({ start: start("ram", 1, 4) }), "ram-instance-wrong"],
    ["without a list of blocks", Streams.make({ start: concat(ram, eos) }), "block-list-missing"],
    [
      "with a page in front of the list",
      Streams.make({ start: concat(ram, hex("0000000000000008")) }),
      "block-list-missing"
    ],
    ["with a flush in front of the list", Streams.make({ start: concat(ram, flush) }), "block-list-missing"],
    ["with two lists", Streams.make({ start: concat(ram, memSize, entry, memSize) }), "block-list-duplicated"],
    ["with a list in a PART", Streams.make({ records: memSize }), "record-unexpected"],
    ["with a total below the sum", Streams.make({ start: list(twoPages, 4096) }), "total-mismatch"],
    ["with a total above the sum", Streams.make({ start: list(twoPages, 16384) }), "name-invalid"],
    ["with a block twice", Streams.make({ start: list([...twoPages, ...twoPages]) }), "block-duplicated"],
    [
      "with a block of no length",
      Streams.make({ start: list([{ idstr: "m", usedLength: 0 }], 4096) }),
      "length-not-whole-pages"
    ],
    [
      "with a block of part of a page",
      Streams.make({ start: list([{ idstr: "m", usedLength: 4095 }], 4096) }),
      "length-not-whole-pages"
    ],
    [
      "with a name with a zero byte",
      Streams.make({ start: list([{ idstr: "m\0", usedLength: 4096 }]) }),
      "name-invalid"
    ],
    [
      "with a name that is not text",
      Streams.make({ start: concat(ram, memSize, hex("01 ff 0000000000002000")) }),
      "name-invalid"
    ],
    [
      "with a block beyond 2^53",
      Streams.make({ start: concat(ram, memSize, hex("01 6d 0020000000000000")) }),
      "number-too-large"
    ],
    ["with more RAM than allowed", Streams.make(), "bitmap-limit-exceeded", { limits: { maxRam: 17 * PAGE - 1 } }],
    [
      "with RAM beyond all bounds",
      Streams.make({ start: concat(ram, hex("fffffffffffffc04")) }),
      "bitmap-limit-exceeded"
    ],
    ["with more blocks than allowed", Streams.make(), "block-limit-exceeded", { limits: { maxBlocks: 1 } }],
    [
      "without a footer, if START has one",
      Streams.make({ part: concat(encodeOpen("part", 2), eos, hex("03")) }),
      "footer-missing"
    ],
    [
      "with the footer of another section",
      Streams.make({ part: concat(encodeOpen("part", 2), eos, hex("7e 00000003")) }),
      "footer-mismatch"
    ],
    ["with a PART of another section", Streams.make({ part: encodeOpen("part", 3) }), "section-id-unknown"],
    ["if the device state follows without RAM's END", Streams.make({ early: hex("00") }), "section-unexpected"],
    ["with a configuration behind RAM's START", Streams.make({ early: hex("07") }), "section-unexpected"],
    ["with a retired record", Streams.make({ records: hex("0000000000000001") }), "record-unexpected"],
    ["with a record for RDMA", Streams.make({ records: hex("0000000000000080") }), "record-unexpected"],
    ["with a record that is two things", Streams.make({ records: hex("000000000000000a") }), "record-unexpected"],
    ["with CONTINUE alone", Streams.make({ records: hex("0000000000000020") }), "record-unexpected"],
    ["with CONTINUE of no block", Streams.make({ records: hex("0000000000000022 00") }), "record-block-missing"],
    [
      "with a page of an unknown block",
      Streams.make({ records: hex("0000000000000008 04 6e6f7065") }),
      "record-block-unknown"
    ],
    [
      "with a block whose name is not text",
      Streams.make({ records: hex("0000000000000002 01 ff 00") }),
      "record-block-unknown"
    ],
    [
      "with a page behind its block",
      Streams.make({ records: hex("0000000000010002 06 70632e72616d 00") }),
      "record-offset-out-of-range"
    ],
    [
      "with a page beyond all bounds",
      Streams.make({ records: hex("fffffffffffff002 06 70632e72616d 00") }),
      "record-offset-out-of-range"
    ],
    [
      "with a page between two",
      Streams.make({ records: hex("0000000000000402 06 70632e72616d 00") }),
      "record-offset-misaligned"
    ],
    [
      "with a zero page of ones",
      Streams.make({ records: hex("0000000000000002 06 70632e72616d 01") }),
      "record-fill-wrong"
    ],
    ["with changes in another encoding", Streams.make({ records: changes("02 0001 00") }), "xbzrle-corrupt"],
    ["with changes larger than a page", Streams.make({ records: changes("01 1001") }), "xbzrle-corrupt"],
    ["with a flush if START had none", Streams.make({ records: flush }), "flush-unexpected"]
  ]
  for (const [title, stream, code, arrival] of cases) {
    it(title, () => {
      assert.strictEqual(codeOf(stream, arrival), code)
      assert.strictEqual(codeOf(stream, { ...arrival, chunk: 1 }), code)
    })
  }

  it("at the place where it is wrong", () => {
    const before = Streams.make({ part: encodeOpen("part", 2), end: new Uint8Array(0) }).length
    const { finding } = Streams.read(
      Streams.make({
        records: concat(RamRecords.make().zeros(block, [{ offset: 0, length: PAGE }]), hex("0000000000010022 00"))
      })
    )
    assert.strictEqual(finding?.offset, before + 16)
    assert.strictEqual(finding?.block, "pc.ram")
    assert.strictEqual(finding?.expected, "an offset up to 61440")
  })

  it("only when all that came in front of it was told", () => {
    const records = concat(RamRecords.make().zeros(block, [{ offset: 0, length: PAGE }]), hex("0000000000010022 00"))
    const outcome = Streams.read(Streams.make({ records }))
    assert.strictEqual(outcome.events.at(-1)?._tag, "Zeros")
    assert.strictEqual(outcome.finding?.code, "record-offset-out-of-range")
  })

  it("without a byte of the guest in what is said of it", () => {
    const secret = concat(
      hex("0000000000000008 06 70632e72616d"),
      new Uint8Array(PAGE).fill(0x5a),
      hex("0000000000000001")
    )
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
    const stream = Streams.make({ early: hex("08 000b 0000"), records })
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
    { changes: Bytes.mutation, chunk: int(1, 600) },
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
