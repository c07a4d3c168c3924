/**
 * Small operations are interrupted in front of every single step that any of their fibers takes. The disk and the network of
 * these worlds answer within 5 ms.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Interruption from "../support/interruption.ts"
import { machineOf, staleBlocksOf } from "../support/machine.ts"

const { convert, receive, restore, save, send } = Migration.make

const TARGET = "/vm.img"
const COPY = "/copy.img"
const PAGES = 3
const OLD = new Uint8Array(5000).fill(0x11)
const small = { channels: 2, batchSize: 2 * 4096 }
const at = SocketAddress.unix("/run/vm.sock")

/** What everything has to be closed within, and the operations that this may take. */
const MAX_MILLIS = 100
const MAX_STEPS = 2000

/** What there is to be interrupted, and everything around it. */
interface Scene {
  readonly disk: MemoryDisk.MemoryDisk
  readonly network: VirtualNetwork.VirtualNetwork
}

interface Play {
  readonly name: string
  /** What is on the disk in the beginning. */
  readonly found: "nothing" | "older image" | "image"
  /** Runs everything, and has one part of it interrupted by `interrupting`. */
  readonly run: <A>(
    scene: Scene,
    interrupting: <B, E>(self: Effect.Effect<B, E>) => Effect.Effect<A>
  ) => Effect.Effect<A, unknown>
  /** The file that is written, if any. */
  readonly written?: string
  /** What it has in common with others is interrupted there, and every so-many-th step here. Default 1. */
  readonly stride?: number
  /** Decides in which order its fibers go on. Default 1. */
  readonly seed?: number
}

const saving = (target: string) => Effect.flatMap(machineOf(PAGES), (machine) => save({ ...machine, ...small, target }))

/** One side of a migration is interrupted, and the other one has to notice. */
const migrating =
  (interrupted: "sender" | "receiver", into: "image" | "blocks"): Play["run"] =>
  ({ network }, interrupting) =>
    Effect.gen(function* () {
      const listening = yield* Deferred.make<void>()
      const stale = yield* staleBlocksOf(PAGES)
      const common = {
        listen: at,
        channels: 1,
        limits: { handshakeTimeout: "1 second", idleTimeout: "1 second" },
        onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
      } as const
      const receiving: Effect.Effect<unknown, unknown> =
        into === "image"
          ? receive({ ...common, target: COPY })
          : receive({ ...common, target: BlocksTarget.make(stale) })
      const machine = yield* machineOf(PAGES)
      const sending = send({ to: at, channels: 1, source: machine, limits: common.limits })
      if (interrupted === "receiver") {
        const sender = yield* Effect.forkChild(Effect.andThen(Deferred.await(listening), sending))
        const result = yield* interrupting(receiving)
        // Nobody has told it that there is somebody to connect to.
        if (!(yield* Deferred.isDone(listening))) yield* Fiber.interrupt(sender)
        yield* Fiber.await(sender)
        return result
      }
      const receiver = yield* Effect.forkChild(receiving)
      yield* Deferred.await(listening)
      const result = yield* interrupting(sending)
      // It waits for somebody who says what it is.
      if (network.links().every(({ fromConnector }) => fromConnector < 4)) yield* Fiber.interrupt(receiver)
      yield* Fiber.await(receiver)
      return result
    })

const plays: ReadonlyArray<Play> = [
  {
    name: "save",
    found: "older image",
    written: TARGET,
    run: (_, interrupting) => interrupting(saving(TARGET))
  },
  {
    name: "restore",
    found: "image",
    written: TARGET,
    run: (_, interrupting) =>
      Effect.gen(function* () {
        const blocks = yield* staleBlocksOf(PAGES)
        return yield* interrupting(
          Effect.scoped(Effect.flatMap(Image.open(TARGET), (image) => restore({ ...small, source: image, blocks })))
        )
      })
  },
  {
    name: "convert",
    found: "image",
    written: COPY,
    run: (_, interrupting) =>
      interrupting(
        Effect.scoped(Effect.flatMap(Image.open(TARGET), (source) => convert({ ...small, source, target: COPY })))
      )
  },
  { name: "send", found: "nothing", run: migrating("sender", "blocks") },
  ...[1, 4].map((seed) => ({
    name: `receive, in order ${seed}`,
    found: "nothing" as const,
    written: COPY,
    run: migrating("receiver", "image"),
    seed
  })),
  { name: "receive into blocks", found: "nothing", run: migrating("receiver", "blocks"), stride: 7 }
]

