import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { PositionalFile } from "../../../src/io/files/PositionalFile.ts"
import { digestRest } from "../../../src/image/internal/digestRest.ts"

const MIB = 1024 * 1024

/** A file whose end may be nearer than it is asked for. */
const fileOf = (content: Uint8Array): PositionalFile => {
  const readExtents: PositionalFile["readExtents"] = (extents) =>
    Effect.sync(() => {
      for (const { bytes, position } of extents) bytes.set(content.subarray(position, position + bytes.length))
    })
  return { readExtents, size: Effect.succeed(content.length) } as unknown as PositionalFile
}

const numbered = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) + seed) % 251)

describe("digestRest", () => {
  it.effect("of a first piece that is not in the file yet is that of the file when it is there", () =>
    Effect.gen(function* () {
      const there = numbered(4 * MIB, 1)
      const ranges = [
        { position: 100, length: 3 * MIB },
        { position: 3 * MIB + 500, length: 1000 }
      ]
      for (const [position, length] of [
        [100, 200],
        [100, 2 * MIB + 7],
        [100, 3 * MIB],
        [MIB, MIB],
        [50, 100]
      ] as const) {
        const first = { position, bytes: numbered(length, 9) }
        const complete = there.slice()
        complete.set(first.bytes, position)
        const digests: Array<Uint8Array> = []
        const found = yield* digestRest(fileOf(there), ranges, { algorithm: "sha256", first, digests })
        const expected = yield* digestRest(fileOf(complete), ranges, { algorithm: "sha256" })
        assert.deepStrictEqual(found, expected, `${length} at ${position}`)
        assert.isAbove(digests.length, ranges.length)
      }
    })
  )

  it.effect("of a file that ends early is that of zeros", () =>
    Effect.gen(function* () {
      const ranges = [{ position: 0, length: 3000 }]
      const first = { position: 2000, bytes: numbered(500, 3) }
      const complete = new Uint8Array(3000)
      complete.set(numbered(1000, 1))
      complete.set(first.bytes, 2000)
      const found = yield* digestRest(fileOf(numbered(1000, 1)), ranges, { algorithm: "crc32", first })
      assert.deepStrictEqual(found, yield* digestRest(fileOf(complete), ranges, { algorithm: "crc32" }))
    })
  )
})
