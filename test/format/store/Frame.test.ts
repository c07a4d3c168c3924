import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import { randomFillSync } from "node:crypto"
import { crc32 } from "node:zlib"
import * as Frame from "../../../src/format/store/Frame.ts"
import { between } from "../../support/arbitraries.ts"
import { bytes } from "../../support/bytes.ts"

const pageSize = 4096
const frameOf = (pages: Uint8Array): readonly [Frame.Frame, Uint8Array] => {
  const { bytes: stored, coding } = Frame.encode(pages)
  const frame = { coding, pageSize, pages: pages.length / pageSize, storedBytes: stored.length, crc: crc32(stored) }
  return [frame, stored]
}
/** Pages of which each is one byte many times, or noise. */
const pagesOf = (fills: ReadonlyArray<number>): Uint8Array => {
  const pages = new Uint8Array(fills.length * pageSize)
  fills.forEach((fill, page) => {
    const place = pages.subarray(page * pageSize, (page + 1) * pageSize)
    if (fill === 255) randomFillSync(place)
    else place.fill(fill)
  })
  return pages
}
const fills = Arbitrary.array(between(0, 255), { minLength: 1, maxLength: 16 })

describe("Frame", () => {
  it.prop("pages come back as they were coded", { fills }, (given) => {
    const pages = pagesOf(given.fills)
    const [frame, stored] = frameOf(pages)
    assert.isTrue(Frame.isIntact(frame, stored))
    assert.deepStrictEqual(Buffer.from(Result.getOrThrow(Frame.decode(frame, stored, 32))), Buffer.from(pages))
  })

  it("pages that zstd does not make smaller are stored as they are", () => {
    const [frame, stored] = frameOf(pagesOf([255, 255, 255]))
    assert.deepStrictEqual([frame.coding, stored.length], ["plain", 3 * pageSize])
    assert.strictEqual(frameOf(pagesOf([1, 2, 3]))[0].coding, "zstd")
  })

  it("a flipped bit, a missing and another byte are seen before anything is decoded", () => {
    const [frame, stored] = frameOf(pagesOf([1, 2, 3]))
    for (let bit = 0; bit < stored.length * 8; bit++) {
      const flipped = stored.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.isFalse(Frame.isIntact(frame, flipped), `bit ${bit}`)
    }
    assert.isFalse(Frame.isIntact(frame, stored.subarray(1)))
  })

  it.prop(
    "any bytes are pages of the right number, or a finding",
    { stored: bytes(200), pages: between(1, 256) },
    (given) => {
      const frame = { coding: "zstd", pageSize, pages: given.pages, storedBytes: given.stored.length, crc: 0 } as const
      const decoded = Frame.decode(frame, given.stored, 0)
      if (Result.isSuccess(decoded)) assert.strictEqual(decoded.success.length, given.pages * pageSize)
      else assert.strictEqual(decoded.failure.code, "store-pack-corrupt")
    }
  )

  it("a frame that decodes to more or fewer pages than it should is a finding", () => {
    const [frame, stored] = frameOf(pagesOf([1, 2, 3]))
    for (const pages of [1, 2, 4, 256]) {
      assert.isTrue(Result.isFailure(Frame.decode({ ...frame, pages }, stored, 0)), `${pages}`)
    }
  })
})
