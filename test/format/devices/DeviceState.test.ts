import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Parser from "../../../src/format/Parser.ts"
import * as Description from "../../../src/format/devices/Description.ts"
import type { Device, Field } from "../../../src/format/devices/DeviceFields.ts"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import * as DeviceTree from "../../../src/format/devices/DeviceTree.ts"
import { MAX_NODES } from "../../../src/format/devices/internal/fieldDecoder.ts"
import { MAX_FALSE_FOOTERS } from "../../../src/format/devices/internal/sectionSplitter.ts"
import { MAX_SECTIONS } from "../../../src/format/devices/internal/sectionWalk.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import { describedIn, type Fixture, fixtures, stateOf } from "../../support/images/deviceFixtures.ts"
import * as DeviceTrees from "../../support/images/deviceTrees.ts"

const { concat, hex } = Bytes

const splitFixture = (fixture: Fixture) =>
  DeviceState.split(stateOf(fixture), describedIn(fixture).description, { footers: fixture.footers })

/** Sections and what is left, put together again. */
const rejoin = ({ rest, sections }: DeviceState.Split, footers: boolean): Uint8Array =>
  concat(DeviceState.encode(sections, { footers }), rest)

/** Bytes as such: views into larger ones compare by what they show. */
const same = (actual: Uint8Array, expected: Uint8Array, what: string): void =>
  assert.strictEqual(Buffer.compare(actual, expected), 0, what)

const word = between(0, 2 ** 32 - 1)
const name = Arbitrary.filter(
  Arbitrary.schema(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(60))),
  (name) => name.isWellFormed() && !/\p{Cc}/u.test(name)
)
const input = Arbitrary.all({ name, instanceId: word, version: word, data: Bytes.bytes(60) })
const inputs = Arbitrary.array(input, { maxLength: 6 })

