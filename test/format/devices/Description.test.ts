import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Parser from "../../../src/format/Parser.ts"
import * as Description from "../../../src/format/devices/Description.ts"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import { nextCandidate, Window } from "../../../src/format/devices/internal/descriptionSearch.ts"
import { MAX_SECTIONS } from "../../../src/format/devices/internal/sectionWalk.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as Bytes from "../../support/bytes.ts"
import { describedIn, fixtures } from "../../support/images/deviceFixtures.ts"

const { concat, hex, text } = Bytes
const MIB = 1024 * 1024

const codeOf = (json: Uint8Array): string => {
  const decoded = Description.decode(json, 77)
  if (Result.isSuccess(decoded)) return "no finding"
  assert.strictEqual(decoded.failure.offset, 77)
  return decoded.failure.code
}

/** End of stream and description. */
const ending = (json: Uint8Array, announced = json.length): Uint8Array =>
  concat(hex("00"), MigrationStream.encodeDescriptionHeader(announced), json)

const section = { name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(40).fill(9) }
const state = DeviceState.encode([section])
const json = Description.describe([section])

/** Runs `locate`, and counts what the driver is asked for. */
const search = (bytes: Uint8Array, from = 0, to = bytes.length) => {
  const parser = Description.locate({ from, to })
  let demands = 0
  let asked = 0
  let reasonable = true
  let step = parser.next()
  while (step.done !== true) {
    const { length, position } = step.value
    reasonable &&= length >= 1 && length <= Parser.MAX_READ_BYTES && position >= from && position <= to
    demands++
    asked += Math.max(0, Math.min(length, bytes.length - position))
    step = parser.next(bytes.subarray(position, position + length))
  }
  assert.isTrue(reasonable)
  return { located: step.value, demands, asked }
}

const locate = (bytes: Uint8Array, from = 0, to = bytes.length) => search(bytes, from, to).located

const found = (located: Description.Located) => {
  assert(located._tag === "Found")
  const { description: _, ...place } = located
  return place
}

describe("decode", () => {
  it("reads what QEMU writes, all of it", () => {
    for (const fixture of fixtures) {
      const { description, jsonLength, jsonStart } = describedIn(fixture)
      const text = Buffer.from(fixture.bytes.subarray(jsonStart, jsonStart + jsonLength)).toString()
      assert.deepStrictEqual(description, JSON.parse(text))
      assert.strictEqual(description.page_size, 4096)
    }
  })

  it("refuses what is not a description", () => {
    const none = ["", "{", "{}", "[]", "null", "7", `{"devices":{}}`, `{"devices":[{}]}`, `{"devices":[1]}`]
    for (const json of none) assert.strictEqual(codeOf(text(json)), "description-unreadable", json)
    assert.strictEqual(codeOf(hex("7b ff 7d")), "description-unreadable")
    assert.strictEqual(codeOf(concat(hex("efbbbf"), json)), "description-unreadable")
  })

  it("says in a finding of bounded length what is wrong", () => {
    const name = "n".repeat(10_000)
    const decoded = Description.decode(text(`{"devices":[{"name":"${name}","instance_id":"${name}","fields":[]}]}`))
    assert(Result.isFailure(decoded))
    assert.include(decoded.failure.found, `["devices"][0]["instance_id"]`)
    assert.isAtMost(decoded.failure.found.length, 200)
  })

  it("bounds the depth before it recurses", () => {
    const nested = (levels: number) => text(`{"devices":[],"x":${"[".repeat(levels)}${"]".repeat(levels)}}`)
    assert.strictEqual(codeOf(nested(Description.MAX_JSON_DEPTH - 1)), "no finding")
    assert.strictEqual(codeOf(nested(Description.MAX_JSON_DEPTH)), "description-unreadable")
    assert.strictEqual(codeOf(nested(1_000_000)), "description-unreadable")
    const structs = `{"name":"f","type":"struct","size":1,"struct":{"fields":[`.repeat(100_000)
    const ends = "]}}".repeat(100_000)
    assert.strictEqual(
      codeOf(text(`{"devices":[{"name":"d","instance_id":0,"fields":[${structs}${ends}]}]}`)),
      "description-unreadable"
    )
  })

  it("bounds the length", () => {
    const long = new Uint8Array(Description.MAX_JSON_BYTES + 1).fill(0x20)
    long.set(json)
    assert.strictEqual(codeOf(long.subarray(0, Description.MAX_JSON_BYTES)), "no finding")
    assert.strictEqual(codeOf(long), "description-unreadable")
  })

  it.prop("never throws at mutated JSON", { mutation: Bytes.mutation }, ({ mutation }) => {
    const { jsonStart } = describedIn(fixtures[2]!)
    const decoded = Description.decode(Bytes.mutate(fixtures[2]!.bytes.subarray(jsonStart), mutation))
    return Result.isSuccess(decoded) || decoded.failure.code === "description-unreadable"
  })
})

