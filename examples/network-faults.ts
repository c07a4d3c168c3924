/**
 * Tests your own service on a failing network, without a network. A machine is moved from one host to another while a
 * connection ends, breaks or stalls at one place after another. Each time the service fails, or the new host has the
 * whole machine; nothing is left open, and nothing waits forever. The minutes are virtual, so the test takes almost no
 * time.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { Image, MemoryPages, Migration, SocketAddress } from "effect-multifd"
import { MemoryDisk, Simulation, VirtualNetwork } from "effect-multifd/testing"

const SIZE = 64 * 1024
const IMAGE = "/machines/moved.img"
const newHost = SocketAddress.tcp("10.0.0.2", 4444)

/** The tested service, which is unaware of tests. */
const move = Effect.fnUntraced(function* (memory: Uint8Array) {
  const migration = yield* Migration.Migration
  const ram = yield* MemoryPages.make({ idstr: "ram", memory })
  const ready = yield* Deferred.make<void>()
  const onListening = () => Effect.asVoid(Deferred.succeed(ready, undefined))
  const receive = migration.receive({ listen: newHost, target: IMAGE, onListening, onProblem: () => Effect.void })
  const send = Effect.andThen(Deferred.await(ready), migration.send({ source: { blocks: [ram] }, to: newHost }))
  yield* Effect.all([receive, send], { concurrency: 2, discard: true })
})

const arrived = Image.open(IMAGE).pipe(
  Effect.flatMap((image) => image.readPages("ram", 0, SIZE)),
  Effect.scoped
)

const { Fault } = VirtualNetwork
const faults = [Fault.Cut(), Fault.Reset(), Fault.Stall()]
/** Connection 0 is the main one; two channels follow, each of about 35,000 bytes. */
const places = [0, 1, 2].flatMap((connection) => [0, 60, 200, 20_000].map((at) => ({ connection, at })))
const rules = faults.flatMap((fault) => places.map((place) => ({ ...place, fault })))

/** One move in an isolated world, with one fault; dies if it does harm. */
const attempt = Effect.fnUntraced(function* (rule: VirtualNetwork.Rule, seed: number) {
  const memory = new Uint8Array(SIZE).fill(7)
  const inWorld = Effect.fnUntraced(function* ({ later }: Simulation.World) {
    const disk = MemoryDisk.make({ later })
    disk.special("/machines", "directory")
    const network = yield* VirtualNetwork.make({ plan: [rule], later })
    const exit = yield* Effect.exit(Effect.provide(move(memory), [disk.layer, network.layer]))
    const found = yield* Effect.option(Effect.provide(arrived, disk.layer))
    const isThere = Option.exists(found, (bytes) => Buffer.compare(bytes, memory) === 0)
    if (Exit.isSuccess(exit) && !isThere) return yield* Effect.die("a move succeeds, and the machine is not there")
    const left = [...disk.openFiles(), ...network.listening()].length + network.openEnds()
    return left > 0 ? yield* Effect.die("a move leaves something open") : Exit.isSuccess(exit)
  })
  const { exit, millis, running } = yield* Simulation.run(inWorld, { seed })
  if (exit === undefined || running > 0) return yield* Effect.die("a move hangs")
  return { moved: yield* exit, millis }
})

const program = Effect.gen(function* () {
  const moves = yield* Effect.forEach(rules, attempt)
  const failed = moves.filter(({ moved }) => !moved).length
  const minutes = moves.reduce((sum, { millis }) => sum + millis, 0) / 60_000
  yield* Console.log(`${moves.length} moves in ${minutes.toFixed(0)} virtual minutes: ${failed} failed, none did harm`)
}).pipe(Effect.provide(Migration.layer), Effect.provideService(References.MinimumLogLevel, "None"))

NodeRuntime.runMain(program)
