import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Image from "../../src/image/Image.ts"
import type * as Location from "../../src/image/Location.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Memory from "../support/memory.ts"
import { between } from "../support/arbitraries.ts"
import { itDisk } from "../support/worlds/it.ts"

const { convert, restore, save } = Migration.make

const blocksOfOnePageSize = Arbitrary.map(
  Arbitrary.all([RamArbitraries.blocks({ maxPages: 80 }), RamArbitraries.pageSize]),
  ([blocks, pageSize]) => blocks.map((block) => ({ ...block, pageSize }))
)

const shape = {
  blocks: blocksOfOnePageSize,
  channels: between(1, 9),
  queueDepth: between(1, 5),
  batchSize: between(1024, 200_000),
  coalescePages: between(0, 6),
  seed: between(1, 1000),
  offset: Arbitrary.schema(Schema.Literals([0, 1, 4096, 12_345]))
}

const bytesOf = (filled: ReadonlyArray<Memory.Filled>) => filled.map(({ bytes }) => bytes)
const blocksOf = (filled: ReadonlyArray<Memory.Filled>): ReadonlyArray<RamBlock.RamBlock> =>
  filled.map(({ block }) => block)

/** Restores all blocks of an image over stale memory. */
const restored = Effect.fnUntraced(function* (
  location: string | Location.Location,
  like: ReadonlyArray<Memory.Filled>,
  options: Migration.TransferOptions
) {
  const image = yield* Image.open(location)
  const targets = yield* Effect.forEach(like, Memory.stale)
  const summary = yield* restore({ ...options, source: image, blocks: blocksOf(targets) })
  return { image, summary, bytes: bytesOf(targets) }
}, Effect.scoped)

describe("save and restore", () => {
  it.effect.prop(
    "gives back the same bytes, whatever the blocks, channels, queue and batches",
    shape,
    ({ blocks, offset, seed, ...options }) =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make({ seed })
        yield* Effect.gen(function* () {
          const sources = yield* Effect.forEach(blocks, Memory.filled)
          if (offset > 0) disk.write("/vm.img", new Uint8Array(offset + 3).fill(0x5a))
          const target = { path: "/vm.img", offset }
          const saved = yield* save({ ...options, target, blocks: blocksOf(sources) })
          const { bytes, image, summary } = yield* restored(target, sources, options)

          assert.deepStrictEqual(bytes, bytesOf(sources))
          for (const [index, { block, bytes }] of sources.entries()) {
            const { pagesPresent, reader } = image.blocks[index]!
            const expected = Memory.presentPages(bytes, block.pageSize)
            assert.strictEqual(pagesPresent, expected.length)
            assert.isTrue(expected.every((page) => reader.present.has(page)))
          }
          assert.deepStrictEqual(image.findings, [])
          assert.strictEqual(saved.normalPages, summary.normalPages)
          assert.strictEqual(saved.zeroPages, summary.zeroPages)
          assert.strictEqual(
            saved.pages,
            blocks.reduce((sum, { pages }) => sum + pages, 0)
          )
          assert.deepStrictEqual(disk.read("/vm.img")!.subarray(0, offset), new Uint8Array(offset).fill(0x5a))
        }).pipe(Effect.provide(disk.layer))
        assert.deepStrictEqual(disk.files(), ["/vm.img"])
        assert.deepStrictEqual(disk.openFiles(), [])
      }),
    { arbitrary: { runs: 60 } }
  )

  itDisk("leaves holes where pages are zero", function* (disk) {
    const block = yield* Memory.filled({ idstr: "a", pageSize: 4096, pages: 4096, pattern: "half", seed: 3 })
    yield* save({ target: "/vm.img", blocks: [block.block] })
    const { blocks, size } = disk.stat("/vm.img")!
    assert.isAbove(size, 4096 * 4096)
    assert.isBelow(blocks * 512, 2048 * 4096 + 64 * 1024)
  })

  itDisk("restores the blocks that are asked for and leaves the others alone", function* () {
    const sources = [yield* Memory.small("a"), yield* Memory.small("b")]
    yield* save({ target: "/vm.img", blocks: blocksOf(sources) })
    const { bytes } = yield* restored("/vm.img", sources.slice(1), {})
    assert.deepStrictEqual(bytes, [sources[1]!.bytes])
  })

  itDisk("replaces an older image as a whole, keeping its permissions", function* (disk) {
    disk.write("/vm.img", new Uint8Array(100_000_000).fill(1), { mode: 0o640 })
    const source = yield* Memory.small()
    yield* save({ target: "/vm.img", blocks: [source.block] })
    const { bytes } = yield* restored("/vm.img", [source], {})
    assert.deepStrictEqual(bytes, [source.bytes])
    assert.strictEqual(disk.stat("/vm.img")!.mode & 0o777, 0o640)
    assert.isBelow(disk.stat("/vm.img")!.size, 2_000_000)
  })

  it.effect("survives a power cut right after it succeeded", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const source = yield* Memory.small()
      yield* Effect.provide(save({ target: "/vm.img", blocks: [source.block] }), disk.layer)
      const { bytes } = yield* Effect.provide(restored("/vm.img", [source], {}), disk.powerCut().layer)
      assert.deepStrictEqual(bytes, [source.bytes])
    })
  )

  itDisk("writes a device in place", function* (disk) {
    disk.device("/dev/sdb", 4 * 1024 * 1024)
    const source = yield* Memory.small()
    yield* save({ target: "/dev/sdb", blocks: [source.block] })
    const { bytes } = yield* restored("/dev/sdb", [source], {})
    assert.deepStrictEqual(bytes, [source.bytes])
  })
})

