/** One migration of a scenario, from a sender with its disk to a receiver with another one. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../../src/image/Image.ts"
import * as MachineState from "../../../src/snapshot/MachineState.ts"
import * as BlocksTarget from "../../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import type * as MigrationStatus from "../../../src/migration/MigrationStatus.ts"
import * as Progress from "../../../src/migration/Progress.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as FaultyNetwork from "../../../src/testing/FaultyNetwork.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import type * as Simulation from "../../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import * as Memory from "../memory.ts"
import * as Writers from "../guests/writers.ts"
import type { Chance } from "./chance.ts"
import * as Codecs from "./codecs.ts"
import * as Plans from "./plans.ts"
import type { Scenario, Side } from "./scenario.ts"

const { receive, save, send } = Migration.make

export const SOURCE = "/source.img"
export const TARGET = "/vm.img"
/** No image. */
export const OLD = new Uint8Array(5000).fill(0x11)
const at = SocketAddress.tcp("10.0.0.1", 4444)

/** Far above what a lively peer takes, and far below what a test would wait for. */
const limits = { handshakeTimeout: "1 second", idleTimeout: "2 seconds" } as const

/** Whoever waits for a sender that does not come would wait for ever: this long is enough to see whether it does. */
const GRACE = "4 seconds"

/** Both timeouts, and what may be read meanwhile where every call takes a tenth of a second. */
const PATIENCE = "1 minute"

export const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(3000).fill(0x77) }]

const machineState = Effect.orDie(MachineState.fromSections({ machine: "pc-q35-10.0", sections }))

export interface Places {
  readonly world: Simulation.World
  readonly chance: Chance
  readonly scenario: Scenario
  readonly senderDisk: MemoryDisk.MemoryDisk
  readonly receiverDisk: MemoryDisk.MemoryDisk
  /** What may lie on the receiver's disk in the end. */
  readonly known: ReadonlySet<string>
}

export type Ended = Exit.Exit<unknown, unknown>

export interface Result {
  readonly sent: Ended
  readonly received: Ended
  /** What their progress says in the end. */
  readonly statuses: Record<Side, MigrationStatus.Status>
  /** What should be there, by block: the memory, or what it was when the writers were stopped. */
  readonly expected: () => ReadonlyArray<Uint8Array>
  /** What is in the blocks that were to be received into. */
  readonly found: ReadonlyArray<Uint8Array>
  /** Whether writers write that are there. */
  readonly isRunning: boolean
  /** The receiver's disk as the power cut left it. */
  readonly afterCrash: MemoryDisk.MemoryDisk | undefined
  readonly network: VirtualNetwork.VirtualNetwork
  /** Whether some connection lived long enough to say what it is. */
  readonly hasMet: boolean
  /** What is still open on either side. */
  readonly open: ReadonlyArray<string>
}

export const targetOf = ({ target }: Scenario): Migration.WriteOptions["target"] =>
  target === "in place" ? { path: TARGET, offset: 0 } : TARGET

/** The calls of one side, with everything that is to happen to them. */
const sideOf = (
  { chance, scenario, world }: Places,
  { disk, inner, side }: { disk: MemoryDisk.MemoryDisk; inner: VirtualNetwork.VirtualNetwork; side: Side }
) => {
  const { later } = world
  const files = FaultyFiles.make(Plans.calls(scenario, chance, { side, of: "file" }), disk.calls, { later })
  const network = FaultyNetwork.make(Plans.calls(scenario, chance, { side, of: "socket" }), inner.calls, { later })
  const within = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(Effect.provide(files.layer), Effect.provide(network.layer), Codecs.provide(later))
  return { files, within }
}

/** What is sent, and what it is expected to be at the other end. */
const sourceOf = Effect.fnUntraced(function* ({ scenario, senderDisk }: Places) {
  if (scenario.source === "live") {
    const machine = yield* Effect.provide(Writers.make({ ...scenario.live, blocks: scenario.blocks }), senderDisk.layer)
    const { downtimeLimit, leave, maxRounds } = scenario.live
    const live = { ...machine, downtimeLimit, leave, maxRounds }
    return {
      shapes: machine.blocks,
      source: Effect.map(machineState, (state) => ({ blocks: machine.blocks, machineState: state, live })),
      expected: machine.atPause,
      isRunning: machine.isRunning
    }
  }
  const filled = yield* Effect.forEach(scenario.blocks, Memory.filled)
  const still = { shapes: filled.map(({ block }) => block), expected: () => filled.map(({ bytes }) => bytes) }
  const blocks = still.shapes
  const isRunning = () => true
  if (scenario.source === "memory") {
    return { ...still, isRunning, source: Effect.map(machineState, (state) => ({ blocks, machineState: state })) }
  }
  const saving = save({ target: SOURCE, blocks, machineState: yield* machineState })
  yield* Effect.orDie(Effect.provide(saving, senderDisk.layer))
  return { ...still, isRunning, source: Image.open(SOURCE) }
})

