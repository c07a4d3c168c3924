import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Connection from "../../src/io/sockets/Connection.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as TlsCredentials from "../../src/io/sockets/TlsCredentials.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import { bytes, connected, onVirtualNetwork, readToEnd, turn } from "../support/worlds/networks.ts"

const { Corrupt, Cut, Delay, Ignore, Refuse, Reset, Short, Stall } = VirtualNetwork.Fault

const address = SocketAddress.tcp("10.0.0.1", 4444)

/** Lets everything happen that can happen without anybody's doing. */
const settle = Effect.repeat(turn, { times: 50 })

/** What the far side gets of 1000 bytes that the near side writes, and how it ends. */
const transfer = (plan: ReadonlyArray<VirtualNetwork.Rule>) =>
  onVirtualNetwork(
    { plan, capacity: 100 },
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      const target = new Uint8Array(1000)
      const writer = yield* Effect.forkChild(
        Effect.result(Effect.andThen(near.write([bytes(400), bytes(600, 9)]), near.end))
      )
      const reader = yield* Effect.forkChild(Effect.result(far.read([target])))
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* settle
      const result = {
        written: writer.pollUnsafe() === undefined ? undefined : yield* Fiber.join(writer),
        read: reader.pollUnsafe() === undefined ? undefined : yield* Fiber.join(reader),
        target,
        bytes: far.bytesRead
      }
      yield* Fiber.interrupt(writer)
      yield* Fiber.interrupt(reader)
      return result
    })
  )

const whole = Buffer.concat([bytes(400), bytes(600, 9)])

const codeOf = <A>(result: Result.Result<A, { readonly code?: string; readonly _tag: string }> | undefined) =>
  result === undefined || Result.isSuccess(result) ? undefined : (result.failure.code ?? result.failure._tag)

