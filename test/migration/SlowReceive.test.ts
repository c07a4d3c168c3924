import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import { whileTimePasses } from "../support/time.ts"

const SIZE = 256 * 4096
const at = SocketAddress.unix("/run/vm.sock")

/** What arrives is read long before the next moment comes. */
const pace = { turns: 20, step: 20 }

it.effect.each([0, 2])(
  "a packet may take longer than a peer may be idle, where it is our limit: %d channels",
  (channels) =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make({})
      const memory = new Uint8Array(SIZE).map((_, at) => 1 + (at % 251))
      const received = new Uint8Array(SIZE)
      const source = yield* MemoryPages.make({ idstr: "pc.ram", memory })
      const target = yield* MemoryPages.make({ idstr: "pc.ram", memory: received })
      const listening = yield* Deferred.make<void>()
      const receiving = Migration.make.receive({
        listen: at,
        target: BlocksTarget.make([target]),
        channels,
        maxBandwidth: 50_000,
        limits: { idleTimeout: "5 seconds" },
        onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
      })
      const program = Effect.gen(function* () {
        const receiver = yield* Effect.forkChild(receiving)
        yield* Deferred.await(listening)
        yield* Migration.make.send({
          to: at,
          source: { blocks: [source] },
          channels,
          limits: { idleTimeout: "1 hour" }
        })
        yield* Fiber.join(receiver)
        assert.isAbove(yield* Clock.currentTimeMillis, 20_000)
      })
      yield* whileTimePasses(program, pace).pipe(Effect.provide(network.layer))
      assert.isTrue(Buffer.compare(received, memory) === 0)
    })
)
