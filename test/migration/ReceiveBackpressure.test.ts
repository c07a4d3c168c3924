/**
 * A receiver whose disk does not follow.
 */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import { turns } from "../support/time.ts"

const MIB = 1024 * 1024
const SIZE = 24 * MIB
const CHANNELS = 3

/** Pages of a packet. */
const PACKET = MIB / 2

/** Heads of packets, the main channel, and what was read ahead: some KiB. */
const REST = 64 * 1024

/** What a direction of a connection holds in the network. */
const CAPACITY = 64 * 1024

/** A disk on which writes take for ever, once so many bytes of pages have been written, until it is let go on. */
const stallingDisk = (limit: number) => {
  const disk = MemoryDisk.make()
  const held: Array<() => void> = []
  let written = 0
  let stalls = true
  const hold = (position: number, bytes: number, call: () => void): void => {
    if (position < MIB) return call()
    if (stalls && written >= limit) return void held.push(call)
    written += bytes
    call()
  }
  const calls: FileCalls.Calls = {
    ...disk.calls,
    write: (fd, data, offset, length, position, done) =>
      hold(position, length, () => disk.calls.write(fd, data, offset, length, position, done))
  }
  const goOn = Effect.sync(() => {
    stalls = false
    for (const call of held.splice(0)) call()
  })
  return { calls, goOn, written: () => written, isHeld: () => held.length > 0 }
}

it.effect("slows the sender down, and holds two packets of a channel at most", () =>
  Effect.gen(function* () {
    const network = yield* VirtualNetwork.make({ capacity: CAPACITY })
    const { calls, goOn, isHeld, written } = stallingDisk(2 * MIB)
    const memory = new Uint8Array(SIZE).map((_, at) => 1 + (at % 251))
    const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
    const at = SocketAddress.unix("/run/vm.sock")
    const listening = yield* Deferred.make<void>()
    const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
    const shared = { channels: CHANNELS }
    const program = Effect.gen(function* () {
      const receiving = yield* Effect.forkChild(
        Migration.make.receive({ ...shared, listen: at, target: "/new.img", onListening })
      )
      yield* Deferred.await(listening)
      const limits = { idleTimeout: "1 hour" } as const
      const sending = yield* Effect.forkChild(
        Migration.make.send({ ...shared, source: { blocks: [block] }, to: at, limits })
      )
      const arrived = () => network.links().reduce((sum, { fromConnector }) => sum + fromConnector, 0)
      // The last look at what has arrived finds nothing new.
      while (!isHeld()) yield* turns(1)
      for (let before = -1; before !== arrived(); yield* turns(2000)) before = arrived()
      assert.isAtMost(arrived() - written(), CHANNELS * 2 * PACKET + REST)
      // It is our disk that is waited for: nobody is to blame.
      yield* TestClock.adjust("30 minutes")
      assert.isUndefined(receiving.pollUnsafe())
      assert.isUndefined(sending.pollUnsafe())
      yield* goOn
      yield* Fiber.join(sending)
      yield* Fiber.join(receiving)
      const image = yield* Image.open("/new.img")
      assert.isTrue(Buffer.compare(yield* image.readPages("pc.ram", 0, SIZE), memory) === 0)
    })
    yield* Effect.scoped(program).pipe(Effect.provideService(FileCalls.FileCalls, calls), Effect.provide(network.layer))
  })
)
