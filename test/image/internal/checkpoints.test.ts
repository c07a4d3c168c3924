import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as PartialSeal from "../../../src/format/seal/PartialSeal.ts"
import * as SealMark from "../../../src/format/seal/SealMark.ts"
import * as FileError from "../../../src/io/files/FileError.ts"
import type { PositionalFile } from "../../../src/io/files/PositionalFile.ts"
import * as Checkpoints from "../../../src/image/internal/checkpoints.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"

const MIB = 1024 * 1024
const PAGE = 4096

const shape = { idstr: "m", usedLength: 64 * PAGE, pageSize: PAGE }
const sealOf = { algorithm: "crc32", extentSize: MIB, notes: {} } as const
const length = PartialSeal.byteLength([shape], sealOf)
const head = ImageStream.head({ configuration: undefined, blocks: [shape], room: PartialSeal.room(length) })
const [a, b] = PartialSeal.places(head.blocks, length)!
const markAt = SealMark.position(head.blocks)!

const failure = new FileError.FileIoError({ operation: "sync", path: "/x", code: "EIO" })

/** A file that says in words what is done to it, and the checkpoints of one whose first pages are written one after the other. */
const make = (interval: number, options: { readonly key?: Uint8Array; readonly failsAt?: number } = {}) => {
  const log: Array<string> = []
  const bytesAt = new Map<number, Uint8Array>()
  let calls = 0
  let pages = 0
  const call = (name: string): Effect.Effect<void, FileError.FileError> =>
    Effect.suspend(() => {
      log.push(name)
      return calls++ === options.failsAt ? Effect.fail(failure) : Effect.void
    })
  const names = new Map([
    [a, "seal A"],
    [b, "seal B"],
    [markAt, "mark"]
  ])
  const file = {
    write: (position: number, bytes: Uint8Array) =>
      Effect.suspend(() => {
        bytesAt.set(position, bytes)
        return call(names.get(position) ?? `write at ${position}`)
      }),
    sync: call("sync")
  } as unknown as PositionalFile
  const snapshot = (): PartialSeal.PartialSeal => {
    log.push("snapshot")
    const bitmap = PageBitmap.make(64)
    bitmap.setRange(0, ++pages)
    const { bitmapOffset, pagesOffset } = head.blocks[0]!.header
    const block = { ...shape, bitmapOffset, pagesOffset, digests: new Uint8Array(4).fill(pages) }
    return { seal: { ...sealOf, start: 0, end: head.end, rest: new Uint8Array(4), blocks: [block] }, bitmaps: [bitmap] }
  }
  const checkpoints = Checkpoints.make({ file, blocks: head.blocks, length, interval, key: options.key, snapshot })
  /** What is done at one more sync ahead. */
  const sync = Effect.gen(function* () {
    log.splice(0)
    yield* checkpoints.around(call("sync"))
    return [...log]
  })
  /** How many pages the seal is about that the mark leads to, where that is whole. */
  const known = () => {
    const mark = Result.getOrThrow(SealMark.decode(bytesAt.get(markAt)!, markAt))!
    const bytes = bytesAt.get(mark.seal.position)!
    assert.deepStrictEqual([mark.state, mark.algorithm, mark.seal.length], ["partial", "crc32", length])
    assert.lengthOf(bytes, length)
    assert.deepStrictEqual(mark.digest, SealMark.digestOf(mark, bytes, options.key))
    const { bitmaps, seal } = Result.getOrThrow(PartialSeal.decode(bytes, mark.seal.position))
    const count = bitmaps[0]!.count()
    assert.deepStrictEqual(seal.blocks[0]!.digests, new Uint8Array(4).fill(count))
    return count
  }
  return { ...checkpoints, log, known, sync }
}

describe("checkpoints", () => {
  it("are 64 in a save, but not less than 256 MiB apart", () => {
    assert.strictEqual(Checkpoints.defaultInterval(0), 256 * MIB)
    assert.strictEqual(Checkpoints.defaultInterval(64 * 256 * MIB), 256 * MIB)
    assert.strictEqual(Checkpoints.defaultInterval(64 * 300 * MIB), 300 * MIB)
  })

  it("ask for syncs no further apart than others do, and for two of them at least", () => {
    assert.strictEqual(make(1000 * MIB).threshold, 64 * MIB)
    assert.strictEqual(make(128 * MIB).threshold, 64 * MIB)
    assert.strictEqual(make(127 * MIB).threshold, 63.5 * MIB)
    assert.strictEqual(make(MIB).threshold, MIB / 2)
    assert.strictEqual(make(5).threshold, 3)
  })

  it.effect("are taken down in front of every second sync, written behind it, and led to behind the next", () =>
    Effect.gen(function* () {
      const { isThere, known, sync } = make(128 * MIB, { key: new Uint8Array(32).fill(3) })
      assert.deepStrictEqual(yield* sync, ["sync"])
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal A"])
      assert.isFalse(isThere())
      assert.deepStrictEqual(yield* sync, ["sync", "mark"])
      assert.isTrue(isThere())
      assert.strictEqual(known(), 1)
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal B"])
      assert.strictEqual(known(), 1)
      assert.deepStrictEqual(yield* sync, ["sync", "mark"])
      assert.strictEqual(known(), 2)
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal A"])
      assert.deepStrictEqual(yield* sync, ["sync", "mark"])
      assert.strictEqual(known(), 3)
    })
  )

  it.effect("are as far apart as they are to be", () =>
    Effect.gen(function* () {
      const { sync } = make(5 * 64 * MIB)
      const log: Array<ReadonlyArray<string>> = []
      for (let i = 0; i < 10; i++) log.push(yield* sync)
      const taken = log.flatMap((calls, index) => (calls.includes("snapshot") ? [index + 1] : []))
      const led = log.flatMap((calls, index) => (calls.includes("mark") ? [index + 1] : []))
      assert.deepStrictEqual([taken, led], [[5, 10], [6]])
    })
  )

  it.effect("lead nowhere when the sync fails that was to make them durable", () =>
    Effect.gen(function* () {
      // sync, sync, seal A, sync ✗, sync …
      const { isThere, sync } = make(128 * MIB, { failsAt: 3 })
      yield* sync
      yield* sync
      assert.strictEqual(yield* Effect.flip(sync), failure)
      assert.isFalse(isThere())
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal A"])
      assert.deepStrictEqual(yield* sync, ["sync", "mark"])
      assert.isTrue(isThere())
    })
  )

  it.effect("do not count where the mark cannot be written", () =>
    Effect.gen(function* () {
      const { isThere, sync } = make(128 * MIB, { failsAt: 4 })
      yield* sync
      yield* sync
      assert.strictEqual(yield* Effect.flip(sync), failure)
      assert.isFalse(isThere())
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal A"])
    })
  )

  it.effect("by hand are durable at once, in the place that is free", () =>
    Effect.gen(function* () {
      const { isThere, known, log, sync, take } = make(128 * MIB)
      yield* take
      assert.deepStrictEqual(log, ["snapshot", "sync", "seal A", "sync", "mark", "sync"])
      assert.isTrue(isThere())
      assert.strictEqual(known(), 1)
      log.splice(0)
      yield* take
      assert.deepStrictEqual(log, ["snapshot", "sync", "seal B", "sync", "mark", "sync"])
      assert.strictEqual(known(), 2)
      yield* sync
      assert.deepStrictEqual(yield* sync, ["snapshot", "sync", "seal A"])
    })
  )
})