describe("split", () => {
  it("takes the state of real guests apart, each section exactly as described", () => {
    for (const fixture of fixtures) {
      const split = splitFixture(fixture)
      assert.deepStrictEqual(split.findings, [])
      assert.strictEqual(split.sections.length, fixture.sections, fixture.name)
      same(rejoin(split, fixture.footers), stateOf(fixture), fixture.name)
    }
  })

  it("gives what the headers say", () => {
    const [timer, , cpu] = splitFixture(fixtures[0]!).sections
    assert.deepInclude(timer, { name: "timer", instanceId: 0, version: 2, sectionId: 0 })
    assert.strictEqual(timer?.data.length, 24)
    assert.deepInclude(cpu, { name: "cpu", instanceId: 0, version: 12, sectionId: 4 })
  })

  it("copies nothing", () => {
    const state = stateOf(fixtures[0]!)
    const { sections } = DeviceState.split(state, undefined)
    assert.isTrue(sections.every(({ data }) => data.buffer === state.buffer))
  })

  it("goes by the footers where there is no description", () => {
    for (const fixture of fixtures.filter(({ footers }) => footers)) {
      assert.deepStrictEqual(DeviceState.split(stateOf(fixture), undefined), splitFixture(fixture))
    }
  })

  it("cannot do without both", () => {
    const state = stateOf(fixtures[2]!)
    const split = DeviceState.split(state, undefined, { footers: false, position: 1000 })
    assert.deepStrictEqual(split.sections, [])
    same(split.rest, state, "rest")
    assert.deepStrictEqual(
      split.findings.map(({ code, offset }) => [code, offset]),
      [["device-state-unreadable", 1000]]
    )
  })

  it("corrects sizes that the description gets wrong, and says so", () => {
    const fixture = fixtures[0]!
    const right = splitFixture(fixture)
    const { description } = describedIn(fixture)
    const devices = description.devices
      .filter(({ name }) => name !== "apic")
      .map((device): Device => (device.name === "cpu" ? { ...device, fields: device.fields.slice(1) } : device))
    const split = DeviceState.split(stateOf(fixture), { devices }, { position: 5000 })
    assert.deepStrictEqual(split.sections, right.sections)
    const size = right.sections[2]!.data.length
    assert.deepStrictEqual(
      split.findings.map(({ code, found }) => [code, found]),
      [
        ["description-wrong", `${size} bytes`],
        ["description-wrong", "none"]
      ]
    )
    assert.isTrue(split.findings.every(({ offset }) => offset > 5000))
    assert.match(split.findings[0]!.expected, /^\d+ bytes in section "cpu"$/)
    assert.strictEqual(split.findings[1]!.expected, `a description of section "apic"`)
  })

  it("leaves a section that is cut anywhere in its footer", () => {
    const section = { name: "d", instanceId: 0, version: 1, data: hex("0102") }
    const state = DeviceState.encode([section])
    const description = Result.getOrThrow(Description.decode(Description.describe([section])))
    for (let length = state.length - 5; length < state.length; length++) {
      const split = DeviceState.split(state.subarray(0, length), description)
      assert.strictEqual(split.rest.length, length)
    }
  })

  it("takes sections of the same name and instance in order", () => {
    const sections = [1, 2, 3].map((length) => ({
      name: "dma",
      instanceId: 0,
      version: 1,
      data: new Uint8Array(length)
    }))
    const description = Result.getOrThrow(Description.decode(Description.describe(sections)))
    const split = DeviceState.split(DeviceState.encode(sections, { footers: false }), description, { footers: false })
    assert.deepStrictEqual(
      split.sections.map(({ data }) => data.length),
      [1, 2, 3]
    )
  })

  it("knows the negative instances of old QEMUs", () => {
    const state = DeviceState.encode([{ name: "d", instanceId: 0xffff_ffff, version: 1, data: hex("0102") }])
    const device = { name: "d", instance_id: -1, fields: [{ name: "f", type: "uint16", size: 2 }] }
    assert.deepStrictEqual(DeviceState.split(state, { devices: [device] }).findings, [])
  })

  it("is not misled by a footer inside the data", () => {
    const inside = hex("7e 00000010 04 00000011 0100 0000000000000000")
    const sections = [
      { name: "a", instanceId: 0, version: 1, data: concat(hex("7e00000010"), inside, hex("7e00000010")) },
      { name: "b", instanceId: 0, version: 1, data: hex("7e00000010") }
    ]
    const state = DeviceState.encode(sections)
    const description = Result.getOrThrow(Description.decode(Description.describe(sections)))
    assert.deepStrictEqual(DeviceState.split(state, description).findings, [])
    const blind = DeviceState.split(state, undefined)
    assert.deepStrictEqual(
      blind.sections.map(({ data, name }) => [name, data.length]),
      sections.map(({ data, name }) => [name, data.length])
    )
  })

  it("keeps what it cannot take apart", () => {
    const first = DeviceState.encode([{ name: "a", instanceId: 0, version: 1, data: hex("01") }])
    const others = [
      hex("00"),
      hex("04"),
      hex("04 00000001 01 ff 00000000 00000000 7e 00000001"),
      hex("04 00000001 01 62 00000000 00000000 7e 000000"),
      hex("04 00000001 01 62 00000000 00000000 7e 00000002"),
      hex("01 00000001 01 62 00000000 00000000 7e 00000001")
    ]
    for (const rest of others) {
      const split = DeviceState.split(concat(first, rest), undefined, { position: 100 })
      // The end of the first section is only sure where another begins.
      same(rejoin(split, true), concat(first, rest), Buffer.from(rest).toString("hex"))
      assert.strictEqual(split.findings.at(-1)?.code, "device-state-unreadable")
    }
  })

  it.prop("loses no byte of anything", { mutation: Bytes.mutation, length: between(0, 19_335) }, (sample) => {
    for (const fixture of fixtures) {
      const state = Bytes.mutate(stateOf(fixture), sample.mutation).subarray(0, sample.length)
      for (const description of [describedIn(fixture).description, undefined]) {
        for (const footers of [true, false]) {
          same(rejoin(DeviceState.split(state, description, { footers }), footers), state, fixture.name)
        }
      }
    }
    return true
  })

  it.prop("loses no byte of bytes that are no device state", { bytes: Bytes.bytes(100) }, ({ bytes }) => {
    for (const footers of [true, false]) {
      const split = DeviceState.split(bytes, undefined, { footers })
      same(rejoin(split, footers), bytes, "bytes")
    }
    return true
  })

  it("gives up on bytes that are made of footers", () => {
    const fill = (times: number) => {
      const data = concat(...Array.from({ length: times }, () => hex("7e00000001 0400000001 00")), hex("ff"))
      const section = { name: "a", instanceId: 0, version: 1, sectionId: 1, data }
      return DeviceState.split(DeviceState.encode([section]), undefined).sections.length
    }
    assert.strictEqual(fill(MAX_FALSE_FOOTERS), 1)
    assert.strictEqual(fill(MAX_FALSE_FOOTERS + 1), 0)
  })

  it("takes no more sections off than any machine has", () => {
    const one = DeviceState.encode([{ name: "a", instanceId: 0, version: 1, data: new Uint8Array(0) }])
    const state = new Uint8Array(one.length * (MAX_SECTIONS + 2))
    for (let at = 0; at < state.length; at += one.length) state.set(one, at)
    const split = DeviceState.split(state, undefined)
    assert.strictEqual(split.sections.length, MAX_SECTIONS)
    assert.strictEqual(split.rest.length, 2 * one.length)
  })
})

