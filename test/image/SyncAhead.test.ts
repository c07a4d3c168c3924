import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Calls } from "../../src/io/files/FileCalls.ts"
import { FileCalls } from "../../src/io/files/FileCalls.ts"
import * as FileError from "../../src/io/files/FileError.ts"
import * as SyncAhead from "../../src/image/SyncAhead.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const path = "/image"
const threshold = 100

const calls = (): Calls => {
  const disk = MemoryDisk.make()
  disk.write(path, new Uint8Array(1))
  return disk.calls
}

const syncs = (files: FaultyFiles.FaultyFiles) => files.log().filter((call) => call.name === "fdatasync").length

/** Long enough for a sync that is due to be done. */
const aWhile = Effect.forEach(Array.from({ length: 20 }), () => Effect.promise(() => new Promise(setImmediate)), {
  discard: true
})

it.effect("syncs when enough was written, and only then", () =>
  Effect.gen(function* () {
    const files = FaultyFiles.make(FaultyFiles.none, calls())
    yield* Effect.gen(function* () {
      const ahead = yield* SyncAhead.make({ path, threshold })
      const write = (bytes: number, expected: number) =>
        Effect.gen(function* () {
          ahead.written(bytes)
          yield* aWhile
          assert.strictEqual(syncs(files), expected)
        })
      yield* ahead.during(
        Effect.gen(function* () {
          yield* write(99, 0)
          yield* write(1, 1)
          yield* write(50, 1)
          yield* write(500, 2)
          yield* write(99, 2)
        })
      )
    }).pipe(Effect.scoped, Effect.provide(files.layer))
    assert.strictEqual(syncs(files), 2)
    assert.deepStrictEqual(files.openFiles(), [])
  })
)

it.effect("what goes around a sync goes around each, and its failure is that of a sync", () =>
  Effect.gen(function* () {
    const files = FaultyFiles.make(FaultyFiles.none, calls())
    const seen: Array<string> = []
    const note = (what: string) => Effect.sync(() => void seen.push(`${what} ${syncs(files)}`))
    const broken = new FileError.FileIoError({ operation: "write", path, code: "EIO" })
    const error = yield* Effect.gen(function* () {
      const ahead = yield* SyncAhead.make({
        path,
        threshold,
        around: (sync) =>
          note("before").pipe(
            Effect.andThen(sync),
            Effect.andThen(note("after")),
            Effect.andThen(Effect.suspend(() => (seen.length < 4 ? Effect.void : Effect.fail(broken))))
          )
      })
      const write = Effect.andThen(
        Effect.sync(() => ahead.written(threshold)),
        aWhile
      )
      return yield* Effect.flip(ahead.during(Effect.andThen(write, Effect.andThen(write, Effect.never))))
    }).pipe(Effect.scoped, Effect.provide(files.layer))
    assert.deepStrictEqual(seen, ["before 0", "after 1", "before 1", "after 2"])
    assert.include(error, { _tag: broken._tag, step: "sync ahead" })
  })
)

it.effect("a failed sync is the failure of what runs beside it, and interrupts it", () =>
  Effect.gen(function* () {
    const files = FaultyFiles.make(
      FaultyFiles.when((call) => call.name === "fdatasync", FaultyFiles.Fault.Fail({ code: "ENOSPC" })),
      calls()
    )
    const error = yield* Effect.gen(function* () {
      const ahead = yield* SyncAhead.make({ path, threshold })
      ahead.written(threshold)
      yield* ahead.during(Effect.never)
    }).pipe(Effect.scoped, Effect.provide(files.layer), Effect.flip)
    assert.strictEqual(error._tag, "NoSpaceError")
    assert.strictEqual(error.step, "sync ahead")
    assert.deepStrictEqual(files.openFiles(), [])
  })
)

it.effect("the failure of what runs beside it comes out as it is", () =>
  Effect.gen(function* () {
    const files = FaultyFiles.make(FaultyFiles.none, calls())
    const error = yield* SyncAhead.make({ path, threshold }).pipe(
      Effect.flatMap((ahead) => ahead.during(Effect.fail("beside" as const))),
      Effect.scoped,
      Effect.provide(files.layer),
      Effect.flip
    )
    assert.strictEqual(error, "beside")
    assert.deepStrictEqual(files.openFiles(), [])
  })
)

it.effect("waits for the sync under way", () =>
  Effect.gen(function* () {
    const began = yield* Deferred.make<void>()
    let answer = () => {}
    const disk = calls()
    const fdatasync: Calls["fdatasync"] = (_, done) => {
      answer = () => done(null)
      Deferred.doneUnsafe(began, Effect.void)
    }
    const fiber = yield* SyncAhead.make({ path, threshold }).pipe(
      Effect.flatMap((ahead) => {
        ahead.written(threshold)
        return ahead.during(Deferred.await(began))
      }),
      Effect.scoped,
      Effect.provideService(FileCalls, { ...disk, fdatasync }),
      Effect.forkChild
    )
    yield* Deferred.await(began)
    yield* aWhile
    assert.isUndefined(fiber.pollUnsafe())
    answer()
    yield* Fiber.join(fiber)
  })
)

it.effect("a file that is not there is a typed error", () =>
  Effect.gen(function* () {
    const error = yield* SyncAhead.make({ path: "/nothing" }).pipe(
      Effect.provideService(FileCalls, calls()),
      Effect.scoped,
      Effect.flip
    )
    assert.strictEqual(error._tag, "FileNotFoundError")
  })
)
