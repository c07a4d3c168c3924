import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Finding } from "../../../src/format/Finding.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import { named, u32, u8 } from "../../support/wire/records.ts"

const { concat, hex, text } = Bytes

const codeOf = <A>(result: Result.Result<A, Finding>) => (Result.isFailure(result) ? result.failure.code : "no finding")

const foundBy = <A>(result: Result.Result<A, Finding>) =>
  Result.isFailure(result) ? result.failure.found : "nothing wrong"

/** A value as the whole of some bytes. */
const wholly = <A>(value: A, bytes: Uint8Array) => Result.succeed({ value, end: bytes.length })

const word = between(0, 2 ** 32 - 1)
const name = Arbitrary.filter(Arbitrary.schema(Schema.String.check(Schema.isMaxLength(40))), (name) =>
  name.isWellFormed()
)

describe("the file header", () => {
  const header = hex("5145564d 00000003")

  it("is written as QEMU writes it", () => assert.deepStrictEqual(MigrationStream.encodeFileHeader(), header))

  it("is read", () => assert.deepStrictEqual(MigrationStream.decodeFileHeader(header), wholly(undefined, header)))

  it("tells another kind of file from one that is cut", () => {
    for (let length = 1; length < header.length; length++) {
      assert.strictEqual(codeOf(MigrationStream.decodeFileHeader(header.subarray(0, length))), "stream-cut")
    }
    assert.strictEqual(codeOf(MigrationStream.decodeFileHeader(new Uint8Array(0))), "magic-wrong")
    assert.strictEqual(codeOf(MigrationStream.decodeFileHeader(text("QEV!"))), "magic-wrong")
    assert.strictEqual(codeOf(MigrationStream.decodeFileHeader(text("Q!"))), "magic-wrong")
    assert.strictEqual(foundBy(MigrationStream.decodeFileHeader(new Uint8Array(0))), "nothing")
    assert.strictEqual(foundBy(MigrationStream.decodeFileHeader(text("QEV!"))), "51455621")
  })

  it("refuses other versions, the obsolete one by name", () => {
    const old = MigrationStream.decodeFileHeader(hex("5145564d 00000002"))
    assert.strictEqual(codeOf(old), "stream-version-unsupported")
    assert.include(foundBy(old), "no QEMU")
    const future = MigrationStream.decodeFileHeader(hex("5145564d 00000004"))
    assert.strictEqual(codeOf(future), "stream-version-unsupported")
    assert.strictEqual(foundBy(future), "4")
  })
})

