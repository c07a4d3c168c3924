import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as TestClock from "effect/testing/TestClock"
import type { FindingCode } from "../../src/format/Finding.ts"
import * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import * as Connection from "../../src/io/sockets/Connection.ts"
import { ConnectionLostError } from "../../src/io/sockets/ConnectionError.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Acknowledgement from "../../src/multifd/Acknowledgement.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import { hex } from "../support/bytes.ts"

const address = SocketAddress.tcp("10.0.0.1", 4444)
const { encode } = ReturnPath
const allIsWell = encode({ _tag: "Shut", value: 0 })

/** What a test's sender may do, and what its peer does meanwhile. */
interface Play<E> {
  readonly returnPath?: boolean
  readonly send: (mayBeDone: Effect.Effect<void>, sender: Connection.Connection) => Effect.Effect<void, E>
  readonly peer: (peer: Connection.Connection) => Effect.Effect<void, unknown>
  /** Whether the peer closes its end when it has done what it does. */
  readonly closes?: boolean
  readonly plan?: ReadonlyArray<VirtualNetwork.Rule>
}

/** Both ends over a network; the peer's end stays open until the sender has ended, unless it closes it. */
const play = <E>({ closes = false, peer, plan, returnPath = true, send }: Play<E>) =>
  Effect.gen(function* () {
    const network = yield* VirtualNetwork.make({ plan })
    return yield* Effect.gen(function* () {
      const listener = yield* Listener.make({ address })
      const connection = yield* Connection.connect({ address })
      const end = Effect.flatMap(listener.accept, (accepted) => Effect.ignore(peer(accepted)))
      yield* Effect.forkScoped(closes ? Effect.scoped(end) : Effect.andThen(end, Effect.never))
      return yield* Acknowledgement.during((mayBeDone) => send(mayBeDone, connection), { connection, returnPath })
    }).pipe(Effect.scoped, Effect.provide(network.layer))
  })

/** Sends nothing, and is complete at once. */
const complete = (mayBeDone: Effect.Effect<void>) => mayBeDone

const says =
  (...messages: ReadonlyArray<Uint8Array>) =>
  (peer: Connection.Connection) =>
    Effect.andThen(peer.write(messages), Effect.never)