describe("encode", () => {
  it("writes what a stream has between RAM's END and its own", () => {
    const section = { name: "cpu", instanceId: 1, version: 2, sectionId: 3, data: hex("abcd") }
    const head = "04 00000003 03 637075 00000001 00000002 abcd"
    assert.deepStrictEqual(DeviceState.encode([section]), hex(`${head} 7e 00000003`))
    assert.deepStrictEqual(DeviceState.encode([section], { footers: false }), hex(head))
    assert.deepStrictEqual(DeviceState.encode([]), new Uint8Array(0))
  })

  it("numbers sections that have no number, all differently", () => {
    const data = new Uint8Array(0)
    const sections = [undefined, 17, undefined, 16, undefined].map((sectionId) => {
      return { name: "d", instanceId: 0, version: 1, data, sectionId }
    })
    assert.deepStrictEqual(
      DeviceState.split(DeviceState.encode(sections), undefined).sections.map(({ sectionId }) => sectionId),
      [18, 17, 19, 16, 20]
    )
  })

  it.prop(
    "with a description to it is undone by split",
    { inputs, footers: Arbitrary.schema(Schema.Boolean) },
    ({ footers, inputs }) => {
      const state = DeviceState.encode(inputs, { footers })
      const json = Description.describe(inputs)
      const stream = concat(state, hex("00 06"), new Uint8Array([0, 0, json.length >> 8, json.length]), json)
      const located = Parser.runSync(Description.locate({ from: 0, to: stream.length }), stream)
      assert(located._tag === "Found" && located.exact && located.eof === state.length)
      const split = DeviceState.split(state, located.description, { footers })
      assert.deepStrictEqual(
        split.sections.map(({ data, instanceId, name, version }) => ({ name, instanceId, version, data })),
        inputs
      )
      assert.deepStrictEqual(split.findings, [])
    }
  )
})