describe("the configuration", () => {
  const machine = "pc-i440fx-10.0"
  const uuid = hex("00112233445566778899aabbccddeeff")
  const machineType = concat(u8(7), u32(14), text(machine))
  const subsection = (name: string, ...data: ReadonlyArray<Uint8Array>) =>
    concat(u8(5), named(`configuration/${name}`), u32(1), ...data)
  const capabilities = (count: number, ...names: ReadonlyArray<string>) =>
    subsection("capabilities", u32(count), ...names.map(named))
  const pageBits = (bits: number) => subsection("target-page-bits", u32(bits))
  const mappedRam = capabilities(1, "mapped-ram")

  /** What QEMU 10.0 wrote, and what it stands for. */
  const captures: ReadonlyArray<readonly [string, Uint8Array, MigrationStream.Configuration]> = [
    ["no capability", machineType, { machine, capabilities: [] }],
    ["mapped-ram", concat(machineType, mappedRam), { machine, capabilities: ["mapped-ram"] }],
    [
      "mapped-ram and x-ignore-shared",
      concat(machineType, capabilities(2, "x-ignore-shared", "mapped-ram")),
      { machine, capabilities: ["x-ignore-shared", "mapped-ram"] }
    ],
    [
      "mapped-ram and validate-uuid",
      concat(machineType, mappedRam, subsection("uuid", uuid)),
      { machine, capabilities: ["mapped-ram"], uuid }
    ],
    ["target page bits", concat(machineType, pageBits(12)), { machine, targetPageBits: 12, capabilities: [] }]
  ]

  for (const [title, bytes, configuration] of captures) {
    it(`with ${title} is read and written as QEMU does`, () => {
      assert.deepStrictEqual(MigrationStream.decodeConfiguration(bytes), wholly(configuration, bytes))
      assert.deepStrictEqual(MigrationStream.encodeConfiguration(configuration), bytes)
    })
  }

  it("may be left out", () =>
    assert.deepStrictEqual(
      MigrationStream.decodeConfiguration(hex("01 00000001")),
      Result.succeed({ value: undefined, end: 0 })
    ))

  it("ends where no subsection of it follows", () => {
    const other = concat(u8(5), named("something/els"), u32(1))
    for (const behind of [other, hex("05"), hex("05 1a 63"), hex("01")]) {
      const result = MigrationStream.decodeConfiguration(concat(machineType, behind))
      assert.deepStrictEqual(result, Result.succeed({ value: { machine, capabilities: [] }, end: machineType.length }))
    }
  })

  it("may come with its subsections in any order", () => {
    const bytes = concat(machineType, mappedRam, pageBits(13))
    assert.deepStrictEqual(
      MigrationStream.decodeConfiguration(bytes),
      wholly({ machine, capabilities: ["mapped-ram"], targetPageBits: 13 }, bytes)
    )
  })

  const damages: ReadonlyArray<readonly [string, string, Uint8Array]> = [
    ["an endless machine type", "configuration-corrupt", concat(u8(7), u32(1025))],
    ["a machine type that is no text", "name-invalid", concat(u8(7), u32(2), hex("c328"))],
    ["a subsection of another version", "configuration-unsupported", concat(machineType, mappedRam.with(31, 2))],
    ["an unknown subsection", "configuration-unsupported", concat(machineType, subsection("xy"))],
    ["more capabilities than there are", "configuration-corrupt", concat(machineType, capabilities(257))],
    ["page bits below those of any machine", "configuration-corrupt", concat(machineType, pageBits(9))],
    ["page bits above those of any machine", "configuration-corrupt", concat(machineType, pageBits(21))]
  ]

  for (const [title, code, bytes] of damages) {
    it(`with ${title} is a finding`, () => assert.strictEqual(codeOf(MigrationStream.decodeConfiguration(bytes)), code))
  }

  const configurations = Arbitrary.map(
    Arbitrary.all({
      machine: name,
      capabilities: Arbitrary.array(name, { maxLength: 4 }),
      bits: between(9, 20),
      withUuid: between(0, 1)
    }),
    ({ bits, withUuid, ...rest }): MigrationStream.Configuration => ({
      ...rest,
      ...(bits < 10 ? {} : { targetPageBits: bits }),
      ...(withUuid === 0 ? {} : { uuid })
    })
  )

  it.prop("comes back as it went", { configuration: configurations }, ({ configuration }) => {
    const bytes = MigrationStream.encodeConfiguration(configuration)
    assert.deepStrictEqual(MigrationStream.decodeConfiguration(bytes), wholly(configuration, bytes))
  })

  it.prop(
    "never throws, whatever is changed",
    { configuration: configurations, mutation: Bytes.mutation, length: between(0, 300) },
    ({ configuration, length, mutation }) => {
      const bytes = Bytes.mutate(MigrationStream.encodeConfiguration(configuration), mutation).subarray(0, length)
      assert.isTrue(Result.isResult(MigrationStream.decodeConfiguration(bytes)))
    }
  )

  it("lists up to 256 capabilities", () => {
    const many: MigrationStream.Configuration = { machine, capabilities: Array(256).fill("x") }
    const bytes = MigrationStream.encodeConfiguration(many)
    assert.deepStrictEqual(MigrationStream.decodeConfiguration(bytes), wholly(many, bytes))
  })

  it("switches capabilities on and off in QEMU's order", () => {
    const { withCapability } = MigrationStream
    const none: MigrationStream.Configuration = { machine, capabilities: [] }
    const both = withCapability(withCapability(none, "mapped-ram", true), "x-ignore-shared", true)
    assert.deepStrictEqual(both.capabilities, ["x-ignore-shared", "mapped-ram"])
    assert.deepStrictEqual(withCapability(both, "mapped-ram", true), both)
    assert.deepStrictEqual(withCapability(both, "mapped-ram", false).capabilities, ["x-ignore-shared"])
  })
})

