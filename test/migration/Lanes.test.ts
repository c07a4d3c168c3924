/**
 * With lanes and without: the same bytes, counters and errors.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Lanes from "../../src/lanes/Lanes.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as FaultyLanes from "../../src/testing/FaultyLanes.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const { convert, restore, save } = Migration.make

const PAGE = 4096
/** No whole number of batches, pieces or extents. */
const PAGES = 2 * 1024 + 300 + 7
const BATCH = 4 * 1024 * 1024
const IDSTR = "pc.ram"

const folder = Workspace.directory()

/** Random runs, a long stretch of zeros, and alternating pages. */
const contents = (): Buffer => {
  const ram = Buffer.alloc(PAGES * PAGE)
  for (let page = 0; page < PAGES; page++) {
    const isZero = page < 700 ? (page * 7919) % 13 < 6 : page < 1300 || page % 2 === 0
    if (!isZero) ram.fill(1 + (page % 255), page * PAGE + (page % PAGE), (page + 1) * PAGE)
  }
  return ram
}

/** Lanes that only count their calls. */
const counting = () => FaultyLanes.make(() => undefined)

const fromFile = (path: string) => FilePages.make({ idstr: IDSTR, path, access: "read" })
const fromShared = (ram: Buffer) => {
  const memory = new Uint8Array(new SharedArrayBuffer(ram.length))
  memory.set(ram)
  return MemoryPages.make({ idstr: IDSTR, memory })
}

const counted = ({ bytesTotal, normalPages, pages, zeroPages }: Migration.Summary) => ({
  bytesTotal,
  normalPages,
  pages,
  zeroPages
})

const seals: ReadonlyArray<[string, Migration.SaveOptions["seal"]]> = [
  ["no checksums", false],
  ["CRC-32", {}],
  ["SHA-256", { algorithm: "sha256" }]
]

describe.each(seals)("lanes, %s", (_, seal) => {
  for (const store of ["file", "shared memory"] as const)
    it.live(`a save from a ${store} is the same image`, () =>
      Effect.gen(function* () {
        const path = yield* folder
        const ram = contents()
        const file = Path.join(path, "ram")
        Fs.writeFileSync(file, ram)
        const block = store === "file" ? yield* fromFile(file) : yield* fromShared(ram)
        const one = (target: string) =>
          save({ blocks: [block], seal, batchSize: BATCH, target: Path.join(path, target) })
        const lanes = counting()
        const there = yield* Effect.provide(one("lanes"), lanes.layer)
        const here = yield* Effect.provide(one("none"), Lanes.none)
        assert.isNotEmpty(lanes.log().filter(({ name }) => name === "write"))
        assert.strictEqual(
          lanes.log().some(({ name }) => name === "read"),
          store === "file"
        )
        assert.deepStrictEqual(counted(there), counted(here))
        assert.isTrue(Fs.readFileSync(Path.join(path, "lanes")).equals(Fs.readFileSync(Path.join(path, "none"))))
      }).pipe(Effect.scoped)
    )

  for (const isStale of [false, true])
    for (const store of ["file", "shared memory"] as const)
      it.live(`restores into a ${isStale ? "stale" : "fresh"} ${store}`, () =>
        Effect.gen(function* () {
          const path = yield* folder
          const ram = contents()
          const target = Path.join(path, "target")
          const image = Path.join(path, "image")
          yield* save({ blocks: [yield* fromShared(ram)], seal, target: image })
          const stale = Buffer.alloc(ram.length, isStale ? 0x77 : 0)
          if (isStale) Fs.writeFileSync(target, stale)
          const memory = new Uint8Array(new SharedArrayBuffer(ram.length))
          memory.set(stale)
          const block =
            store === "file"
              ? yield* FilePages.make({ idstr: IDSTR, path: target, length: ram.length, access: "read-write" })
              : yield* MemoryPages.make({ idstr: IDSTR, memory, fresh: !isStale })
          const lanes = counting()
          const source = yield* Image.open(image)
          const { normalPages, zeroPages } = yield* Effect.provide(
            restore({ source, blocks: [block], batchSize: BATCH }),
            lanes.layer
          )
          assert.isNotEmpty(lanes.log())
          assert.isTrue((store === "file" ? Fs.readFileSync(target) : Buffer.from(memory)).equals(ram))
          assert.strictEqual(normalPages + zeroPages, PAGES)
        }).pipe(Effect.scoped)
      )

  it.live("converts to the same image", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const source = Path.join(path, "image")
      yield* save({ blocks: [yield* fromShared(contents())], seal, target: source })
      const image = yield* Image.open(source)
      const one = (target: string) =>
        convert({ source: image, seal, batchSize: BATCH, target: Path.join(path, target) })
      const lanes = counting()
      yield* Effect.provide(one("lanes"), lanes.layer)
      yield* Effect.provide(one("none"), Lanes.none)
      assert.isNotEmpty(lanes.log())
      assert.isTrue(Fs.readFileSync(Path.join(path, "lanes")).equals(Fs.readFileSync(Path.join(path, "none"))))
    }).pipe(Effect.scoped)
  )
})