/** Disks to begin with, which are made once: a disk behind a power cut is one of its own. */
const begin = Effect.gen(function* () {
  const now: { later: Simulation.Later } = { later: (run) => void setImmediate(run) }
  const disk = () => MemoryDisk.make({ later: (run) => now.later(run) })
  const disks = { nothing: disk(), "older image": disk(), image: disk() }
  disks["older image"].write(TARGET, OLD)
  yield* Effect.provide(saving(TARGET), disks.image.layer)
  return (found: keyof typeof disks, later: Simulation.Later): MemoryDisk.MemoryDisk => {
    now.later = later
    return disks[found].powerCut()
  }
}).pipe(Effect.orDie, Effect.cached, Effect.runSync)

/** Interrupts a play in a world of its own. */
const attempt = Effect.fnUntraced(function* (play: Play, step: number) {
  const diskOf = yield* begin
  const outcome = yield* Simulation.run(
    (world) =>
      Effect.gen(function* () {
        const { later } = world
        const disk = diskOf(play.found, later)
        const scene = { disk, network: yield* VirtualNetwork.make({ later }) }
        const result = yield* play
          .run(scene, (self) => Interruption.at(self, step, world.now))
          .pipe(Effect.provide(disk.layer), Effect.provide(scene.network.layer))
        return { ...result, ...scene }
      }),
    { seed: play.seed ?? 1 }
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  assert(outcome.exit !== undefined, `step ${step}: it hangs`)
  assert.deepInclude(outcome, { running: 0, settled: true }, `step ${step}`)
  return yield* outcome.exit
})

describe.each(plays)("$name", (play) => {
  const { stride = 1, written } = play

  it.live(
    "is interrupted at every step: everything is closed at once, and the target is as it was",
    () =>
      Effect.gen(function* () {
        const whole = yield* attempt(play, 0)
        assert.isTrue(Exit.isSuccess(whole.exit))
        const complete = written === undefined ? undefined : whole.disk.read(written)
        const files = whole.disk.files()
        const before = play.found === "older image" ? OLD : undefined
        let interruptions = 0
        for (let step = 1; step <= whole.steps; step += stride) {
          const { disk, exit, farewell, network } = yield* attempt(play, step)
          const place = `at step ${step} of ${whole.steps}`
          assert.isAtMost(farewell.millis, MAX_MILLIS, place)
          assert.isAtMost(farewell.steps, MAX_STEPS, place)
          assert.deepStrictEqual([...disk.openFiles(), ...network.listening()], [], place)
          assert.strictEqual(network.openEnds(), 0, place)
          const litter = disk.files().filter((path) => !files.includes(path))
          assert.deepStrictEqual(litter, [], place)
          if (Exit.isFailure(exit)) {
            assert.isTrue(Cause.hasInterruptsOnly(exit.cause), `${place}: ${Cause.pretty(exit.cause)}`)
            interruptions++
          }
          if (written === undefined || disk.holds(written, complete!)) continue
          assert.isTrue(Exit.isFailure(exit), place)
          if (before === undefined) assert.notInclude(disk.files(), written, place)
          else assert.isTrue(disk.holds(written, before), place)
        }
        assert.isAtLeast(interruptions, 0.98 * Math.floor(whole.steps / stride))
      }),
    { timeout: 0 }
  )
})