describe("encode", () => {
  it.prop("is undone by decode", { value: Arbitrary.schema(Description.Description) }, ({ value }) => {
    assert.deepStrictEqual(
      Description.decode(Description.encode(value)),
      Result.succeed(JSON.parse(JSON.stringify(value)))
    )
  })
})

describe("find", () => {
  const { description } = describedIn(fixtures[1]!)

  it("tells instances apart", () => {
    const [first, second] = [0, 1].map((instance) => Description.find(description, "apic", instance))
    assert.strictEqual(first?.instance_id, 0)
    assert.strictEqual(second?.instance_id, 1)
    assert.isUndefined(Description.find(description, "apic", 2))
    assert.isUndefined(Description.find(description, "apis", 0))
  })

  it("knows the negative instances of old QEMUs", () => {
    const device = { name: "d", instance_id: -1, fields: [] }
    assert.strictEqual(Description.find({ devices: [device] }, "d", 0xffff_ffff), device)
  })
})

describe("locate", () => {
  it("finds the description of a real guest", () => {
    for (const fixture of fixtures) {
      const place = found(locate(fixture.bytes, fixture.stateStart))
      assert.isTrue(place.exact, fixture.name)
      assert.strictEqual(place.jsonStart + place.jsonLength, fixture.bytes.length)
      assert.strictEqual(fixture.bytes[place.eof], 0)
    }
  })

  it("passes over early sections, RAM's empty parts and commands", () => {
    const q35 = fixtures[1]!
    assert.isTrue(found(locate(q35.bytes, 0)).exact)
  })

  it("finds it with anything behind it", () => {
    for (const fixture of fixtures) {
      const plain = locate(fixture.bytes, fixture.stateStart)
      const more = concat(fixture.bytes, hex("000600000002"), text("{}"), new Uint8Array(3 * MIB))
      assert.deepStrictEqual(locate(more, fixture.stateStart), plain)
    }
  })

  it("works for a driver that uses one buffer for everything", () => {
    const decoy = ending(Description.encode({ devices: [] }))
    const section = { name: "cpu", instanceId: 0, version: 1, data: decoy }
    const bytes = concat(DeviceState.encode([section]), ending(Description.describe([section])))
    const buffer = new Uint8Array(Parser.MAX_READ_BYTES)
    const parser = Description.locate({ from: 0, to: bytes.length })
    let step = parser.next()
    while (step.done !== true) {
      const { length, position } = step.value
      const some = bytes.subarray(position, position + length)
      buffer.fill(0xaa).set(some)
      step = parser.next(buffer.subarray(0, some.length))
    }
    assert.deepStrictEqual(step.value, locate(bytes))
    assert.isTrue(found(step.value).exact)
  })

  it("finds it wherever the border of a demand lies", () => {
    for (const size of [MIB - 60, MIB - 100, 2 * MIB - 60]) {
      for (let shift = 0; shift < 40; shift++) {
        const section = { name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(size + shift).fill(0xff) }
        const bytes = concat(DeviceState.encode([section]), ending(Description.describe([section])))
        const { asked, located } = search(bytes)
        assert.isTrue(found(located).exact, `${size} + ${shift}`)
        assert.isAtMost(asked, 2 * bytes.length)
      }
    }
  })

  it("finds it behind a text that goes on for more than a demand before it turns out to be none", () => {
    const filler = new Uint8Array(MIB - 10).fill(0xff)
    const decoy = concat(hex("0006000013887b22"), new Uint8Array(100).fill(0x20))
    const bytes = concat(filler, decoy, ending(json))
    assert.strictEqual(found(locate(bytes)).eof, filler.length + decoy.length)
  })

  it("looks at what follows the brace, wherever the border of a demand lies", () => {
    for (let shift = 0; shift < 10; shift++) {
      const bytes = concat(new Uint8Array(MIB - shift).fill(0xff), hex("0006000000027bff"))
      assert.strictEqual(locate(bytes)._tag, "Missing", `${shift}`)
    }
  })

  it("calls nothing exact that leads elsewhere", () => {
    const part = (record: string) => hex(`02 00000001 ${record} 7e 00000001`)
    const exact = (front: Uint8Array) => found(locate(concat(front, ending(json)))).exact
    assert.isTrue(exact(concat(part("0000000000000010"), state)))
    assert.isFalse(exact(concat(part("0000000000000200"), state)), "a record of RAM")
    assert.isFalse(exact(hex("08 0003")), "a command that reaches into the description")
    assert.isFalse(exact(concat(state, state)), "a section that is not described")
    assert.isFalse(exact(concat(hex("01"), state)), "a section that cannot stand there")
  })

  it("asks for nothing beyond the range, whatever sizes are described", () => {
    const fields = [{ name: "f", type: "buffer", size: 2 ** 40 }]
    const bytes = concat(state, ending(Description.encode({ devices: [{ name: "cpu", instance_id: 0, fields }] })))
    assert.isFalse(found(search(bytes).located).exact)
  })

  it("is not taken in by what only looks like one", () => {
    const decoy = ending(Description.encode({ devices: [] }))
    const section = { name: "cpu", instanceId: 0, version: 1, data: concat(decoy, decoy) }
    const state = DeviceState.encode([section])
    const bytes = concat(state, ending(Description.describe([section])))
    const place = found(locate(bytes))
    assert.isTrue(place.exact)
    assert.strictEqual(place.eof, state.length)
  })

  it("takes one whose sizes are wrong, the last one in the input if there are several", () => {
    const wrong = Description.encode({ devices: [{ name: "cpu", instance_id: 0, fields: [] }] })
    const bytes = concat(state, ending(wrong), hex("ffff"), ending(wrong))
    const place = found(locate(bytes))
    assert.isFalse(place.exact)
    assert.strictEqual(place.jsonStart + place.jsonLength, bytes.length)
    assert.strictEqual(found(locate(concat(bytes, hex("ff")))).eof, state.length)
  })

  it("says that there is none", () => {
    const others = ["", "00", "0006", "000600000000", "0006000000007b", "0006000000027bff", "0006000000027b00"]
    for (const bytes of [state, ...others.map(hex)]) assert.strictEqual(locate(bytes)._tag, "Missing")
    const located = locate(concat(state, hex("00")))
    assert(located._tag === "Missing")
    assert.strictEqual(located.finding.code, "description-missing")
    assert.strictEqual(located.finding.offset, state.length + 1)
  })

  it("finds nothing in a range that ends before it begins", () => {
    const { demands, located } = search(state, 5, 3)
    assert.deepStrictEqual([demands, located._tag], [0, "Missing"])
  })

  it("says that it is cut short, and where", () => {
    const whole = concat(state, ending(json))
    for (let length = state.length + 7; length < whole.length; length++) {
      const located = locate(whole.subarray(0, length))
      assert(located._tag === "CutShort", `${length}`)
      assert.strictEqual(located.eof, state.length)
      assert.strictEqual(located.jsonLength, json.length)
      assert.strictEqual(located.finding.code, "description-cut")
    }
  })

  it("stops at the end of the input, even if the caller thinks that it is longer", () => {
    const bytes = concat(state, ending(json))
    assert.isTrue(found(locate(bytes, 0, bytes.length + 5 * MIB)).exact)
    const { demands, located } = search(state, 0, 2 ** 50)
    assert.strictEqual(located._tag, "Missing")
    assert.strictEqual(demands, 1)
  })

  it("says that it cannot be read", () => {
    for (const text of [`{"devices":7}`, `{"devices":[}`, `{"configuration":{}}`]) {
      const located = locate(concat(state, ending(Bytes.text(text))))
      assert(located._tag === "Unreadable", text)
      assert.strictEqual(located.eof, state.length)
      assert.strictEqual(located.finding.code, "description-unreadable")
      assert.strictEqual(located.finding.offset, state.length + 6)
    }
  })

  it("prefers one that can be read to one that cannot", () => {
    const bytes = concat(ending(text(`{"devices":7}`)), state, ending(json), ending(json, 5000))
    assert.strictEqual(locate(bytes)._tag, "Found")
  })

  it("says that it is too long to be read", () => {
    const long = new Uint8Array(Description.MAX_JSON_BYTES + 1).fill(0x20)
    long.set(json)
    const located = locate(concat(state, ending(long)))
    assert(located._tag === "Unreadable")
    assert.include(located.finding.found, `${long.length} bytes`)
  })

  it("keeps nothing of a text that is too long", () => {
    const bytes = concat(state, ending(json))
    const candidate = (keep: number) => Parser.runSync(nextCandidate(new Window(bytes.length), 0, keep), bytes)
    assert.deepStrictEqual(candidate(json.length)?.text, Buffer.from(json))
    assert.deepInclude(candidate(json.length - 1), { end: bytes.length, text: Buffer.alloc(0) })
  })

  it("is linear whatever the bytes are", () => {
    const patterns = {
      heads: hex("0006000f42407b22"),
      "heads and a brace": hex("0006000f42407b2220207d"),
      "tiny descriptions": ending(text(`{"devices":[]}`)),
      zeros: hex("0000"),
      "long texts": concat(hex("000600ffffff7b22"), new Uint8Array(700_000).fill(0x20)),
      "texts to the end": hex("0006000000087b22202020207d")
    }
    for (const [name, pattern] of Object.entries(patterns)) {
      const bytes = new Uint8Array(4 * MIB)
      for (let at = 0; at < bytes.length; at += pattern.length) bytes.set(pattern.subarray(0, bytes.length - at), at)
      const { asked, demands } = search(bytes)
      assert.isAtMost(asked, 4 * bytes.length, name)
      assert.isAtMost(demands, MAX_SECTIONS + 100, name)
    }
  })

  it("is not kept busy by descriptions that nearly fit", () => {
    const parts = concat(...Array.from({ length: 2000 }, () => hex("02 00000001 0000000000000010 7e 00000001")))
    const many = Array.from({ length: 500 }, () => ending(text(`{"devices":[]}`)))
    const { demands } = search(concat(parts, hex("ff"), ...many))
    assert.isAtMost(demands, 6 * MAX_SECTIONS)
  })

  it.prop("is total", { bytes: Bytes.bytes(200), mutation: Bytes.mutation }, ({ bytes, mutation }) => {
    locate(bytes)
    locate(concat(state, bytes, ending(json)))
    const fixture = fixtures[2]!
    locate(Bytes.mutate(fixture.bytes, mutation), fixture.stateStart)
    return true
  })
})

describe("describe", () => {
  it("describes a section as one buffer, or as its own fields", () => {
    const fields = [{ name: "regs", type: "uint32", size: 4, array_len: 10 }]
    const decoded = Description.decode(Description.describe([section, { ...section, instanceId: 1, fields }]))
    assert.deepStrictEqual(
      decoded,
      Result.succeed({
        devices: [
          {
            name: "cpu",
            instance_id: 0,
            vmsd_name: "cpu",
            version: 1,
            fields: [{ name: "data", type: "buffer", size: 40 }]
          },
          { name: "cpu", instance_id: 1, vmsd_name: "cpu", version: 1, fields }
        ]
      })
    )
  })
})
