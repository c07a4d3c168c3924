/**
 * How fast a whole machine is sent, seen from the network.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Network from "../../src/io/sockets/Network.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Destination from "../support/wire/destination.ts"
import { turns } from "../support/time.ts"
import { between } from "../support/arbitraries.ts"

const PAGE = 4096
const to = SocketAddress.unix("/run/vm.sock")

interface Write {
  readonly at: number
  readonly bytes: number
}

/** The network's calls, and when how many bytes were given to any connection. */
const watched = Effect.fnUntraced(function* (calls: Network.Calls) {
  const clock = yield* Effect.clockWith((clock: Clock.Clock) => Effect.succeed(clock))
  const writes: Array<Write> = []
  const watch = (transport: Network.Transport): Network.Transport => ({
    peer: transport.peer,
    read: (target, done) => transport.read(target, done),
    cancelRead: () => transport.cancelRead(),
    end: (done) => transport.end(done),
    destroy: () => transport.destroy(),
    write: (parts, done) => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0)
      writes.push({ at: clock.currentTimeMillisUnsafe(), bytes })
      transport.write(parts, done)
    }
  })
  const connect: Network.Calls["connect"] = (address, options, done) =>
    calls.connect(address, options, (answer) => done(Result.map(answer, watch)))
  return { calls: { ...calls, connect }, writes }
})

/** The most in any second that begins with a write, and the least in any that ends with one and has work behind it. */
const extremes = (writes: ReadonlyArray<Write>) => {
  const inside = (from: number, to: number) =>
    writes.reduce((sum, { at, bytes }) => (at >= from && at <= to ? sum + bytes : sum), 0)
  const end = writes.at(-1)!.at
  return {
    most: Math.max(...writes.map(({ at }) => inside(at, at + 1000))),
    least: Math.min(...writes.filter(({ at }) => at + 1000 < end).map(({ at }) => inside(at + 1, at + 1000)))
  }
}

const sendAt = Effect.fnUntraced(function* (
  pages: number,
  channels: number,
  maxBandwidth: number
): Effect.fn.Return<ReadonlyArray<Write>, unknown> {
  const network = yield* VirtualNetwork.make({})
  const block = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(pages * PAGE).fill(1) })
  return yield* Effect.gen(function* () {
    yield* Destination.listen({ address: to, channels })
    const { calls, writes } = yield* watched(yield* Network.Network)
    const sending = Migration.make
      .send({ to, source: { blocks: [block] }, channels, maxBandwidth })
      .pipe(Effect.provideService(Network.Network, calls))
    yield* Effect.raceFirst(sending, Effect.forever(Effect.andThen(turns(12), TestClock.adjust(5))))
    return writes
  }).pipe(Effect.scoped, Effect.provide(network.layer))
})

describe("the bandwidth of all connections together", () => {
  it.effect.prop(
    "is not exceeded in any second, and used to 90 % while there is work",
    { pagesPerSecond: between(45, 400), channels: between(0, 4) },
    ({ channels, pagesPerSecond }) =>
      Effect.gen(function* () {
        const limit = pagesPerSecond * PAGE
        const { least, most } = extremes(yield* sendAt(3 * pagesPerSecond, channels, limit))
        assert.isAtMost(most, limit)
        assert.isAtLeast(least, 0.9 * limit)
      }),
    { arbitrary: { runs: 8 } }
  )
})
