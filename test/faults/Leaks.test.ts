/**
 * After a thousand migrations that failed, on the real system and in memory, this process holds what it held before.
 *
 * Every one of them has its fault at another call: it fails, once or from there on, or the migration is interrupted there.
 * Descriptors are the kernel's list of them, resources are Node's, and fibers are counted as they begin and end.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Network from "../../src/io/sockets/Network.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as FaultyNetwork from "../../src/testing/FaultyNetwork.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import { turns, whileTimePasses } from "../support/time.ts"
import * as LiveFibers from "../support/faults/liveFibers.ts"
import { machineOf, staleBlocksOf } from "../support/machine.ts"
import { settings } from "../support/settings.ts"
import { start } from "../support/worlds/twoSides.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const { convert, restore, save } = Migration.make
const PAGE = 4096
const PAGES = 12
const SOURCE = "vm.img"
const TARGET = "new.img"
/** What is loaded, compiled, or kept for later at the first few is no leak. */
const FIRST = 50
/** Steps of a hundred turns in which what was closed has to be gone. */
const MAX_STEPS = 5000
const options = { channels: 2, batchSize: 4 * PAGE }

/** A place for migrations, with an image that they begin with. */
interface World {
  readonly folder: string
  readonly files: FileCalls.Calls
  readonly network: Network.Calls
  readonly listen: ReadonlyArray<SocketAddress.SocketAddress>
  /** What is open or lies there, beside that image and the one that was written. */
  readonly left: () => ReadonlyArray<string | number>
}

const isLeft = (name: string): boolean => name !== SOURCE && name !== TARGET

const saveIn = ({ files, folder }: Pick<World, "files" | "folder">) =>
  Effect.flatMap(machineOf(PAGES), (machine) =>
    save({ ...machine, ...options, target: Path.join(folder, SOURCE) })
  ).pipe(Effect.provideService(FileCalls.FileCalls, files))

/** The same folder each time. */
const systemWorld = Effect.gen(function* () {
  const folder = yield* Workspace.directory()
  yield* saveIn({ files: FileCalls.node, folder })
  const world: World = {
    folder,
    files: FileCalls.node,
    network: yield* Network.Network,
    listen: [SocketAddress.tcp("127.0.0.1", 0), SocketAddress.unix(Path.join(folder, "socket"))],
    left: () => Fs.readdirSync(folder).filter(isLeft)
  }
  return Effect.succeed(world)
})

/** A copy of the same disk, and a network of its own. */
const memoryWorld = Effect.gen(function* () {
  const initial = MemoryDisk.make()
  yield* saveIn({ files: initial.calls, folder: "/" })
  return Effect.map(VirtualNetwork.make(), (network): World => {
    const disk = initial.powerCut()
    return {
      folder: "/",
      files: disk.calls,
      network: network.calls,
      listen: [SocketAddress.tcp("10.0.0.1", 4444), SocketAddress.unix("/socket")],
      left: () => [
        ...disk.files().filter((path) => isLeft(Path.basename(path))),
        ...disk.openFiles(),
        ...network.listening(),
        network.openEnds()
      ]
    }
  })
})

/** Fails where both sides, or one of them, do. */
const sendAndReceive = (listen: number, compression: "none" | "zstd") => (world: World, layer: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const route = { source: Path.join(world.folder, SOURCE), target: Path.join(world.folder, TARGET) }
    const both = yield* start(
      { channels: 2, compression },
      { ...route, listen: world.listen[listen]! },
      { sender: layer, receiver: layer }
    )
    const sent = yield* Fiber.await(both.sending)
    // A receiver that nobody has come to waits for ever.
    yield* Effect.timeoutOption(Fiber.await(both.receiving), "1 minute")
    yield* Fiber.interrupt(both.receiving)
    yield* sent
    yield* yield* Fiber.await(both.receiving)
  })

type Operation = (world: World, layer: Layer.Layer<never>) => Effect.Effect<unknown, unknown>