describe("VirtualNetwork", () => {
  it.effect("without faults everything arrives", () =>
    Effect.gen(function* () {
      const { read, target, written } = yield* transfer([])
      assert.isTrue(read !== undefined && Result.isSuccess(read))
      assert.isTrue(written !== undefined && Result.isSuccess(written))
      assert.deepStrictEqual(Buffer.from(target), whole)
    })
  )

  it.effect("what was written arrives, whatever becomes of the memory that it was written from", () =>
    onVirtualNetwork(
      {},
      Effect.gen(function* () {
        const { far, near } = yield* connected(address)
        const memory = Buffer.from(bytes(400))
        yield* near.write([memory])
        memory.fill(0)
        const target = new Uint8Array(400)
        yield* far.read([target])
        assert.deepStrictEqual(target, bytes(400))
      })
    )
  )

  it.effect("Cut ends both sides", () =>
    Effect.gen(function* () {
      const { read, written } = yield* transfer([{ at: 500, fault: Cut() }])
      assert.deepInclude(read, { _tag: "Failure" })
      assert.strictEqual(codeOf(read), "ConnectionEndedError")
      assert(read !== undefined && Result.isFailure(read) && read.failure._tag === "ConnectionEndedError")
      assert.strictEqual(read.failure.found, 500)
      assert.strictEqual(codeOf(written), "EPIPE")
    })
  )

  it.effect("Reset breaks both sides", () =>
    Effect.gen(function* () {
      const { bytes, read, written } = yield* transfer([{ at: 500, fault: Reset() }])
      assert.deepStrictEqual([codeOf(read), codeOf(written)], ["ECONNRESET", "ECONNRESET"])
      assert.strictEqual(bytes, 500)
    })
  )

  it.effect("Stall lets nothing pass any more", () =>
    Effect.gen(function* () {
      const { read, target, written } = yield* transfer([{ at: 500, fault: Stall() }])
      assert.deepStrictEqual([read, written], [undefined, undefined])
      assert.deepStrictEqual(Buffer.from(target.subarray(0, 500)), whole.subarray(0, 500))
      assert.deepStrictEqual(target.subarray(500), new Uint8Array(500))
    })
  )

  it.effect.each([
    [1001, false],
    [1000, true]
  ] as const)("Delay of %i ms is over after a second: %s", ([duration, over]) =>
    Effect.gen(function* () {
      const { read } = yield* transfer([{ at: 500, fault: Delay({ duration }) }])
      assert.strictEqual(read !== undefined, over)
    })
  )

  it.effect("Corrupt damages one byte", () =>
    Effect.gen(function* () {
      const { target } = yield* transfer([
        { at: 500, fault: Corrupt({ mask: 0x81 }) },
        { at: 0, fault: Corrupt({ mask: 1 }) }
      ])
      const expected = Buffer.from(whole)
      expected[500]! ^= 0x81
      expected[0]! ^= 1
      assert.deepStrictEqual(Buffer.from(target), expected)
    })
  )

  it.effect("Short gives a read no more than that, from there on", () =>
    onVirtualNetwork(
      { plan: [{ at: 10, fault: Short({ bytes: 3 }) }] },
      Effect.gen(function* () {
        const { far, near } = yield* connected(address)
        yield* near.write([bytes(20)])
        const lengths = yield* Effect.replicateEffect(far.readSome(new Uint8Array(10)), 5)
        assert.deepStrictEqual(lengths, [10, 3, 3, 3, 1])
      })
    )
  )

  it.effect("faults meet the connection and the direction that they name", () =>
    onVirtualNetwork(
      { plan: [{ connection: 1, from: "listener", at: 5, fault: Cut() }] },
      Effect.gen(function* () {
        const first = yield* connected(address)
        yield* first.listener.close
        const second = yield* connected(address)
        for (const { far, near } of [first, second]) {
          yield* near.write([bytes(10)])
          yield* far.read([new Uint8Array(10)])
          yield* far.write([bytes(10)])
        }
        yield* first.near.read([new Uint8Array(10)])
        assert.deepInclude(yield* Effect.flip(second.near.read([new Uint8Array(10)])), { found: 5 })
        assert.strictEqual(yield* second.far.readSome(new Uint8Array(1)), 0)
      })
    )
  )

  it.effect("Refuse and Ignore are for attempts to connect", () =>
    onVirtualNetwork(
      {
        plan: [
          { connection: 0, fault: Refuse() },
          { connection: 1, fault: Ignore() }
        ]
      },
      Effect.gen(function* () {
        const listener = yield* Listener.make({ address })
        const connect = Effect.scoped(Connection.connect({ address }))
        assert.deepInclude(yield* Effect.flip(connect), { _tag: "ConnectError", code: "ECONNREFUSED" })
        const ignored = yield* Effect.forkChild(Effect.flip(connect))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(ignored))._tag, "PeerTimeoutError")
        yield* Connection.connect({ address })
        yield* listener.accept
      })
    )
  )

  it.effect("addresses lead to who listens there", () =>
    onVirtualNetwork(
      {},
      Effect.gen(function* () {
        yield* Listener.make({ address: SocketAddress.unix("/a") })
        const everywhere = yield* Listener.make({ address: SocketAddress.tcp("0.0.0.0", 0) })
        assert(everywhere.address._tag === "Tcp")
        yield* Connection.connect({ address: SocketAddress.tcp("any.host", everywhere.address.port) })
        yield* Connection.connect({ address: SocketAddress.unix("/a") })
        const taken = yield* Effect.flip(Effect.scoped(Listener.make({ address: everywhere.address })))
        assert.strictEqual(taken.code, "EADDRINUSE")
        const nobody = [
          SocketAddress.unix("/b"),
          SocketAddress.tcp("any.host", 1),
          SocketAddress.tcp("/a", everywhere.address.port + 1)
        ]
        const codes = yield* Effect.forEach(nobody, (address) =>
          Effect.map(Effect.flip(Effect.scoped(Connection.connect({ address }))), (error) => codeOf(Result.fail(error)))
        )
        assert.deepStrictEqual(codes, ["ENOENT", "ECONNREFUSED", "ECONNREFUSED"])
        // A Unix socket is taken over by whoever comes later.
        const later = yield* Listener.make({ address: SocketAddress.unix("/a") })
        yield* Connection.connect({ address: SocketAddress.unix("/a") })
        yield* later.accept
      })
    )
  )

  it.effect.each([
    ["everything was read", 7, undefined],
    ["something was not", 8, "ECONNRESET"]
  ] as const)("closing when %s", ([, length, code]) =>
    onVirtualNetwork(
      {},
      Effect.gen(function* () {
        const outer = yield* Effect.scope
        const listener = yield* Listener.make({ address })
        const far = yield* Effect.gen(function* () {
          const near = yield* Connection.connect({ address })
          const far = yield* Scope.provide(listener.accept, outer)
          yield* far.write([bytes(length)])
          yield* near.read([new Uint8Array(7)])
          yield* near.write([bytes(1000)])
          yield* near.end
          return far
        }).pipe(Effect.scoped)
        const result = yield* Effect.result(readToEnd(far))
        assert.strictEqual(codeOf(result), code)
        assert.strictEqual(far.bytesRead, code === undefined ? 1000 : 0)
      })
    )
  )

  it.effect("shows what went over which connection, and what is open", () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make()
      yield* Effect.gen(function* () {
        const { far, near } = yield* connected(address)
        yield* near.write([bytes(10)])
        yield* far.read([new Uint8Array(7)])
        yield* far.write([bytes(3)])
        yield* near.read([new Uint8Array(3)])
        assert.deepStrictEqual(network.links(), [{ address, fromConnector: 7, fromListener: 3, open: 2 }])
        assert.deepStrictEqual([network.openEnds(), network.listening()], [2, ["tcp:10.0.0.1:4444"]])
      }).pipe(Effect.scoped, Effect.provide(network.layer))
      assert.deepStrictEqual([network.openEnds(), network.listening()], [0, []])
    })
  )

  describe("TLS", () => {
    const fixtures = new URL("../fixtures/tls/psk/keys.psk", import.meta.url).pathname
    const both = Effect.all({
      client: TlsCredentials.clientFromPskFile(fixtures),
      server: TlsCredentials.serverFromPskFile(fixtures)
    })

    it.effect("both sides use it", () =>
      Effect.gen(function* () {
        const { client, server } = yield* both
        yield* onVirtualNetwork({}, connected(address, { client: { tls: client }, server: { tls: server } }))
      })
    )

    it.effect("one side only does not", () =>
      Effect.gen(function* () {
        const { client, server } = yield* both
        const attempt = (tls: { client?: TlsCredentials.Client; server?: TlsCredentials.Server }) =>
          onVirtualNetwork(
            {},
            Effect.gen(function* () {
              const listener = yield* Listener.make({ address, tls: tls.server })
              return yield* Effect.all(
                [
                  Effect.result(Connection.connect({ address, tls: tls.client })),
                  Effect.result(
                    Effect.flatMap(listener.accept, (connection) => Effect.as(readToEnd(connection), "accepted"))
                  )
                ],
                { concurrency: 2 }
              )
            })
          )
        const [near] = yield* attempt({ client })
        assert(Result.isFailure(near))
        assert.deepInclude(near.failure, { _tag: "TlsError", reason: "plaintext" })
        const [, far] = yield* attempt({ server })
        assert(Result.isFailure(far))
        assert.deepInclude(far.failure, { _tag: "TlsError", reason: "plaintext" })
      })
    )
  })

  it.effect.prop(
    "the same seed gives the same order",
    { seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })) },
    ({ seed }) =>
      Effect.gen(function* () {
        const order = onVirtualNetwork(
          { seed, capacity: 10 },
          Effect.gen(function* () {
            const events: Array<string> = []
            const listener = yield* Listener.make({ address })
            const one = (name: number) =>
              Effect.gen(function* () {
                const near = yield* Connection.connect({ address })
                const far = yield* listener.accept
                yield* Effect.all(
                  [
                    Effect.tap(near.write([bytes(30)]), () => Effect.sync(() => events.push(`written ${name}`))),
                    Effect.tap(far.read([new Uint8Array(30)]), () => Effect.sync(() => events.push(`read ${name}`)))
                  ],
                  { concurrency: 2 }
                )
              })
            yield* Effect.all([one(1), one(2), one(3)], { concurrency: 3 })
            return events
          })
        )
        assert.deepStrictEqual(yield* order, yield* order)
      }),
    { arbitrary: { runs: 30 } }
  )
})
