import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import * as PageDigests from "../../../src/format/seal/PageDigests.ts"
import { Extents } from "../../../src/format/seal/SealedExtents.ts"

const Int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Pages are written, become zero, are recorded while they are still on their way, and the digests asked for meanwhile. */
const Steps = Schema.Array(
  Schema.Union([
    Schema.Struct({ kind: Schema.Literal("write"), first: Int(0, 69), count: Int(1, 40), byte: Int(0, 255) }),
    Schema.Struct({ kind: Schema.Literal("arrive"), first: Int(0, 69), count: Int(1, 40) }),
    Schema.Struct({ kind: Schema.Literal("zero"), first: Int(0, 69), count: Int(1, 40) }),
    Schema.Struct({ kind: Schema.Literal("ask") }),
    Schema.Struct({ kind: Schema.Literal("advance") })
  ])
)

const PAGES = 70

describe("the digests of pages", () => {
  for (const [pageSize, extentSize] of [
    [4096, 64 * 1024],
    [64 * 1024, 64 * 1024],
    [1024, 64 * 1024]
  ] as const) {
    it.prop(
      `of ${pageSize} bytes are those of what is present, whenever they are asked for`,
      [Steps],
      ([steps]) => {
        const shape = { idstr: "pc.ram", usedLength: PAGES * pageSize, pageSize }
        const bitmap = PageBitmap.make(PAGES)
        const digests = PageDigests.make({ shape, bitmap, algorithm: "crc32", extentSize })
        const memory = new Uint8Array(shape.usedLength)
        const recorded = new Set<number>()
        const expected = () => {
          const extents = new Extents({
            algorithm: "crc32",
            idstr: "pc.ram",
            pagesPerExtent: extentSize / pageSize,
            bitmap
          })
          return Buffer.concat(
            Array.from({ length: extents.count }, (_, index) =>
              extents.digestOf(index, memory.subarray(index * extentSize, (index + 1) * extentSize), pageSize)
            )
          )
        }
        for (const step of steps) {
          if (step.kind === "ask") {
            assert.strictEqual(Buffer.compare(digests.extents(), expected()), 0)
            continue
          }
          if (step.kind === "advance") {
            digests.advance(1)
            continue
          }
          const count = Math.min(step.count, PAGES - step.first)
          const to = step.first + count
          if (step.kind === "zero") bitmap.clearRange(step.first, count)
          if (step.kind === "arrive") {
            for (let page = step.first; page < to; page++) if (recorded.has(page)) bitmap.setRange(page, 1)
          }
          if (step.kind === "write") {
            const data = memory.subarray(step.first * pageSize, to * pageSize).fill(step.byte)
            digests.record(step.first, data, [0, count])
            for (let page = step.first; page < to; page++) recorded.add(page)
          }
        }
        assert.strictEqual(Buffer.compare(digests.extents(), expected()), 0)
      },
      { arbitrary: { runs: 60 } }
    )
  }

  it("of many extents cost only what has changed, and are all there", () => {
    const pages = 300_000
    const shape = { idstr: "pc.ram", usedLength: pages * 1024, pageSize: 1024 }
    const bitmap = PageBitmap.make(pages)
    const digests = PageDigests.make({ shape, bitmap, algorithm: "crc32", extentSize: 64 * 1024 })
    const page = new Uint8Array(1024).fill(1)
    for (const at of [0, 65, 140_000, pages - 1]) {
      digests.record(at, page, [0, 1])
      assert.strictEqual(digests.extents()[Math.floor(at / 64) * 4], 0)
      bitmap.setRange(at, 1)
    }
    const all = digests.extents()
    const present = Array.from({ length: all.length / 4 }, (_, index) => index).filter((index) =>
      all.subarray(4 * index, 4 * index + 4).some((byte) => byte !== 0)
    )
    assert.deepStrictEqual(
      present,
      [0, 65, 140_000, pages - 1].map((at) => Math.floor(at / 64))
    )
  })
})
