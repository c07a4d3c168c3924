/**
 * Tests your own service under faults, without a disk. Every system call of a backup fails once, and each time
 * yesterday's backup is still complete, and nothing is left open.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import { Image, MemoryPages, Migration } from "effect-multifd"
import { FaultyFiles, MemoryDisk } from "effect-multifd/testing"

const BACKUP = "/backups/machine.img"

/** The tested service, which is unaware of tests. */
const backUp = Effect.fnUntraced(function* (memory: Uint8Array) {
  const migration = yield* Migration.Migration
  const ram = yield* MemoryPages.make({ idstr: "ram", memory })
  yield* migration.save({ target: BACKUP, blocks: [ram] })
})

const firstByte = Image.open(BACKUP).pipe(
  Effect.flatMap((image) => image.readPages("ram", 0, 1)),
  Effect.map(([byte]) => byte),
  Effect.scoped
)

const [yesterday, today] = [new Uint8Array(2 ** 20).fill(1), new Uint8Array(2 ** 20).fill(2)]

/** Today's backup, with the call of that number failing: returns the number of calls and the outcome. */
const attempt = Effect.fnUntraced(function* (failing: number) {
  const disk = MemoryDisk.make()
  disk.special("/backups", "directory")
  yield* Effect.provide(backUp(yesterday), disk.layer)

  const files = FaultyFiles.make(FaultyFiles.at(failing, FaultyFiles.Fault.Fail({ code: "EIO" })), disk.calls)
  const exit = yield* Effect.exit(Effect.provide(backUp(today), files.layer))
  const found = yield* Effect.provide(firstByte, disk.layer)

  const whole = found === 1 || found === 2
  if (!whole || disk.openFiles().length > 0) return yield* Effect.die(`call ${failing} does harm`)
  return { calls: files.log().length, failed: Exit.isFailure(exit) }
})

const program = Effect.gen(function* () {
  const { calls } = yield* attempt(-1)
  const attempts = yield* Effect.forEach(
    Array.from({ length: calls }, (_, index) => index),
    attempt
  )
  const failed = attempts.filter((attempt) => attempt.failed).length
  yield* Console.log(`${calls} system calls, each failed once: ${failed} backups failed, none did harm`)
}).pipe(
  Effect.provide(Migration.layer),
  // Failures during cleanup are logged, which is only noise here.
  Effect.provideService(References.MinimumLogLevel, "None")
)

NodeRuntime.runMain(program)