/** A destination that nobody has told what it is goes on waiting for somebody. */
const hasMet = (network: VirtualNetwork.VirtualNetwork): boolean =>
  network.links().some(({ fromConnector }) => fromConnector >= 4)

/** Where one side crashes, it is told of nothing more, and its disk keeps what it had synced, and some of the rest. */
const crashing = (
  { receiverDisk, scenario: { trouble }, world }: Places,
  fibers: Record<Side, Fiber.Fiber<unknown, unknown>>
) => {
  let afterCrash: MemoryDisk.MemoryDisk | undefined
  if (trouble._tag === "Crash") {
    world.atStep(world.steps() + trouble.step, () => {
      const fiber = fibers[trouble.side]
      if (fiber.pollUnsafe() !== undefined) return
      if (trouble.side === "receiver") afterCrash = receiverDisk.powerCut(...MemoryDisk.anyLoss(world.random))
      fiber.interruptUnsafe()
    })
  }
  return () => afterCrash
}

/** Runs both sides until both have ended. Fails where one of them does not. */
export const run = Effect.fnUntraced(function* (places: Places) {
  const { receiverDisk, scenario, senderDisk, world } = places
  const { channels, compression } = scenario
  const network = yield* VirtualNetwork.make({
    seed: world.seed,
    later: world.later,
    capacity: scenario.capacity,
    plan: Plans.connections(scenario)
  })
  const near = sideOf(places, { disk: senderDisk, inner: network, side: "sender" })
  const far = sideOf(places, { disk: receiverDisk, inner: network, side: "receiver" })
  const { expected, isRunning, shapes, source } = yield* sourceOf(places)
  const stale = yield* Effect.forEach(shapes, (block) => Memory.stale({ block }))
  const listening = yield* Deferred.make<void>()
  const progress = { sender: yield* Progress.make, receiver: yield* Progress.makeDestination }
  const common = {
    progress: progress.receiver,
    listen: at,
    channels,
    compression,
    limits,
    pageSize: shapes[0]!.pageSize,
    onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined)),
    coalescePages: scenario.coalescePages
  }
  const receiving: Effect.Effect<unknown, unknown> =
    scenario.sink === "image"
      ? receive({ ...common, target: targetOf(scenario), directIo: scenario.directIo })
      : receive({ ...common, target: BlocksTarget.make(stale.map(({ block }) => block)) })
  const { batchSize, marks, maxBandwidth, queueDepth, returnPath, zeroPageDetection } = scenario
  const options = { batchSize, marks, maxBandwidth, queueDepth, returnPath, zeroPageDetection }
  const sending = Effect.gen(function* () {
    return yield* send({
      ...options,
      progress: progress.sender,
      to: at,
      channels,
      compression,
      limits,
      source: yield* source
    })
  }).pipe(Effect.scoped)

  const receiver = yield* Effect.forkChild(far.within(receiving))
  yield* Effect.raceFirst(Deferred.await(listening), Fiber.await(receiver))
  const sender = yield* Effect.forkChild(near.within(sending))
  const afterCrash = crashing(places, { sender, receiver })
  const sent: Ended = yield* Fiber.await(sender).pipe(Effect.timeout(PATIENCE), Effect.orDie)
  const met = hasMet(network)
  // Whoever waits for a sender waits for ever.
  if (!met) yield* Effect.andThen(Effect.sleep(GRACE), Fiber.interrupt(receiver))
  const received: Ended = yield* Fiber.await(receiver).pipe(Effect.timeout(PATIENCE), Effect.orDie)
  // The network may tell of a connection that nobody listens for any more.
  yield* Effect.sleep("1 second")
  return {
    sent,
    received,
    statuses: {
      sender: yield* progress.sender.status.current,
      receiver: yield* progress.receiver.status.current
    },
    expected,
    found: stale.map(({ bytes }) => bytes),
    isRunning: isRunning(),
    afterCrash: afterCrash(),
    network,
    hasMet: met,
    open: [...near.files.openFiles(), ...far.files.openFiles(), ...receiverDisk.openFiles()]
  } satisfies Result
})

/** Whether an end is what was asked for from outside. */
export const isInterrupted = (exit: Ended): boolean => Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