describe("validate", () => {
  const good = { name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(8) }
  const fields: ReadonlyArray<Field> = [{ name: "a", type: "uint32", size: 4, array_len: 2 }]

  it("accepts what a stream can carry", () => {
    const limits = {
      name: "é".repeat(127) + "x",
      instanceId: 2 ** 32 - 1,
      version: 2 ** 32 - 1,
      sectionId: 2 ** 32 - 1
    }
    const sections = [good, { ...good, fields }, { ...good, ...limits }]
    assert.deepStrictEqual(DeviceState.validate(sections), Result.succeed(sections))
  })

  it("refuses the rest, and says which section is wrong", () => {
    const bad: ReadonlyArray<Partial<DeviceState.SectionInput>> = [
      { name: "" },
      { name: "é".repeat(128) },
      { name: "\ud800" },
      { instanceId: -1 },
      { version: 2 ** 32 },
      { sectionId: 0.5 },
      { instanceId: Number.NaN },
      { fields: [] },
      { fields: [...fields, { name: "a", type: "buffer", size: 1 }] },
      { fields: [...fields, { name: "a", type: "buffer", size: -1 }, { name: "a", type: "buffer", size: 1 }] },
      { fields: [{ name: "a", type: "buffer", size: Number.NaN }] }
    ]
    for (const wrong of bad) {
      const result = DeviceState.validate([good, { ...good, ...wrong }])
      assert(Result.isFailure(result), JSON.stringify(wrong))
      assert.strictEqual(result.failure.section, wrong.name ?? "cpu")
      assert.strictEqual(result.failure[Runtime.errorExitCode], 2)
      assert.include(result.failure.message, "expected")
    }
  })
})

const decodeIn = (fixture: Fixture, name: string, instanceId = 0): DeviceTree.StructValue => {
  const section = splitFixture(fixture).sections.find((s) => s.name === name && s.instanceId === instanceId)!
  const device = Description.find(describedIn(fixture).description, name, instanceId)!
  return Result.getOrThrow(DeviceState.decode(section, device))
}

const decodeFields = (fields: ReadonlyArray<Field>, data: Uint8Array) =>
  DeviceState.decode(
    { name: "d", instanceId: 0, version: 1, sectionId: 1, data },
    { name: "d", instance_id: 0, fields }
  )

const valueOf = (field: Omit<Field, "name">, data: Uint8Array): DeviceTree.Value =>
  Result.getOrThrow(decodeFields([{ ...field, name: "f" } as Field], data)).fields[0]!.value

