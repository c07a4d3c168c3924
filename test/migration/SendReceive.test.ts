/**
 * Our sender and our receiver, over a network and on a disk in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type { SendOptions } from "../../src/migration/SendOptions.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Memory from "../support/memory.ts"
import { whileTimePasses } from "../support/time.ts"
import { between } from "../support/arbitraries.ts"

const { receive, save, send } = Migration.make
const at = SocketAddress.unix("/run/vm.sock")

type Options = Pick<
  SendOptions,
  "channels" | "compression" | "marks" | "zeroPageDetection" | "batchSize" | "returnPath"
>

/** Both sides of one migration, at once. */
const migrate = ({ channels, compression, ...options }: Options) =>
  Effect.gen(function* () {
    const listening = yield* Deferred.make<void>()
    const receiving = receive({
      target: "/new.img",
      listen: at,
      channels,
      compression,
      onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
    }).pipe(Effect.timeout("1 hour"))
    const sending = Effect.gen(function* () {
      yield* Deferred.await(listening)
      const source = yield* Image.open("/vm.img")
      return yield* send({ source, to: at, channels, compression, ...options })
    }).pipe(Effect.scoped)
    return yield* Effect.all({ sent: Effect.exit(sending), received: Effect.exit(receiving) }, { concurrency: 2 })
  })

/** Everything that an image holds. */
const contents = (path: string) =>
  Effect.gen(function* () {
    const image = yield* Image.open(path)
    const { configuration, deviceState, description } = image.machineState
    const blocks = yield* Effect.forEach(image.blocks, ({ idstr, usedLength }) => image.readPages(idstr, 0, usedLength))
    return {
      machine: configuration?.machine,
      names: image.blocks.map(({ idstr }) => idstr),
      bytes: Buffer.concat([...blocks, yield* ByteSource.read(deviceState)]),
      description: Buffer.from(yield* ByteSource.read(description))
    }
  }).pipe(Effect.scoped)

const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(3000).fill(0x77) }]

/** A disk with an image, and a network. */
const world = Effect.fnUntraced(function* (
  described: ReadonlyArray<RamArbitraries.Block>,
  options: VirtualNetwork.Options
) {
  const disk = MemoryDisk.make({ seed: options.seed })
  const network = yield* VirtualNetwork.make(options)
  const blocks = yield* Effect.forEach(described, Memory.filled)
  const machineState = yield* MachineState.fromSections({ machine: "pc-q35-10.0", sections })
  yield* Effect.provide(save({ target: "/vm.img", blocks: blocks.map(({ block }) => block), machineState }), disk.layer)
  const within = <A, E>(self: Effect.Effect<A, E>) =>
    self.pipe(Effect.provide(disk.layer), Effect.provide(network.layer))
  return { disk, network, within }
})

const literals = <const Values extends ReadonlyArray<string | number>>(...values: Values) =>
  Arbitrary.schema(Schema.Literals(values as unknown as readonly [Values[number], ...ReadonlyArray<Values[number]>]))

const ways = {
  described: Arbitrary.map(
    Arbitrary.all([RamArbitraries.blocks({ maxPages: 100, maxBlocks: 3 }), RamArbitraries.pageSize]),
    ([blocks, pageSize]) => blocks.map((block) => ({ ...block, pageSize }))
  ),
  channels: literals(0, 1, 2, 5),
  compression: literals("none", "zlib", "zstd", "qpl"),
  zeroPageDetection: literals("none", "legacy", "multifd"),
  marks: literals("each-round", "each-section"),
  batchSize: literals(16 * 1024, 1024 * 1024),
  seed: between(0, 1000)
}

const fault = Arbitrary.map(
  Arbitrary.all([
    literals("Cut", "Reset", "Stall"),
    literals("connector", "listener"),
    between(0, 5),
    between(0, 200_000)
  ]),
  ([name, from, connection, place]) => ({
    fault: VirtualNetwork.Fault[name](),
    connection,
    from,
    at: from === "listener" ? place % 10 : place
  })
)

describe("a migration from image to image", () => {
  it.effect.prop(
    "the new image holds what the old one does",
    ways,
    ({ compression, described, seed, ...options }) =>
      Effect.gen(function* () {
        const { disk, network, within } = yield* world(described, { seed })
        const { received, sent } = yield* within(
          migrate({ ...options, compression: options.channels === 0 ? "none" : compression })
        )
        yield* received
        const summary = yield* sent
        assert.deepStrictEqual(yield* within(contents("/new.img")), yield* within(contents("/vm.img")))
        assert.strictEqual(summary.pages, (yield* received).pages)
        assert.deepStrictEqual(
          [network.openEnds(), network.listening(), disk.openFiles(), disk.files()],
          [0, [], [], ["/new.img", "/vm.img"]]
        )
      }),
    { arbitrary: { runs: 40 } }
  )

  const expected = [
    "ConnectionLostError",
    "ConnectionEndedError",
    "PeerTimeoutError",
    "ProtocolError",
    "PeerFailedError"
  ]
  it.effect.prop(
    "whatever breaks: a sender that has succeeded has a receiver with the image, everything is closed, nothing is left",
    { ...ways, fault },
    ({ compression, described, fault, seed, ...options }) =>
      Effect.gen(function* () {
        const { disk, network, within } = yield* world(described, { seed, plan: [fault], capacity: 4096 })
        const { received, sent } = yield* within(
          whileTimePasses(migrate({ ...options, compression: options.channels === 0 ? "none" : compression }))
        )
        if (Exit.isSuccess(sent)) assert.isTrue(Exit.isSuccess(received))
        if (Exit.isFailure(sent)) assert.include(expected, (yield* Effect.flip(sent))._tag)
        // A receiver waits for its sender for ever, and a connection that breaks before it has said what it is is none.
        const came = network.links().some(({ fromConnector }) => fromConnector >= 4)
        const alone = came ? [] : ["TimeoutError"]
        if (Exit.isFailure(received))
          assert.include([...expected, "SenderLeftError", ...alone], (yield* Effect.flip(received))._tag)
        const isThere = Exit.isSuccess(received)
        if (isThere) {
          const [now, before] = [yield* within(contents("/new.img")), yield* within(contents("/vm.img"))]
          // Without its description a machine is whole: a sender that breaks off in it has failed, the receiver has not.
          const description = Exit.isSuccess(sent) ? before.description : now.description
          assert.deepStrictEqual(now, { ...before, description })
        }
        assert.deepStrictEqual(
          [network.openEnds(), network.listening(), disk.openFiles(), disk.files()],
          [0, [], [], isThere ? ["/new.img", "/vm.img"] : ["/vm.img"]]
        )
      }),
    { arbitrary: { runs: 50 } }
  )
})
