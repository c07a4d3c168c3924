/**
 * Guests of random shapes: a real QEMU saves one, it is restored and written anew here, and a real QEMU loads that. One number
 * decides a shape; `QEMU_SHAPES=1 QEMU_SHAPES_FIRST=n` tries shape n again.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Migration from "../../src/migration/Migration.ts"
import { randomFrom } from "../support/faults/mutation.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024
const COUNT = Number(process.env["QEMU_SHAPES"] ?? 3000)
const FIRST = Number(process.env["QEMU_SHAPES_FIRST"] ?? 0)

/** Shapes until everything is compiled and every buffer as large as it gets; what is there then is what may stay. */
const WARM_UP = 20
const MAX_GROWTH = 16 * MIB

interface Shape {
  readonly recipe: Fixtures.Recipe
  /** Of what is done here. */
  readonly options: Migration.TransferOptions
  /** Of the QEMU that loads: 0 without multifd. */
  readonly channels: number
}

const patterns = ["random", "half-zero", "alternating", "zero", "text", "mixed"] as const

const shapeOf = (seed: number): Shape => {
  // Neighbouring numbers begin alike.
  const random = randomFrom(Math.imul(seed + 1, 0x9e3779b1) >>> 0)
  const upTo = (most: number) => random(most + 1)
  const pick = <A>(all: ReadonlyArray<A>): A => all[upTo(all.length - 1)]!
  const offset = pick([undefined, undefined, 4 * MIB, 1 + upTo(100_000)])
  return {
    recipe: {
      machine: pick(["pc", "q35", "pc-i440fx-8.0"]),
      ram: { pattern: pick(patterns), size: (1 + upTo(31)) * MIB },
      dimm: pick([undefined, { pattern: pick(patterns), size: 8 * (1 + upTo(2)) * MIB }]),
      channels: upTo(8),
      directIo: offset === undefined && random(4) === 0,
      offset
    },
    options: {
      channels: 1 + upTo(8),
      queueDepth: 1 + upTo(15),
      batchSize: 2 ** (16 + upTo(6)),
      coalescePages: pick([0, 1, 4, 64])
    },
    channels: upTo(8)
  }
}

const goesRound = ({ channels, options, recipe }: Shape) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const original = yield* saved(recipe)
    const { dimm, path, ram } = original
    const source = { path, offset: recipe.offset }
    const memory = yield* Library.restoreToMemory(source, Guest.MAIN_BLOCK, ram.size, options)
    assert.isTrue(Fs.readFileSync(ram.file).equals(memory), "restored")

    const converted = fresh("file")
    yield* Library.convert(source, converted, options)
    const twin = yield* Fixtures.loadLike(original, { path: converted, channels })
    assert.strictEqual(twin.loaded.status, "completed", twin.loaded.reason)
    assert.strictEqual(Files.firstDifference(ram.file, twin.ram), undefined)
    if (dimm !== undefined) assert.strictEqual(Files.firstDifference(dimm.file, twin.dimm), undefined)
  }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Fixtures.layer, Migration.layer)))

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** Bytes that something still refers to: what is resident depends on when garbage was last collected. */
const retained = (): number => {
  collectGarbage()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

const descriptors = (): number => Fs.readdirSync("/proc/self/fd").length

describeQemu("shapes of guests", () => {
  it.live(`${COUNT} of them go round, and nothing grows`, () =>
    Effect.gen(function* () {
      let before = { descriptors: 0, retained: 0 }
      for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
        const shape = shapeOf(seed)
        yield* Effect.onError(goesRound(shape), () => Effect.logError(`shape ${seed}: ${JSON.stringify(shape)}`))
        if (seed === FIRST + WARM_UP) before = { descriptors: descriptors(), retained: retained() }
      }
      if (COUNT <= WARM_UP) return
      assert.isAtMost(descriptors(), before.descriptors)
      assert.isAtMost(retained() - before.retained, MAX_GROWTH)
    })
  )
})