describe("decode", () => {
  it("reads every section of real guests, and loses nothing", () => {
    for (const fixture of fixtures) {
      for (const section of splitFixture(fixture).sections) {
        const tree = decodeIn(fixture, section.name, section.instanceId)
        same(DeviceTrees.encodeTree(tree), section.data, `${fixture.name}: ${section.name}`)
      }
    }
  })

  it("knows a device by its fields", () => {
    const pc = fixtures[0]!
    assert.strictEqual(DeviceTree.get(decodeIn(pc, "timer"), "cpu_ticks_offset"), 0n)
    assert.strictEqual(DeviceTree.get(decodeIn(pc, "cpu"), "env.eip"), 0xfff0n)
    const state = DeviceTree.get(decodeIn(pc, "globalstate"), "runstate")
    assert(state instanceof Uint8Array)
    assert.strictEqual(Buffer.from(state).toString().replaceAll("\0", ""), "prelaunch")
    const drives = DeviceTree.get(decodeIn(pc, "0000:00:01.1/ide"), "bus")
    assert(Array.isArray(drives))
    assert.strictEqual(drives.length, 2)
    assert.strictEqual(DeviceTree.get(decodeIn(fixtures[1]!, "apic", 1), "id"), 1)
  })

  it("reads each type as it is written", () => {
    const bytes = hex("80 01 02 03 04 05 06 ff")
    const cases: ReadonlyArray<readonly [type: string, size: number, value: DeviceTree.Value]> = [
      ["int8", 1, -128],
      ["uint8", 1, 128],
      ["int16", 2, -32767],
      ["uint16", 2, 32769],
      ["int32", 4, -2147417597],
      ["uint32", 4, 2147549699],
      ["int32 le", 4, 50463104],
      ["uint32 equal", 4, 2147549699],
      ["int64", 8, -9223088349902469377n],
      ["uint64", 8, 9223655723807082239n],
      ["timer", 8, -9223088349902469377n],
      ["CPU_Double_U", 8, 9223655723807082239n],
      ["buffer", 3, bytes.subarray(0, 3)],
      ["uint32", 3, bytes.subarray(0, 3)],
      ["bool", 1, 128],
      ["nullptr", 1, 128]
    ]
    for (const [type, size, value] of cases) {
      assert.deepStrictEqual(valueOf({ type, size }, bytes.subarray(0, size)), value, type)
    }
    assert.strictEqual(valueOf({ type: "bool", size: 1 }, hex("01")), true)
    assert.strictEqual(valueOf({ type: "bool", size: 1 }, hex("00")), false)
    assert.isNull(valueOf({ type: "nullptr", size: 1 }, hex("30")))
  })

  it("puts the pieces of an array together", () => {
    const run = (type: string, size: number, more = {}): Field => ({ name: "a", type, size, ...more })
    const pieces = [run("nullptr", 1, { array_len: 2 }), run("uint16", 2, { index: 2 }), run("nullptr", 1)]
    const tree = Result.getOrThrow(decodeFields([...pieces, { ...pieces[1]!, name: "b" }], hex("3030 0102 30 0304")))
    assert.deepStrictEqual(tree.fields, [
      { name: "a", type: "uint16", offset: 0, length: 5, value: [null, null, 0x0102, null] },
      { name: "b", type: "uint16", offset: 5, length: 2, value: [0x0304] }
    ])
  })

  it("reads an array of bytes in pieces as an array", () => {
    const piece = { name: "a", type: "uint8", size: 1, array_len: 2 }
    const tree = Result.getOrThrow(decodeFields([piece, { name: "a", type: "nullptr", size: 1 }], hex("0102 30")))
    assert.deepStrictEqual(DeviceTree.get(tree, "a"), [1, 2, null])
  })

  it("takes the version of a subsection from the data", () => {
    const device: Device = {
      name: "d",
      instance_id: 0,
      fields: [],
      subsections: [{ vmsd_name: "s", version: 1, fields: [] }]
    }
    const nested = { ...device, subsections: [{ vmsd_name: "s", version: 1, ...device }] }
    const inner = { name: "d", instanceId: 0, version: 1, sectionId: 1, data: hex("05017300000001 05017400000001") }
    assert.isTrue(Result.isFailure(DeviceState.decode(inner, nested)))
    const decode = (data: Uint8Array) =>
      DeviceState.decode({ name: "d", instanceId: 0, version: 1, sectionId: 1, data }, device)
    const tree = Result.getOrThrow(decode(hex("05 01 73 00000007")))
    assert.deepStrictEqual(tree.subsections, [{ name: "s", version: 7, fields: [], subsections: [] }])
    for (const other of ["04 01 73 00000001", "05 02 73 00000001", "05 01 74 00000001"]) {
      assert.isTrue(Result.isFailure(decode(hex(other))), other)
    }
  })

  it("refuses the description of other data", () => {
    const result = decodeFields([{ name: "a", type: "uint32", size: 4 }], hex("000000"))
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.code, "description-wrong")
    assert.include(result.failure.expected, `4 bytes of "d"`)
  })

  it("leaves a field alone whose inside does not agree with it", () => {
    const struct = { fields: [{ name: "x", type: "uint8", size: 1 }] }
    const named = { fields: [], subsections: [{ vmsd_name: "s", fields: [] }] }
    assert.deepStrictEqual(valueOf({ type: "struct", size: 2, struct }, hex("0102")), hex("0102"))
    assert.deepStrictEqual(valueOf({ type: "QTAILQ", size: 3, ...struct }, hex("010200")), hex("010200"))
    assert.deepStrictEqual(valueOf({ type: "struct", size: 7, struct: named }, new Uint8Array(7)), new Uint8Array(7))
  })

  it("is not overwhelmed by fields that have no size", () => {
    const empty = { type: "buffer", size: 0, array_len: Number.MAX_SAFE_INTEGER }
    assert.deepStrictEqual(valueOf(empty, new Uint8Array(0)), [new Uint8Array(0)])
    const fields = Array.from({ length: 10_000 }, (_, i): Field => ({ name: `z${i}`, type: "buffer", size: 0 }))
    const struct = { fields: [...fields, { name: "one", type: "uint8", size: 1 }] }
    const value = valueOf({ type: "struct", size: 1, array_len: 50_000, struct }, new Uint8Array(50_000))
    assert(Array.isArray(value))
    assert.strictEqual(value.length, 50_000)
    assert.isTrue(DeviceTree.isStruct(value[0]))
    assert.isAtMost(value.filter((element) => DeviceTree.isStruct(element)).length, MAX_NODES / 10_000)
  })

  it("keeps an array of too many elements in one piece", () => {
    const data = new Uint8Array(MAX_NODES + 1)
    assert.deepStrictEqual(valueOf({ type: "unknown", size: 1, array_len: data.length }, data), [data])
    const half = { type: "unknown", size: 1, array_len: MAX_NODES / 2 }
    const fields = ["a", "b", "c"].map((name) => ({ ...half, name }))
    const halves = Result.getOrThrow(decodeFields(fields, new Uint8Array(1.5 * MAX_NODES)))
    const lengths = halves.fields.map(({ value }) => (Array.isArray(value) ? value.length : value))
    assert.deepStrictEqual(lengths, [MAX_NODES / 2, 1, 1])
    const numbers = valueOf({ type: "int8", size: 1, array_len: data.length }, data)
    assert(Array.isArray(numbers))
    assert.strictEqual(numbers.length, data.length)
  })

  it.prop("reads what was written", { sample: DeviceTrees.sample(2) }, ({ sample }) => {
    const { struct, tree } = sample
    const data = DeviceTrees.encodeTree(tree)
    const device = { ...struct, name: "d", instance_id: 0 }
    const decoded = DeviceState.decode({ name: "d", instanceId: 0, version: 3, sectionId: 1, data }, device)
    assert.deepStrictEqual(DeviceTrees.withoutOffsets(Result.getOrThrow(decoded)), DeviceTrees.withoutOffsets(tree))
  })

  it.prop(
    "is total",
    { fields: Arbitrary.schema(Schema.Array(Schema.suspend(() => anyField))), data: Bytes.bytes(64) },
    ({ data, fields }) => {
      decodeFields(fields, data)
      return true
    }
  )

  it.prop("is total with descriptions that nearly fit", { mutation: Bytes.mutation }, ({ mutation }) => {
    for (const fixture of fixtures) {
      const { description, jsonStart } = describedIn(fixture)
      const mutated = Description.decode(Bytes.mutate(fixture.bytes.subarray(jsonStart), mutation))
      const devices = Result.isSuccess(mutated) ? mutated.success.devices : description.devices
      const split = DeviceState.split(stateOf(fixture), { devices }, { footers: fixture.footers })
      split.sections.forEach((section, i) => {
        if (devices[i] !== undefined) DeviceState.decode(section, devices[i])
      })
    }
    return true
  })
})

/** Fields with small numbers, so that they may well add up to a few bytes. */
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
const types = Schema.Literals(["uint8", "uint32", "bool", "nullptr", "buffer", "struct", "tmp"])
const anyField: Schema.Codec<Field> = Schema.Struct({
  name: Schema.Literals(["a", "b"]),
  type: types,
  size: small,
  array_len: Schema.optionalKey(small),
  index: Schema.optionalKey(small),
  fields: Schema.optionalKey(Schema.Array(Schema.suspend((): Schema.Codec<Field> => anyField)))
})