describe("requests that do not fit", () => {
  const refused = Effect.fnUntraced(function* (self: Effect.Effect<unknown, Migration.MigrationError, never>) {
    const disk = MemoryDisk.make()
    const error = yield* Effect.flip(Effect.provide(self, disk.layer))
    assert.deepStrictEqual(disk.files(), [])
    return error
  })

  it.effect("no block at all is refused", () =>
    Effect.gen(function* () {
      const error = yield* refused(save({ target: "/vm.img", blocks: [] }))
      assert.strictEqual(error.message, "cannot save: there is no RAM block; name at least one")
    })
  )

  it.effect("two blocks of one name and two page sizes: both are said", () =>
    Effect.gen(function* () {
      const one = yield* Memory.small()
      const other = yield* Memory.filled({ idstr: "pc.ram", pageSize: 1024, pages: 4, pattern: "zero", seed: 1 })
      const error = yield* refused(save({ target: "/vm.img", blocks: [one.block, other.block] }))
      assert.strictEqual(error._tag, "MigrationRequestError")
      assert.match(error.message, /two blocks are called "pc.ram"; .* Also: .* of 1024; use one page size/)
    })
  )

  it.effect("a block without a name is refused", () =>
    Effect.gen(function* () {
      const { block } = yield* Memory.small()
      const error = yield* refused(save({ target: "/vm.img", blocks: [{ ...block, idstr: "" }] }))
      assert.strictEqual(error._tag, "RamBlockError")
    })
  )

  it.effect("too many channels are refused", () =>
    Effect.gen(function* () {
      const { block } = yield* Memory.small()
      const error = yield* refused(save({ target: "/vm.img", blocks: [block], channels: 256 }))
      assert.strictEqual(error._tag, "PipelineOptionsError")
    })
  )

  it.effect("blocks that the image does not have, or of another length: memory is not touched", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const error = yield* Effect.gen(function* () {
        const source = yield* Memory.small()
        yield* save({ target: "/vm.img", blocks: [source.block] })
        const image = yield* Image.open("/vm.img")
        const fits = yield* Memory.stale(source)
        const short = yield* Memory.filled({ idstr: "pc.ram", pageSize: 1024, pages: 4, pattern: "zero", seed: 1 })
        const strange = yield* Memory.small("other")
        const error = yield* Effect.flip(
          restore({
            source: image,
            blocks: [fits.block, short.block, strange.block] as ReadonlyArray<RamBlock.RamBlock>
          })
        )
        assert.isTrue(fits.bytes.every((byte) => byte === 0xa5))
        return error
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert(error._tag === "MigrationRequestError")
      assert.strictEqual(error.problems.length, 4)
    })
  )
})

