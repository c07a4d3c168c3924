import { assert, describe, it } from "@effect/vitest"
import * as StreamTrailer from "../../../src/format/image/StreamTrailer.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Images from "../../support/images/images.ts"
import * as SparseFile from "../../support/images/sparseFile.ts"

const { concat, hex } = Bytes

const FROM = 1000
const sections = concat(
  Images.section(0, "timer", new Uint8Array(12)),
  Images.section(0x28, "vga", hex("7e00000028 05"))
)
const described = Images.description({ timer: 12, vga: 6 })

const parse = (state: Uint8Array, options: { readonly footers?: boolean; readonly behind?: number } = {}) => {
  const { behind = 0, footers = true } = options
  const file = SparseFile.make([{ position: FROM, bytes: state }])
  return SparseFile.run(StreamTrailer.parse({ from: FROM, to: FROM + state.length - behind, footers }), file)
}

const codesOf = (tail: StreamTrailer.StreamTrailer) => tail.findings.map(({ code }) => code)

describe("the tail of a stream", () => {
  it("ends behind its description", () => {
    const tail = parse(concat(sections, hex("00"), described, Bytes.text("anything")))
    assert.deepStrictEqual(codesOf(tail), [])
    assert.deepStrictEqual(tail.deviceState, { position: FROM, length: sections.length })
    assert.deepStrictEqual(tail.description, { position: FROM + sections.length + 6, length: described.length - 5 })
    assert.strictEqual(tail.end, FROM + sections.length + 1 + described.length)
    assert.deepStrictEqual(
      tail.described?.devices.map(({ name }) => name),
      ["timer", "vga"]
    )
  })

  it("may have a description that does not fit", () => {
    const tail = parse(concat(sections, hex("00"), Images.description({ timer: 12, vga: 7 })))
    assert.deepStrictEqual(codesOf(tail), ["description-wrong"])
    assert.deepStrictEqual(tail.deviceState, { position: FROM, length: sections.length })
  })

  it("may have a description behind sections that cannot be read", () => {
    for (const broken of ["04 00000000 ff 61", "04 00000000 05 74696d6572 00000000"]) {
      const tail = parse(concat(hex(broken), hex("00"), Images.description({ timer: 12 })))
      assert.deepStrictEqual(codesOf(tail), ["description-wrong"])
    }
  })

  it("may have a description that cannot be read", () => {
    const tail = parse(concat(sections, hex("00 06 00000007"), Bytes.text(`{"a":1}`)))
    assert.deepStrictEqual(codesOf(tail), ["description-unreadable"])
    assert.strictEqual(tail.deviceState.length, sections.length)
    assert.strictEqual(tail.description.length, 0)
  })

  it("may end with the device state, with anything behind it", () => {
    for (const behind of ["", "00 00 00", "ff", "7e 00000028 00"]) {
      const tail = parse(concat(sections, hex(`00 ${behind}`)))
      assert.deepStrictEqual(codesOf(tail), ["description-missing"])
      assert.deepStrictEqual(tail.deviceState, { position: FROM, length: sections.length })
      assert.strictEqual(tail.end, FROM + sections.length + 1)
    }
  })

  it("may have no device section", () => {
    assert.deepStrictEqual(parse(hex("00")).deviceState, { position: FROM, length: 0 })
  })

  it("may lose its description", () => {
    const whole = concat(sections, hex("00"), described)
    for (let length = sections.length + 2; length < whole.length; length++) {
      const tail = parse(whole.subarray(0, length))
      assert.deepStrictEqual(codesOf(tail), ["description-cut"], `cut to ${length}`)
      assert.deepStrictEqual(tail.deviceState, { position: FROM, length: sections.length })
      assert.strictEqual(tail.description.length, 0)
    }
  })

  it("must not lose anything else", () => {
    for (let length = 0; length <= sections.length; length++) {
      const tail = parse(sections.subarray(0, length))
      assert.deepStrictEqual(codesOf(tail), ["device-state-cut"], `cut to ${length}`)
      assert.strictEqual(tail.end, FROM + length)
    }
    const foundAt = (length: number) => parse(sections.subarray(0, length)).findings[0]?.found
    assert.strictEqual(foundAt(sections.length), "the end of the file")
    assert.strictEqual(foundAt(sections.length - 1), 'the end of the file inside section "vga"')
  })

  it("names the section in which it is cut", () => {
    const [finding] = parse(sections.subarray(0, -3)).findings
    assert.include(finding!.message, `inside section "vga"`)
  })

  it("must consist of sections", () => {
    assert.deepStrictEqual(codesOf(parse(hex("05 00"))), ["section-unexpected"])
    assert.deepStrictEqual(codesOf(parse(hex("04 00000001 02 c328 00000000 00000001 7e 00000001 00"))), [
      "section-unexpected"
    ])
  })

  it("is looked for in its range only", () => {
    const whole = concat(sections, hex("00"), described)
    assert.deepStrictEqual(codesOf(parse(whole, { behind: described.length })), ["description-missing"])
    assert.deepStrictEqual(codesOf(parse(whole, { behind: described.length + 1 })), ["device-state-cut"])
  })

  it("goes by the last byte where there are neither footers nor a description", () => {
    const bare = sections.subarray(0, 30)
    const tail = parse(concat(bare, hex("00")), { footers: false })
    assert.deepStrictEqual(codesOf(tail), ["description-missing"])
    assert.deepStrictEqual(tail.deviceState, { position: FROM, length: 30 })
    assert.deepStrictEqual(codesOf(parse(hex("04"), { footers: false })), ["device-state-cut"])
    assert.deepStrictEqual(codesOf(parse(hex(""), { footers: false })), ["device-state-cut"])
  })

  it("finds a footer wherever the border of a demand lies", () => {
    for (let more = -8; more <= 8; more++) {
      const large = Images.section(7, "large", new Uint8Array(1024 * 1024 - 17 + more).fill(0x7e))
      const tail = parse(concat(large, hex("00")))
      assert.deepStrictEqual(codesOf(tail), ["description-missing"])
      assert.strictEqual(tail.deviceState.length, large.length)
    }
  })

  it.prop(
    "is read in bounded steps, whatever is changed",
    { mutation: Bytes.mutation, length: between(0, 400), footers: between(0, 1) },
    ({ footers, length, mutation }) => {
      const whole = concat(sections, hex("00"), described)
      const tail = parse(Bytes.mutate(whole, mutation).subarray(0, length), { footers: footers === 1 })
      assert.isAtMost(tail.deviceState.position + tail.deviceState.length, tail.end)
    }
  )
})
