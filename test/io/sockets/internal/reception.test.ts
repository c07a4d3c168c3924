import { assert, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Reception from "../../../../src/io/sockets/internal/reception.ts"
import * as SocketAddress from "../../../../src/io/sockets/SocketAddress.ts"

it.effect("what comes in when nobody listens any more is closed at once", () =>
  Effect.gen(function* () {
    const { close, receive } = yield* Reception.make({
      address: SocketAddress.tcp("127.0.0.1", 4444),
      maxConnections: 2,
      handshakeTimeout: Duration.seconds(1)
    })
    yield* close
    const done: Array<string> = []
    receive({
      peer: "tcp:127.0.0.1:5555",
      open: () => void done.push("opened"),
      destroy: () => void done.push("destroyed")
    })
    assert.deepStrictEqual(done, ["destroyed"])
  })
)
