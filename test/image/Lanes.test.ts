/**
 * Verifying and sealing an image on lanes and without: the same damage, the same seal.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as Lanes from "../../src/lanes/Lanes.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import { Fault } from "../../src/testing/FaultyFiles.ts"
import * as FaultyLanes from "../../src/testing/FaultyLanes.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const { save } = Migration.make

const PAGE = 4096
/** Worth lanes, and no whole number of extents. */
const PAGES = 9 * 1024 + 77

const folder = Workspace.directory()

const makeImage = (path: string, seal: Migration.SaveOptions["seal"]) =>
  Effect.gen(function* () {
    const memory = new Uint8Array(PAGES * PAGE)
    for (let page = 0; page < PAGES; page++)
      if (page % 5 !== 1) memory.fill(1 + (page % 255), page * PAGE, (page + 1) * PAGE)
    yield* save({ blocks: [yield* MemoryPages.make({ idstr: "pc.ram", memory })], seal, target: path })
    return yield* Effect.scoped(Effect.map(Image.open(path), ({ blocks }) => blocks[0]!.pagesOffset))
  })

const counting = () => FaultyLanes.make(() => undefined)

const verifyBoth = (path: string, lanes = counting()) =>
  Effect.gen(function* () {
    const there = yield* Effect.provide(Effect.scoped(Verify.run(path)), lanes.layer)
    const here = yield* Effect.provide(Effect.scoped(Verify.run(path)), Lanes.none)
    assert.isNotEmpty(lanes.log())
    assert.deepStrictEqual(there.damage, here.damage)
    assert.deepStrictEqual(there.error?._tag, here.error?._tag)
    return there
  })

describe("an image on lanes", () => {
  for (const algorithm of ["crc32", "sha256"] as const)
    it.live(`is verified, ${algorithm}`, () =>
      Effect.gen(function* () {
        const path = Path.join(yield* folder, "image")
        const start = yield* makeImage(path, { algorithm })
        assert.isUndefined((yield* verifyBoth(path)).error)
        const fd = Fs.openSync(path, "r+")
        for (const page of [3, 5000, PAGES - 3]) Fs.writeSync(fd, Buffer.of(0), 0, 1, start + page * PAGE + 9)
        Fs.closeSync(fd)
        const { damage } = yield* verifyBoth(path)
        assert.lengthOf(damage, 3)
      }).pipe(Effect.scoped)
    )

  it.live("with a call that fails is read again without", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* folder, "image")
      yield* makeImage(path, {})
      const lanes = FaultyLanes.make(FaultyLanes.at(4, Fault.Fail({ code: "EIO" })))
      assert.isUndefined((yield* verifyBoth(path, lanes)).error)
    }).pipe(Effect.scoped)
  )

  it.live("gets the same seal", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const names = ["lanes", "none"].map((name) => Path.join(path, name))
      yield* makeImage(names[0]!, false)
      Fs.copyFileSync(names[0]!, names[1]!)
      const lanes = counting()
      yield* Effect.provide(Effect.scoped(Seal.run(names[0]!)), lanes.layer)
      yield* Effect.provide(Effect.scoped(Seal.run(names[1]!)), Lanes.none)
      assert.isNotEmpty(lanes.log())
      assert.isTrue(Fs.readFileSync(names[0]!).equals(Fs.readFileSync(names[1]!)))
      assert.isUndefined((yield* verifyBoth(names[0]!)).error)
    }).pipe(Effect.scoped)
  )
})
