import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as RamBlock from "../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const good: RamBlock.Shape = { idstr: "pc.ram", usedLength: 8192, pageSize: 4096 }

const refuses = (name: string, change: Partial<RamBlock.Shape>, property: RamBlock.RamBlockError["property"]) =>
  it.effect(`refuses ${name}`, () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(RamBlock.validate({ ...good, ...change }))
      assert.instanceOf(error, RamBlock.RamBlockError)
      assert.strictEqual(error.property, property)
      assert.strictEqual(error[Runtime.errorExitCode], 2)
    })
  )

describe("RamBlock", () => {
  it.effect.prop("accepts what can be carried", { block: RamArbitraries.block() }, ({ block }) =>
    Effect.gen(function* () {
      const shape = { ...block, usedLength: block.pages * block.pageSize }
      assert.strictEqual(yield* RamBlock.validate(shape), shape)
      assert.strictEqual(RamBlock.pageCount(shape), block.pages)
    })
  )

  it.effect("accepts names and pages up to their limits, and blocks of terabytes", () =>
    Effect.gen(function* () {
      yield* RamBlock.validate({ ...good, idstr: "ü".repeat(127) })
      yield* RamBlock.validate({ ...good, idstr: "x".repeat(255) })
      yield* RamBlock.validate({ ...good, usedLength: 2 ** 20, pageSize: 2 ** 20 })
      yield* RamBlock.validate({ ...good, usedLength: 2 ** 53 - 4096 })
      assert.strictEqual(RamBlock.pageCount({ ...good, usedLength: 2 ** 50 }), 2 ** 38)
    })
  )

  refuses("a block without a name", { idstr: "" }, "idstr")
  refuses("a name of 256 bytes", { idstr: "ü".repeat(128) }, "idstr")
  refuses("half a surrogate pair", { idstr: "ram\ud800" }, "idstr")
  refuses("a NUL in the name", { idstr: "pc\0ram" }, "idstr")
  refuses("a page of 0 bytes", { pageSize: 0 }, "pageSize")
  refuses("a page below 1 KiB", { pageSize: 512 }, "pageSize")
  refuses("a page above 1 MiB", { pageSize: 2 ** 21, usedLength: 2 ** 21 }, "pageSize")
  refuses("a page that is no power of two", { pageSize: 6144, usedLength: 12288 }, "pageSize")
  refuses("a page that is no number", { pageSize: Number.NaN }, "pageSize")
  refuses("a name that is none", { idstr: undefined as never }, "idstr")
  refuses("a number for a name", { idstr: 5 as never }, "idstr")
  refuses("text for a page", { pageSize: "4096" as never }, "pageSize")
  refuses("a page of another kind of number", { pageSize: 4096n as never }, "pageSize")
  refuses("text for a length", { usedLength: "8192" as never }, "usedLength")
  refuses("a length of another kind of number", { usedLength: 8192n as never }, "usedLength")
  refuses("an empty block", { usedLength: 0 }, "usedLength")
  refuses("a negative length", { usedLength: -4096 }, "usedLength")
  refuses("part of a page", { usedLength: 8191 }, "usedLength")
  refuses("a length that numbers do not hold exactly", { usedLength: 2 ** 53 }, "usedLength")

  it.effect.each([undefined, null, 5, "pc.ram"])("refuses a value that is no block: %o", (value) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(RamBlock.validate(value as unknown as RamBlock.Shape))
      assert.deepStrictEqual([error.property, error.found], ["idstr", `${value} instead`])
    })
  )

  it.effect("says what was expected and found, and of which block", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(RamBlock.validate({ ...good, usedLength: 5000 }))
      assert.strictEqual(
        error.message,
        'RAM block "pc.ram": usedLength must be a positive multiple of the 4096 bytes of a page, found 5000 bytes'
      )
    })
  )
})
