import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { interruptedText, outcomeOf, summaryLine } from "../../../src/cli/internal/outcome.ts"
import type { Summary } from "../../../src/migration/Migration.ts"
import * as PositionalFile from "../../../src/io/files/PositionalFile.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"

const summary: Summary & { readonly downtimeMillis?: number } = {
  bytesTotal: 2 ** 30,
  pages: 262144,
  normalPages: 262000,
  zeroPages: 144,
  bytesTransferred: 262000 * 4096,
  phaseMillis: { setup: 10, ram: 900, device: 40, sync: 50 }
}

/** A file of 64 KiB and a device. */
const disk = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* PositionalFile.open("/vm.img", { access: "read-write", create: "exclusive" })
      yield* file.write(0, new Uint8Array(65536).fill(7))
    })
  ).pipe(Effect.provide(disk.layer))
  return disk
})

describe("outcome", () => {
  it.effect("the last line names file, pages, time, rate, size on disk and downtime", () =>
    Effect.gen(function* () {
      const { layer } = yield* disk
      const said = (downtimeMillis: number | undefined, isWritten: boolean) => {
        const all = downtimeMillis === undefined ? summary : { ...summary, downtimeMillis }
        return Effect.map(outcomeOf(all, { image: { path: "/vm.img" }, isWritten }), summaryLine)
      }
      const moved = "/vm.img: 1.00 GiB (262144 pages, 144 zero) in 1.00 s, 1.00 GiB/s"
      assert.strictEqual(yield* Effect.provide(said(12.4, true), layer), `${moved}, 64.0 KiB on disk, downtime 12 ms`)
      const panicked: Summary & { readonly runState: string } = { ...summary, runState: "guest-panicked" }
      const stopped = yield* outcomeOf(panicked, { image: { path: "/vm.img" } })
      assert.strictEqual(summaryLine(stopped), `${moved}, the guest is guest-panicked`)
      assert.strictEqual(yield* Effect.provide(said(undefined, false), layer), moved)
    })
  )

  it.effect("an interruption leaves a file as it was, and costs what is written in place", () =>
    Effect.gen(function* () {
      const { layer } = yield* disk
      const left = (image: { readonly path: string; readonly offset?: number }, left?: string) =>
        Effect.provide(interruptedText({ image, isWritten: true, left }), layer)
      assert.strictEqual(yield* left({ path: "/vm.img" }), "nothing was written")
      const kept = interruptedText({ image: { path: "/vm.img" }, isWritten: true, keepPartial: true })
      assert.strictEqual(yield* Effect.provide(kept, layer), "/vm.img was not written")
      assert.strictEqual(yield* left({ path: "/new.img", offset: 0 }), "nothing was written")
      const complete = interruptedText({ image: { path: "/vm.img" }, isWritten: true, left: "the guest runs" }, true)
      assert.strictEqual(yield* Effect.provide(complete, layer), "the guest runs, /vm.img is complete")
      const inPlace = "/vm.img holds no image, its old content may be lost"
      assert.strictEqual(yield* left({ path: "/vm.img", offset: 0 }), inPlace)
      assert.strictEqual(yield* left({ path: "/vm.img", offset: 0 }, "the guest runs"), `the guest runs, ${inPlace}`)
    })
  )
})