describe("convert", () => {
  it.effect.prop(
    "keeps every page and everything that is not RAM",
    { blocks: blocksOfOnePageSize, seed: between(1, 1000), channels: between(1, 5) },
    ({ blocks, channels, seed }) =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make({ seed })
        yield* Effect.gen(function* () {
          const sources = yield* Effect.forEach(blocks, Memory.filled)
          const machineState = yield* MachineState.fromSections({
            machine: "emulator-1",
            pageSize: blocks[0]!.pageSize,
            sections: [{ name: "cpu", instanceId: 3, version: 2, data: new Uint8Array(77).fill(9) }]
          })
          yield* save({ target: "/a.img", blocks: blocksOf(sources), machineState })
          yield* convert({ source: yield* Image.open("/a.img"), target: "/b.img", channels })
          const { bytes, image } = yield* restored("/b.img", sources, {})
          assert.deepStrictEqual(bytes, bytesOf(sources))
          assert.deepStrictEqual(disk.read("/b.img"), disk.read("/a.img"))
          assert.deepStrictEqual(
            image.deviceSections.map(({ data, instanceId, name, version }) => ({
              data: [...data],
              instanceId,
              name,
              version
            })),
            [{ name: "cpu", instanceId: 3, version: 2, data: Array.from({ length: 77 }, () => 9) }]
          )
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
      }),
    { arbitrary: { runs: 20 } }
  )

  itDisk("of a file onto itself leaves it as it was", function* (disk) {
    const source = yield* Memory.small()
    yield* save({ target: "/a.img", blocks: [source.block] })
    const before = disk.read("/a.img")
    yield* convert({ source: yield* Image.open("/a.img"), target: "/a.img" })
    assert.deepStrictEqual(disk.read("/a.img"), before)
    assert.deepStrictEqual(disk.files(), ["/a.img"])
  })

  itDisk("in place over its own source is refused, and the source is as it was", function* (disk) {
    const source = yield* Memory.small()
    disk.write("/a.img", new Uint8Array(512))
    yield* save({ target: { path: "/a.img", offset: 512 }, blocks: [source.block] })
    const before = disk.read("/a.img")
    const image = yield* Image.open({ path: "/a.img", offset: 512 })
    const error = yield* Effect.flip(convert({ source: image, target: { path: "/a.img", offset: 4096 } }))
    assert.strictEqual(error._tag, "MigrationRequestError")
    assert.deepStrictEqual(disk.read("/a.img"), before)
  })

  itDisk("onto the device that it is read from is refused", function* (disk) {
    disk.device("/dev/sdb", 4 * 1024 * 1024)
    const source = yield* Memory.small()
    yield* save({ target: "/dev/sdb", blocks: [source.block] })
    const before = disk.read("/dev/sdb")
    const error = yield* Effect.flip(convert({ source: yield* Image.open("/dev/sdb"), target: "/dev/sdb" }))
    assert.strictEqual(error._tag, "MigrationRequestError")
    assert.deepStrictEqual(disk.read("/dev/sdb"), before)
  })
})

describe("an image that is replaced while it is open", () => {
  itDisk("is not mixed with the new one", function* () {
    const source = yield* Memory.small()
    yield* save({ target: "/a.img", blocks: [source.block] })
    const image = yield* Image.open("/a.img")
    yield* save({ target: "/a.img", blocks: [source.block] })
    const target = yield* Memory.stale(source)
    const error = yield* Effect.flip(restore({ source: image, blocks: [target.block] }))
    assert.strictEqual(error._tag, "FileReplacedError")
    assert.isTrue(target.bytes.every((byte) => byte === 0xa5))
  })
})