describe("section headers", () => {
  const headers = Arbitrary.map(
    Arbitrary.all({ type: between(0, 3), sectionId: word, name, instanceId: word, version: word }),
    ({ type, ...full }): MigrationStream.SectionHeader =>
      type < 2
        ? { type: (["start", "full"] as const)[type]!, ...full }
        : { type: (["part", "end"] as const)[type - 2]!, sectionId: full.sectionId }
  )

  it("are those that QEMU wrote", () => {
    const ram = { type: "start", sectionId: 1, name: "ram", instanceId: 0, version: 4 } as const
    assert.deepStrictEqual(MigrationStream.encodeSectionHeader(ram), hex("01 00000001 03 72616d 00000000 00000004"))
    assert.deepStrictEqual(MigrationStream.encodeSectionHeader({ type: "end", sectionId: 1 }), hex("03 00000001"))
    const timer = hex("04 00000000 05 74696d6572 00000000 00000002")
    assert.deepStrictEqual(
      MigrationStream.decodeSectionHeader(timer),
      wholly({ type: "full", sectionId: 0, name: "timer", instanceId: 0, version: 2 }, timer)
    )
  })

  it.prop("come back as they went", { header: headers }, ({ header }) => {
    const bytes = MigrationStream.encodeSectionHeader(header)
    assert.deepStrictEqual(MigrationStream.decodeSectionHeader(bytes), wholly(header, bytes))
  })

  it.prop("never throw", { bytes: Bytes.bytes(40) }, ({ bytes }) =>
    assert.isTrue(Result.isResult(MigrationStream.decodeSectionHeader(bytes)))
  )

  it("are findings for other bytes", () => {
    assert.strictEqual(codeOf(MigrationStream.decodeSectionHeader(hex("09 00000001"))), "section-unexpected")
    assert.strictEqual(foundBy(MigrationStream.decodeSectionHeader(hex("09 00000001"))), "byte 0x09")
    assert.strictEqual(codeOf(MigrationStream.decodeSectionHeader(new Uint8Array(0))), "stream-cut")
  })

  it("do not hold longer names than their length byte counts", () => {
    const header = { type: "full", sectionId: 1, name: "x".repeat(256), instanceId: 0, version: 1 } as const
    assert.throws(() => MigrationStream.encodeSectionHeader(header), RangeError)
  })
})

describe("footers", () => {
  it("come back as they went", () => {
    assert.deepStrictEqual(MigrationStream.encodeFooter(1), hex("7e 00000001"))
    assert.deepStrictEqual(MigrationStream.decodeFooter(hex("7e 00000001"), 1), wholly(undefined, hex("7e 00000001")))
  })

  it("close their own section", () => {
    assert.strictEqual(codeOf(MigrationStream.decodeFooter(hex("7e 00000002"), 1)), "footer-mismatch")
    assert.strictEqual(codeOf(MigrationStream.decodeFooter(hex("04 00000001"), 1)), "footer-missing")
    assert.strictEqual(codeOf(MigrationStream.decodeFooter(hex("7e 0000"), 1)), "stream-cut")
  })
})

describe("the smaller parts", () => {
  it("are those that QEMU wrote", () => {
    const { Command, RamFlag } = MigrationStream
    assert.deepStrictEqual(MigrationStream.encodeCommand(Command.switchoverStart), hex("08 000b 0000"))
    assert.deepStrictEqual(MigrationStream.encodeCommand(Command.ping, hex("00000001")), hex("08 0002 0004 00000001"))
    assert.deepStrictEqual(MigrationStream.encodeRamRecord(RamFlag.endOfSection), hex("0000000000000010"))
    assert.deepStrictEqual(MigrationStream.encodeRamRecord(RamFlag.memSize, 0x2082000), hex("0000000002082004"))
    assert.deepStrictEqual(MigrationStream.encodeDescriptionHeader(0x1832f), hex("06 0001832f"))
  })
})