describe("Acknowledgement", () => {
  it.effect("SHUT 0 is the peer's word that it has everything", () => play({ send: complete, peer: says(allIsWell) }))

  it.effect("PONG and SWITCHOVER_ACK say nothing of that", () =>
    play({
      send: complete,
      peer: says(encode({ _tag: "Pong", value: 1 }), encode({ _tag: "SwitchoverAck" }), allIsWell)
    })
  )

  it.effect("byte by byte", () =>
    play({
      send: complete,
      peer: says(encode({ _tag: "Pong", value: 1 }), allIsWell),
      plan: [{ from: "listener", fault: VirtualNetwork.Fault.Short({ bytes: 1 }) }]
    })
  )

  it.effect("without it, sending does not end", () =>
    Effect.gen(function* () {
      const begun = yield* Latch.make()
      const send = (mayBeDone: Effect.Effect<void>) => Effect.andThen(mayBeDone, begun.open)
      const waiting = yield* Effect.forkChild(play({ send, peer: says(encode({ _tag: "Pong", value: 1 })) }))
      yield* begun.await
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(waiting)
    })
  )

  it.effect("any other SHUT: PeerFailedError, while sending goes on", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        play({ send: () => Effect.never, peer: says(encode({ _tag: "Shut", value: 1 })) })
      )
      assert.deepInclude(error, { _tag: "PeerFailedError", answer: "failed" })
      assert.include(error.message, "could not load the migration")
    })
  )

  it.effect("SHUT 0 before the stream has ended: PeerFailedError", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(play({ send: () => Effect.never, peer: says(allIsWell) }))
      assert.deepInclude(error, { _tag: "PeerFailedError", answer: "early" })
      assert.include(error.message, "before everything had been sent")
    })
  )

  describe("what becomes of the rest is of no interest when the peer has answered:", () => {
    const endless = (mayBeDone: Effect.Effect<void>, { write }: Connection.Connection) =>
      Effect.andThen(mayBeDone, Effect.forever(write([new Uint8Array(1000)])))

    it.effect("it closes the connection", () =>
      play({
        send: endless,
        peer: (peer) => Effect.andThen(peer.write([allIsWell]), peer.read([new Uint8Array(10_000)])),
        closes: true
      })
    )

    it.effect("it reads no more", () =>
      Effect.gen(function* () {
        const sending = yield* Effect.forkChild(play({ send: endless, peer: says(allIsWell) }))
        yield* Effect.raceFirst(Fiber.await(sending), Effect.forever(TestClock.adjust("10 millis")))
        yield* Fiber.join(sending)
      })
    )
  })

  it.effect("the end in its place: ConnectionEndedError of the main channel", () =>
    Effect.gen(function* () {
      for (const sent of [
        [],
        [encode({ _tag: "Pong", value: 1 })],
        [allIsWell.subarray(0, 3)],
        [allIsWell.subarray(0, 7)]
      ]) {
        const peer = (peer: Connection.Connection) => Effect.andThen(peer.write(sent), peer.end)
        const error = yield* Effect.flip(play({ send: complete, peer }))
        assert.deepInclude(error, { _tag: "ConnectionEndedError", channel: "main" })
      }
    })
  )

  it.effect("a reset: ConnectionLostError of the main channel", () =>
    Effect.gen(function* () {
      const plan = [{ from: "listener", at: 3, fault: VirtualNetwork.Fault.Reset() }] as const
      const error = yield* Effect.flip(play({ send: complete, peer: says(allIsWell), plan }))
      assert.deepInclude(error, { _tag: "ConnectionLostError", channel: "main" })
    })
  )

  const wrong: Record<string, readonly [bytes: Uint8Array, code: FindingCode, offset: number]> = {
    "an unknown message": [hex("0009 0000"), "return-path-message-unknown", 0],
    "a wrong length": [hex("0001 0008 0000000000000000"), "return-path-length-wrong", 2],
    "what only postcopy says": [
      hex("0002 0004 00000001 0004 000c 000000000000000000000000"),
      "return-path-message-unknown",
      8
    ]
  }
  for (const [name, [bytes, code, offset]] of Object.entries(wrong)) {
    it.effect(`${name}: ProtocolError`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(play({ send: complete, peer: says(bytes) }))
        assert.strictEqual(error._tag, "ProtocolError")
        assert("findings" in error)
        assert.deepInclude(error.findings[0], { code, offset })
        assert.deepInclude(error, { channel: "main" })
      })
    )
  }

  it.effect("without a return path the end is enough, when everything was sent", () =>
    Effect.gen(function* () {
      yield* play({ returnPath: false, send: complete, peer: ({ end }) => end })
      const error = yield* Effect.flip(play({ returnPath: false, send: () => Effect.never, peer: ({ end }) => end }))
      assert.deepInclude(error, { _tag: "ConnectionEndedError", channel: "main" })
    })
  )

  it.effect("without a return path nothing may be said", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(play({ returnPath: false, send: complete, peer: says(allIsWell) }))
      assert.strictEqual(error._tag, "ProtocolError")
    })
  )

  describe("when sending fails", () => {
    const lost = new ConnectionLostError({ peer: "tcp:10.0.0.1:4444", operation: "write", code: "EPIPE", channel: 1 })

    it.effect("for a broken connection: the peer's own word counts for more, if it comes soon", () =>
      Effect.gen(function* () {
        const peer = (peer: Connection.Connection) =>
          Effect.delay(peer.write([encode({ _tag: "Shut", value: 1 })]), "1900 millis").pipe(
            Effect.andThen(Effect.never)
          )
        const failing = yield* Effect.forkChild(Effect.flip(play({ send: () => Effect.fail(lost), peer })))
        yield* Effect.raceFirst(Fiber.await(failing), Effect.forever(TestClock.adjust("10 millis")))
        assert.strictEqual((yield* Fiber.join(failing))._tag, "PeerFailedError")
      })
    )

    it.effect(
      "for something of its own, which interrupts a write and so breaks the connection: that is the reason",
      () =>
        Effect.gen(function* () {
          const send = (_: Effect.Effect<void>, { write }: Connection.Connection) =>
            Effect.gen(function* () {
              const writing = yield* Effect.forkChild(write([new Uint8Array(1_000_000)]), { startImmediately: true })
              yield* Fiber.interrupt(writing)
              // Whoever reads the answer finds the connection closed before this failure gets out.
              yield* Effect.repeat(Effect.yieldNow, { times: 100 })
              return yield* Effect.fail("the disk")
            })
          assert.strictEqual(yield* Effect.flip(play({ send, peer: () => Effect.never })), "the disk")
        })
    )

    it.effect("for a broken connection, and the peer says nothing: its error after two seconds", () =>
      Effect.gen(function* () {
        const failing = yield* Effect.forkChild(
          Effect.flip(play({ send: () => Effect.fail(lost), peer: () => Effect.never }))
        )
        yield* Effect.raceFirst(Fiber.await(failing), Effect.forever(TestClock.adjust("10 millis")))
        assert.strictEqual(yield* Fiber.join(failing), lost)
      })
    )

    it.effect("for any other reason: at once", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(play({ send: () => Effect.fail("unreadable"), peer: () => Effect.never }))
        assert.strictEqual(error, "unreadable")
      })
    )
  })
})
