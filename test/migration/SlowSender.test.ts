/** Senders that get something done now and then: honest ones that are slow are waited for, others do not keep a receiver. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as PeerLimits from "../../src/multifd/PeerLimits.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"

const listen = SocketAddress.tcp("10.0.0.1", 4444)

/** Sends a page on its channel, and a pause, so many times. */
const paused = (count: number, millis: number): Sender.Script => ({
  ...Sender.honest(1),
  lanes: [Sender.lane(0, Array.from({ length: count }, () => [Sender.packet(0, 0x41), { pause: millis }]).flat())]
})

/** Receives what such a sender sends, and says how it ended, and when. */
const receive = Effect.fnUntraced(function* (script: Sender.Script, limits: PeerLimits.Input = {}) {
  const disk = MemoryDisk.make()
  const network = yield* VirtualNetwork.make()
  const receiving = Effect.gen(function* () {
    const listening = yield* Deferred.make<void>()
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(listening), Sender.play(script, listen)))
    const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
    return yield* Migration.make.receive({ listen, target: "/image", channels: 1, limits, onListening })
  }).pipe(Effect.scoped, Effect.provide(disk.layer), Effect.provide(network.layer))
  const exit = yield* Effect.exit(whileTimePasses(receiving))
  assert.deepStrictEqual([network.openEnds(), network.listening(), disk.openFiles()], [0, [], []])
  assert.deepStrictEqual(disk.files(), exit._tag === "Success" ? ["/image"] : [])
  return { exit, seconds: (yield* Clock.currentTimeMillis) / 1000 }
})

const timedOut = Effect.fnUntraced(function* ({ exit }: Effect.Success<ReturnType<typeof receive>>) {
  const error = yield* Effect.flip(exit)
  assert.strictEqual(error[Runtime.errorExitCode], 9)
  return error.message.replace(/^\S+ /, "")
})

describe("a sender that drips", () => {
  it.effect("a page within each timeout: is given up by its rate", () =>
    Effect.gen(function* () {
      const result = yield* receive(paused(100, 55_000))
      assert.strictEqual(yield* timedOut(result), "timed out after 600 s waiting for 614400 bytes (1024 a second)")
      assert.isBelow(result.seconds, 620)
    })
  )

  it.effect("may, where any rate will do", () =>
    Effect.gen(function* () {
      for (const limits of [{ minRate: 0 }, { idleTimeout: Number.POSITIVE_INFINITY }]) {
        const { exit, seconds } = yield* receive(paused(25, 55_000), limits)
        assert.strictEqual(exit._tag, "Success")
        assert.isAbove(seconds, 1300)
      }
    })
  )

  it.effect("as much as is due: is waited for, also where it is silent for most of the time", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* receive(paused(500, 2500))).exit._tag, "Success")
      const burst = Array.from({ length: 20 }, () => Sender.packet(1, 0x42))
      const bursts = Array.from({ length: 25 }, () => [...burst, { pause: 55_000 }]).flat()
      const { exit, seconds } = yield* receive({ ...Sender.honest(1), lanes: [Sender.lane(0, bursts)] })
      assert.strictEqual(exit._tag, "Success")
      assert.isAbove(seconds, 1300)
    })
  )

  it.effect("on and on: is given up when its time is over, and not before", () =>
    Effect.gen(function* () {
      const script = paused(100, 5000)
      const result = yield* receive(script, { maxDuration: "5 minutes" })
      assert.strictEqual(yield* timedOut(result), "timed out after 300 s waiting for the end of the migration")
      assert.isBelow(result.seconds, 310)
      assert.strictEqual((yield* receive(script, { maxDuration: "10 minutes" })).exit._tag, "Success")
    })
  )
})
