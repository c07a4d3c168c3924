import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as ObjectSplitter from "../../../src/qemu/internal/objectSplitter.ts"
import { allocated } from "../../support/bytes.ts"

const LIMIT = 4096
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What a splitter makes of bytes that come in pieces of the given size. */
const split = (bytes: Uint8Array, piece: number, limit = LIMIT) => {
  const splitter = ObjectSplitter.make(limit)
  const objects: Array<string> = []
  const buffer = new Uint8Array(piece)
  for (let at = 0; at < bytes.length; at += piece) {
    buffer.set(bytes.subarray(at, at + piece))
    const problem = splitter.push(buffer.subarray(0, Math.min(piece, bytes.length - at)), (object) =>
      objects.push(new TextDecoder().decode(object))
    )
    buffer.fill(0x7d)
    if (problem !== undefined) return { objects, problem }
  }
  return { objects, problem: undefined }
}

describe("objectSplitter", () => {
  it("cuts at brackets, not at lines, and never in a string", () => {
    const text = '{"a":1}\r\n{\n "b": [ {} ]\n}{"c":"}\\"{"}  '
    for (const piece of [1, 2, 7, 100]) {
      assert.deepStrictEqual(split(encode(text), piece), {
        objects: ['{"a":1}', '{\n "b": [ {} ]\n}', '{"c":"}\\"{"}'],
        problem: undefined
      })
    }
  })

  it("gives what is complete before it finds something else", () => {
    const { objects, problem } = split(encode(`{"a":1} QEMU is not here, ${"and ".repeat(50)}`), 300)
    assert.deepStrictEqual(objects, ['{"a":1}'])
    assert.strictEqual(problem?.expected, "a JSON object")
    assert.match(problem?.found ?? "", /^"QEMU is not here, and .{1,50}"$/)
  })

  for (const [name, bytes, found] of [
    ["the human monitor", encode("QEMU 10.0.2 monitor - type 'help' for more information\r\n(qemu) "), "human monitor"],
    ["telnet", Uint8Array.of(0xff, 0xfb, 1, 0xff, 0xfb, 3), "telnet"]
  ] as const) {
    it(`${name} is recognised, and the way out is named`, () => {
      const { problem } = split(bytes, 100)
      assert.strictEqual(problem?.expected, "a QMP monitor")
      assert.include(problem?.found, found)
      assert.include(problem?.found, "-qmp unix:PATH,server=on,wait=off")
    })
  }

  it("keeps no more than the limit of an object, in however many pieces it comes", () => {
    const text = `{"a":"${"x".repeat(100)}"}`
    for (const piece of [1, 50, 1000]) {
      assert.lengthOf(split(encode(text), piece, text.length).objects, 1)
      const { objects, problem } = split(encode(text), piece, text.length - 1)
      assert.lengthOf(objects, 0)
      assert.strictEqual(problem?.expected, `a message of at most ${text.length - 1} bytes`)
    }
  })

  it("keeps no more than what has arrived, however small the pieces", () => {
    const text = encode(`{"a":"${"x".repeat(512 * 1024)}"}`)
    const before = allocated()
    const { objects } = split(text, 1, text.length)
    assert.lengthOf(objects, 1)
    assert.isBelow(allocated() - before, 64 * 1024 * 1024)
  })

  it("the limit is one of each object", () => {
    assert.lengthOf(split(encode('{"a":1}'.repeat(100)), 10, 10).objects, 100)
  })

  it("refuses brackets that are deeper than any message's", () => {
    const nested = (depth: number) => encode(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`)
    assert.lengthOf(split(nested(1024), 64, 100_000).objects, 1)
    assert.strictEqual(split(nested(1025), 64, 100_000).problem?.found, "more")
  })

  const Bytes = Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))))
  const Json = Arbitrary.schema(Schema.Array(Schema.Record(Schema.String, Schema.Json)))

  it.prop("any bytes, in any pieces: objects or a problem, the same ones", { bytes: Bytes }, ({ bytes }) => {
    const prefixed = Uint8Array.from([...encode('{"a":"'), ...bytes])
    for (const input of [Uint8Array.from(bytes), prefixed]) {
      const whole = split(input, 10_000)
      const pieces = split(input, 1)
      assert.deepStrictEqual(pieces.objects, whole.objects)
      assert.strictEqual(pieces.problem?.expected, whole.problem?.expected)
    }
  })

  it.prop("whatever is written comes out as it went in", { objects: Json }, ({ objects }) => {
    const texts = objects.map((object, index) => JSON.stringify(object, null, index % 3))
    assert.deepStrictEqual(split(encode(texts.join("\r\n")), 5, 1_000_000).objects, texts)
  })
})