const operations: Record<string, Operation> = {
  save: ({ folder }, layer) =>
    Effect.flatMap(machineOf(PAGES), (machine) =>
      save({ ...machine, ...options, target: Path.join(folder, TARGET) })
    ).pipe(Effect.provide(layer)),
  restore: ({ folder }, layer) =>
    Effect.gen(function* () {
      const blocks = yield* staleBlocksOf(PAGES)
      yield* restore({ ...options, source: yield* Image.open(Path.join(folder, SOURCE)), blocks })
    }).pipe(Effect.scoped, Effect.provide(layer)),
  convert: ({ folder }, layer) =>
    Effect.gen(function* () {
      const source = yield* Image.open(Path.join(folder, SOURCE))
      yield* convert({ ...options, source, target: Path.join(folder, TARGET) })
    }).pipe(Effect.scoped, Effect.provide(layer)),
  "send and receive over TCP": sendAndReceive(0, "none"),
  "send and receive over a Unix socket": sendAndReceive(1, "zstd")
}

/** How a migration ends before its time. */
const ways = ["fails once", "fails for good", "is interrupted"] as const

const EIO = FaultyFiles.Fault.Fail({ code: "EIO" })

/** Time passes for those who wait for each other, but they can follow. */
const pace = { turns: 100, step: "1 second" } as const

/** Runs an operation that ends in that way at that call. */
const run = Effect.fnUntraced(function* (world: World, operation: Operation, at: number, way: (typeof ways)[number]) {
  let calls = 0
  let interrupt = () => {}
  const plan = ({ name }: { readonly name: string }) => {
    const index = calls++
    if (way === "is interrupted" && index === at) interrupt()
    // What cannot be removed stays, and is named in a warning.
    if (way === "is interrupted" || index < at || name === "unlink") return undefined
    return index === at || way === "fails for good" ? EIO : undefined
  }
  const layer = Layer.mergeAll(
    FaultyFiles.make(plan, world.files).layer,
    FaultyNetwork.make(plan, world.network).layer,
    Layer.succeed(References.MinimumLogLevel, "None")
  )
  const running = yield* Effect.forkChild(operation(world, layer))
  interrupt = () => running.interruptUnsafe()
  const exit = yield* whileTimePasses(Fiber.await(running), pace)
  if (Exit.isFailure(exit)) assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
  return { calls, isFailed: Exit.isFailure(exit) }
})

const descriptors = (): ReadonlyArray<string> =>
  Fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [`${fd} ${Fs.readlinkSync(`/proc/self/fd/${fd}`)}`]
    } catch {
      // The list itself was open while it was made.
      return []
    }
  })

describe.skipIf(!Fs.existsSync("/proc/self/fd"))("after migrations that failed", () => {
  it.effect(
    "descriptors, sockets, fibers and files are as before",
    () =>
      Effect.gen(function* () {
        const worlds = [yield* systemWorld, yield* memoryWorld]
        const fibers = LiveFibers.make()
        const held = () => ({
          descriptors: descriptors(),
          resources: process.getActiveResourcesInfo().toSorted(),
          fibers: fibers.count()
        })
        const all = worlds.flatMap((world) => Object.values(operations).map((operation) => ({ world, operation })))
        const lengths = yield* Effect.forEach(all, ({ operation, world }) =>
          Effect.map(
            Effect.flatMap(world, (world) => run(world, operation, Number.POSITIVE_INFINITY, "fails once")),
            ({ calls }) => calls
          )
        )
        let failed = 0
        const fail = Effect.fnUntraced(function* (index: number) {
          const which = index % all.length
          const world = yield* all[which]!.world
          const turn = Math.floor(index / all.length)
          const at = (turn * 7) % lengths[which]!
          const way = ways[turn % ways.length]!
          const { isFailed } = yield* run(world, all[which]!.operation, at, way)
          if (isFailed) failed += 1
          const left = () => world.left().filter((what) => what !== 0)
          yield* settle(() => left().length === 0)
          assert.deepStrictEqual(left(), [], `operation ${which} ${way} at call ${at}`)
        }, Effect.provide(fibers.layer))
        let index = 0
        for (; failed < FIRST; index++) yield* fail(index)
        // An immediate is what somebody will do next, and held by nobody who has come to rest.
        yield* settle(() => fibers.count() === 0 && !process.getActiveResourcesInfo().includes("Immediate"))
        const before = held()
        for (failed = 0; failed < settings.failedMigrations; index++) yield* fail(index)
        yield* settle(() => JSON.stringify(held()) === JSON.stringify(before))
        assert.deepStrictEqual(held(), before)
        assert.strictEqual(before.fibers, 0)
      }).pipe(Effect.scoped),
    0
  )
})

/** What was closed is gone a few turns later. */
const settle = Effect.fnUntraced(function* (isSettled: () => boolean) {
  for (let step = 0; step < MAX_STEPS && !isSettled(); step++) yield* turns(100)
})