describe("lanes", () => {
  it.live("find the same damage, which goes nowhere", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = Path.join(path, "image")
      yield* save({ blocks: [yield* fromShared(contents())], target: file })
      const clean = yield* Effect.scoped(Effect.map(Image.open(file), ({ blocks }) => blocks[0]!.pagesOffset))
      const fd = Fs.openSync(file, "r+")
      // In a page of alternating ones, and in one of the runs in front.
      for (const page of [1501, 6]) Fs.writeSync(fd, Buffer.from([0x99]), 0, 1, clean + page * PAGE + 4000)
      Fs.closeSync(fd)
      const source = yield* Image.open(file)
      const attempt = (name: string) =>
        Effect.gen(function* () {
          const target = Path.join(path, name)
          const options = { idstr: IDSTR, path: target, length: PAGES * PAGE, access: "read-write" } as const
          const block = yield* FilePages.make(options)
          return yield* Effect.flip(restore({ source, blocks: [block], batchSize: 16 * 1024 * 1024 }))
        }).pipe(Effect.scoped)
      const lanes = counting()
      const there = yield* Effect.provide(attempt("lanes"), lanes.layer)
      const here = yield* Effect.provide(attempt("none"), Lanes.none)
      assert.isNotEmpty(lanes.log())
      assert(there._tag === "IntegrityError" && here._tag === "IntegrityError")
      assert.deepStrictEqual(there.damage, here.damage)
      assert.lengthOf(there.damage, 2)
      const written = Fs.readFileSync(Path.join(path, "lanes"))
      assert.isTrue(written.subarray(1501 * PAGE, 1502 * PAGE).every((byte) => byte === 0))
    }).pipe(Effect.scoped)
  )

  it.live("are left out with a limit, with direct I/O on the way of it, and for small batches", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = Path.join(path, "ram")
      Fs.writeFileSync(file, contents())
      const block = yield* fromFile(file)
      const lanes = counting()
      const target = Path.join(path, "image")
      const one = (options: Partial<Migration.SaveOptions>) =>
        Effect.provide(save({ blocks: [block], target, ...options }), lanes.layer)
      yield* one({ batchSize: BATCH, maxBandwidth: 10 ** 10 })
      yield* one({ batchSize: 1024 * 1024 })
      yield* one({})
      assert.isEmpty(lanes.log())
    }).pipe(Effect.scoped)
  )

  it.live("of the process take a save whose RAM is worth it", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const ram = Buffer.alloc(40 * 1024 * 1024, 5)
      const file = Path.join(path, "ram")
      Fs.writeFileSync(file, ram)
      const target = Path.join(path, "image")
      const lanes = counting()
      yield* Effect.provide(save({ blocks: [yield* fromFile(file)], target }), lanes.layer)
      assert.isNotEmpty(lanes.log())
      yield* save({ blocks: [yield* fromFile(file)], target })
      const back = new Uint8Array(new SharedArrayBuffer(ram.length))
      const block = yield* MemoryPages.make({ idstr: IDSTR, memory: back })
      yield* restore({ source: yield* Image.open(target), blocks: [block] })
      assert.isTrue(Buffer.from(back).equals(ram))
    }).pipe(Effect.scoped)
  )
})
