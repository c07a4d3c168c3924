import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Xbzrle from "../../../src/format/stream/Xbzrle.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

const { hex } = Bytes

const PAGE = 4096

const decode = (data: Uint8Array, old = new Uint8Array(PAGE)) => {
  const out = new Uint8Array(old.length)
  return Result.map(Xbzrle.decode(old, data, out), () => out)
}

const codeOf = (data: Uint8Array) => {
  const result = decode(data)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

interface Change {
  readonly at: number
  readonly length: number
  readonly value: number
}

/** Some places of a page, and what they become. */
const changes: Arbitrary.Arbitrary<ReadonlyArray<Change>> = Arbitrary.array(
  Arbitrary.all({ at: between(0, PAGE - 1), length: between(1, 200), value: between(0, 255) }),
  { maxLength: 12 }
)

const apply = (page: Uint8Array, list: ReadonlyArray<Change>) => {
  const copy = page.slice()
  for (const { at, length, value } of list) copy.fill(value, at, Math.min(at + length, PAGE))
  return copy
}

describe("the changes of a page", () => {
  const page = new Uint8Array(PAGE)
  page.set([0xaa, 0xbb], 3)
  page[3 + 2 + 0x1010] = 0

  it("are applied", () => {
    const changed = new Uint8Array(2 * PAGE)
    changed.set([0xaa, 0xbb], 3)
    changed[3 + 2 + 0x1010] = 0xcc
    const data = hex("03 02 aabb 9020 01 cc")
    assert.deepStrictEqual(decode(data, new Uint8Array(2 * PAGE)), Result.succeed(changed))
    assert.deepStrictEqual(Xbzrle.encode(new Uint8Array(2 * PAGE), changed), data)
  })

  it("are applied in place", () => {
    const memory = new Uint8Array(PAGE).fill(7)
    assert.isTrue(Result.isSuccess(Xbzrle.decode(memory, hex("00 01 08"), memory)))
    assert.strictEqual(memory[0], 8)
    assert.strictEqual(memory[1], 7)
  })

  it("may be as long, and as far from each other, as two bytes can say, and no more", () => {
    const large = (...list: ReadonlyArray<readonly [at: number, length: number]>) => {
      const page = new Uint8Array(65536)
      for (const [at, length] of list) page.fill(1, at, at + length)
      return page
    }
    const old = new Uint8Array(65536)
    for (const changed of [large([0, 0x3fff]), large([0x3fff, 1]), large([10_000, 1], [20_000, 0x3fff], [50_000, 9])]) {
      assert.deepStrictEqual(decode(Xbzrle.encode(old, changed)!, old), Result.succeed(changed))
    }
    for (const changed of [large([0, 0x4000]), large([0x4000, 1]), large([10, 1], [20_000, 1])]) {
      assert.isUndefined(Xbzrle.encode(old, changed))
    }
    assert.isTrue(Result.isFailure(decode(hex("8180 01 05"), old)))
  })

  it("are none between equal pages", () => {
    assert.deepStrictEqual(Xbzrle.encode(page, page), new Uint8Array(0))
    assert.deepStrictEqual(decode(new Uint8Array(0), page), Result.succeed(page))
  })

  it("reach to the first and the last byte", () => {
    const changed = new Uint8Array(PAGE)
    changed[0] = 1
    changed[PAGE - 1] = 2
    const data = Xbzrle.encode(new Uint8Array(PAGE), changed)
    assert.deepStrictEqual(data, hex("00 01 01 fe1f 01 02"))
    assert.deepStrictEqual(decode(data!), Result.succeed(changed))
  })

  it("are given up where they take more than the page, or than a limit", () => {
    const all = new Uint8Array(PAGE).fill(1)
    assert.isUndefined(Xbzrle.encode(new Uint8Array(PAGE), all))
    assert.isUndefined(Xbzrle.encode(new Uint8Array(PAGE), page, 3))
    assert.deepStrictEqual(Xbzrle.encode(new Uint8Array(PAGE), page, 4), hex("03 02 aabb"))
  })

  it("are given up where a run is longer than can be said", () => {
    const large = new Uint8Array(65536)
    large[20000] = 1
    assert.isUndefined(Xbzrle.encode(new Uint8Array(65536), large))
    large.fill(1, 0, 20000)
    assert.isUndefined(Xbzrle.encode(new Uint8Array(65536), large))
    const longest = new Uint8Array(0x4000)
    longest[0x3fff] = 1
    assert.deepStrictEqual(Xbzrle.encode(new Uint8Array(0x4000), longest), hex("ff7f 01 01"))
  })

  it.effect.prop("come back", { before: changes, after: changes }, ({ after, before }) =>
    Effect.sync(() => {
      const old = apply(new Uint8Array(PAGE), before)
      const changed = apply(old, after)
      const data = Xbzrle.encode(old, changed, 2 * PAGE)
      assert.deepStrictEqual(decode(data!, old), Result.succeed(changed))
    })
  )

  const broken: ReadonlyArray<readonly [string, string]> = [
    ["a length that does not end", "ff"],
    ["a length of three bytes", "8080 01 01"],
    ["a length of changes that does not end", "00 80"],
    ["nothing behind the first length", "03"],
    ["no change", "03 00"],
    ["nothing that stays between two changes", "00 01 01 00 01 02"],
    ["a change that is cut short", "00 02 01"],
    ["a start behind the page", "8120 01 01"],
    ["a change that leaves the page", "ff1f 02 0101"]
  ]
  for (const [title, data] of broken) {
    it(`are refused with ${title}`, () => assert.strictEqual(codeOf(hex(data)), "xbzrle-corrupt"))
  }

  it("are refused at their place, without a byte of the guest", () => {
    const result = Xbzrle.decode(page, hex("ff"), page.slice(), 77)
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.offset, 77)
    assert.strictEqual(result.failure.found, "1 bytes that are something else")
  })

  it.effect.prop("never throw, whatever the bytes", { bytes: Bytes.bytes(200) }, ({ bytes }) =>
    Effect.sync(() => void decode(bytes))
  )
})
