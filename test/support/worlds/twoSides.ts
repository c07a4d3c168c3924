/** A migration between two of us, each of whom makes its calls by itself, so that what fails fails on one side. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { Codecs } from "../../../src/compression/Codecs.ts"
import type { Codec } from "../../../src/compression/Compression.ts"
import * as Zstd from "../../../src/compression/Zstd.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../../src/image/Image.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as FaultyNetwork from "../../../src/testing/FaultyNetwork.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import { awaitAll } from "../faults/idleClock.ts"
import { machineOf } from "../machine.ts"
import { settings } from "../settings.ts"

const { receive, save, send } = Migration.make

export const SOURCE = "/vm.img"
export const TARGET = "/new.img"
const PAGE = 4096
const at = SocketAddress.unix("/run/vm.sock")

export interface Shape {
  /** 0: no multifd. */
  readonly channels: number
  readonly compression: "none" | "zstd"
}

export type Side = "sender" | "receiver"
export type Kind = "files" | "sockets"
export type Call = FaultyFiles.Call | FaultyNetwork.Call

/** Says of each call of one side what happens to it. */
export interface Plans {
  readonly side: Side
  readonly files?: FaultyFiles.Plan
  readonly sockets?: FaultyFiles.Plan<FaultyNetwork.Call>
}

/** What both sides are still busy with, beside what they wait for. */
class Activity {
  calls = 0
  compressing = 0

  /** The codec, which works on other threads. */
  readonly codec: Codec = {
    ...Zstd.codec,
    compressor: (options) =>
      Effect.map(Zstd.codec.compressor(options), ({ compress }) => ({
        compress: (runs, pageSize) => this.#during(compress(runs, pageSize))
      })),
    decompressor: Effect.map(Zstd.codec.decompressor, ({ decompress }) => ({
      decompress: (payload, target, pageSize) => this.#during(decompress(payload, target, pageSize))
    }))
  }

  #during<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.compressing += 1
      return Effect.ensuring(
        work,
        Effect.sync(() => void (this.compressing -= 1))
      )
    })
  }

  /** What one side makes its calls through. */
  side(disk: MemoryDisk.MemoryDisk, network: VirtualNetwork.VirtualNetwork, plans: Omit<Plans, "side">) {
    const hit: Array<Call> = []
    const noted =
      <C extends Call>(plan: FaultyFiles.Plan<C> | undefined): FaultyFiles.Plan<C> =>
      (call) => {
        this.calls += 1
        const fault = plan?.(call)
        if (fault !== undefined) hit.push(call)
        return fault
      }
    const files = FaultyFiles.make(noted(plans.files), disk.calls)
    const sockets = FaultyNetwork.make(noted(plans.sockets), network.calls)
    const layer = Layer.mergeAll(
      files.layer,
      sockets.layer,
      Layer.succeed(Codecs, new Map([["zstd", this.codec]])),
      Layer.succeed(References.MinimumLogLevel, "None")
    )
    return { files, sockets, hit, layer }
  }
}

/** A disk with the image that is sent. */
const initial = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  yield* Effect.provide(save({ ...(yield* machineOf(settings.callPages)), target: SOURCE }), disk.layer)
  return disk
}).pipe(Effect.orDie, Effect.cached, Effect.runSync)

/** A connection of which so much has been read has told what it is. */
const HELLO = 4

/** Where a migration comes from, goes to, and passes. */
export interface Route {
  readonly source: string
  readonly target: string
  readonly listen: SocketAddress.SocketAddress
}

/** Begins a migration, with the layers of both sides. */
export const start = Effect.fnUntraced(function* (
  shape: Shape,
  { listen, source, target }: Route,
  layers: Record<Side, Layer.Layer<never>>
) {
  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const listensAt = (address: SocketAddress.SocketAddress) => Effect.asVoid(Deferred.succeed(listening, address))
  const receiving = yield* Effect.forkChild(
    receive({ ...shape, target, listen, onListening: listensAt }).pipe(
      // Who connects then is refused.
      Effect.ensuring(listensAt(listen)),
      Effect.provide(layers.receiver)
    )
  )
  const sending = yield* Effect.forkChild(
    Effect.gen(function* () {
      const to = yield* Deferred.await(listening)
      yield* send({ ...shape, source: yield* Image.open(source), to, batchSize: 4 * PAGE })
    }).pipe(Effect.scoped, Effect.provide(layers.sender))
  )
  return { sending, receiving }
})

/** Migrates an image over a network in memory, whatever becomes of it. */
export const attempt = Effect.fnUntraced(function* (shape: Shape, plans: Plans, place: string) {
  const disk = (yield* initial).powerCut()
  const network = yield* VirtualNetwork.make()
  const activity = new Activity()
  const sender = activity.side(disk, network, plans.side === "sender" ? plans : {})
  const receiver = activity.side(disk, network, plans.side === "receiver" ? plans : {})
  const layers = { sender: sender.layer, receiver: receiver.layer }
  const { receiving, sending } = yield* start(shape, { source: SOURCE, target: TARGET, listen: at }, layers)
  // A receiver waits for its sender for ever, and a connection that has not said what it is is none.
  const isAlone = () =>
    sending.pollUnsafe() !== undefined && network.links().every(({ fromConnector }) => fromConnector < HELLO)
  yield* awaitAll([sending, receiving], {
    activity: () => (activity.compressing > 0 ? undefined : activity.calls),
    place,
    whenIdle: Effect.suspend(() => (isAlone() ? Fiber.interrupt(receiving) : Effect.void))
  })
  const [sent, received] = [yield* Fiber.await(sending), yield* Fiber.await(receiving)]
  return { disk, network, sender, receiver, sent, received }
})

export type Attempt = Effect.Success<ReturnType<typeof attempt>>
