/** The last step of an operation that writes an image decides: there is an image and the operation has succeeded, or neither. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as FileError from "../../src/io/files/FileError.ts"
import * as Image from "../../src/image/Image.ts"
import type * as Location from "../../src/image/Location.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type * as ReceiveOptions from "../../src/migration/ReceiveOptions.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"

const { Fail } = FaultyFiles.Fault
const PAGE = 4096
const memory = Uint8Array.from({ length: 8 * PAGE }, (_, index) => 1 + Math.floor(index / PAGE))
const listen = SocketAddress.tcp("10.0.0.1", 4444)

const targets: ReadonlyArray<readonly [string, Location.Location]> = [
  ["a new file", { path: "/new.img" }],
  ["a file that is replaced", { path: "/old.img" }],
  ["a place in a file", { path: "/old.img", offset: PAGE }],
  ["a device", { path: "/dev/disk" }]
]

const makeDisk = () => {
  const disk = MemoryDisk.make()
  disk.write("/old.img", new Uint8Array(3 * PAGE).fill(0x5a))
  disk.device("/dev/disk", 8 * 1024 * 1024)
  return disk
}

const isImage = (disk: MemoryDisk.MemoryDisk, location: Location.Location) =>
  Image.open(location).pipe(Effect.scoped, Effect.isSuccess, Effect.provide(disk.layer))

const saving = Effect.fnUntraced(function* (target: Location.Location, progress: Progress.Progress) {
  const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
  return yield* Migration.make.save({ target, blocks: [block], channels: 1, progress })
})

const receiving = Effect.fnUntraced(function* (target: Location.Location, progress: Progress.Progress) {
  const network = yield* VirtualNetwork.make()
  return yield* Effect.gen(function* () {
    const listening = yield* Deferred.make<void>()
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(listening), Sender.play(Sender.honest(1), listen)))
    const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
    return yield* Migration.make.receive({ listen, target, channels: 1, progress, onListening })
  }).pipe(Effect.scoped, Effect.provide(network.layer))
})

type Operation = (
  target: Location.Location,
  progress: Progress.Progress
) => Effect.Effect<Migration.Summary, Migration.MigrationError | ReceiveOptions.ReceiveError>

/** Runs an operation under a plan; `interrupt` may be called meanwhile. */
const run = Effect.fnUntraced(function* (
  operation: Operation,
  target: Location.Location,
  planOf: (interrupt: () => void) => FaultyFiles.Plan
) {
  const disk = makeDisk()
  let interrupt = (): void => undefined
  const files = FaultyFiles.make(
    planOf(() => interrupt()),
    disk.calls
  )
  const progress = yield* Progress.make
  const fiber = yield* Effect.forkChild(
    whileTimePasses(operation(target, progress)).pipe(
      Effect.provide(files.layer),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )
  interrupt = () => fiber.interruptUnsafe()
  const exit = yield* Fiber.await(fiber)
  assert.deepStrictEqual(files.openFiles(), [])
  return { disk, exit, log: files.log(), status: yield* progress.status.current }
})

describe.each([
  ["save", saving],
  ["receive", receiving]
] as const)("%s", (_, operation) => {
  it.effect.each(targets)("into %s, interrupted at every call: an image is there, or it was cancelled", ([, target]) =>
    Effect.gen(function* () {
      const { log } = yield* run(operation, target, () => FaultyFiles.none)
      const ends = new Set<string>()
      for (let k = 0; k < log.length; k++) {
        const { disk, status } = yield* run(operation, target, (interrupt) => ({ index }) => {
          if (index === k) interrupt()
          return undefined
        })
        const where = `${log[k]?.name} of ${log[k]?.path}, call ${k}`
        assert.include(["completed", "cancelled"], status, where)
        assert.strictEqual(yield* isImage(disk, target), status === "completed", where)
        ends.add(status)
      }
      assert.deepStrictEqual([...ends].toSorted(), ["cancelled", "completed"])
    })
  )

  it.effect.each(targets)("into %s, any call fails: an image that is there all the same is told", ([, target]) =>
    Effect.gen(function* () {
      const { log } = yield* run(operation, target, () => FaultyFiles.none)
      let unconfirmed = 0
      for (let k = 0; k < log.length; k++) {
        const { disk, exit, status } = yield* run(operation, target, () => FaultyFiles.at(k, Fail({ code: "EIO" })))
        const where = `${log[k]?.name} of ${log[k]?.path}, call ${k}`
        const there = yield* isImage(disk, target)
        if (exit._tag === "Success") {
          assert.strictEqual(status, "completed", where)
          assert.isTrue(there, where)
          continue
        }
        assert.strictEqual(status, "failed", where)
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag === "UnconfirmedError", there, `${where}: ${error.message}`)
        if (error._tag === "UnconfirmedError") {
          unconfirmed++
          assert.include(error.message, `${target.path} is complete, but a power cut may bring back`)
        }
      }
      assert.isAbove(unconfirmed, 0)
    })
  )
})

describe("what is not confirmed", () => {
  it("says of which name, and keeps the place in the migration", () => {
    const cause = Object.assign(new Error("EIO"), { code: "EIO" })
    const error = FileError.unconfirmed("/vm.img")(
      FileError.fromCause({ operation: "sync the directory", path: "/" }, cause)
    )
    const placed = FileError.at(error, { step: "sync" })
    assert.include(placed, { _tag: "UnconfirmedError", file: "/vm.img", code: "EIO", step: "sync" })
    assert.strictEqual(
      placed.message,
      "/: sync the directory (sync) failed with EIO: /vm.img is complete, but a power cut may bring back the old content"
    )
  })
})
