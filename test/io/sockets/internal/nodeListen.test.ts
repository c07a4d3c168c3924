import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { listen } from "../../../../src/io/sockets/internal/nodeListen.ts"
import type { Listening } from "../../../../src/io/sockets/Network.ts"
import type * as SocketAddress from "../../../../src/io/sockets/SocketAddress.ts"
import { anyPort, unixPath } from "../../../support/worlds/networks.ts"

const options = { backlog: 1, keepAlive: 0, tls: undefined, onConnection: () => undefined, onError: () => undefined }

const listenAt = (address: SocketAddress.SocketAddress) =>
  Effect.callback<Listening, Error>((resume) => {
    listen(address, options, (answer) =>
      resume(Result.isSuccess(answer) ? Effect.succeed(answer.success) : Effect.fail(answer.failure))
    )
  })

const close = (listening: Listening) => Effect.callback<void>((resume) => listening.close(() => resume(Effect.void)))

describe("nodeListen", () => {
  it.effect("says the real port while it listens, and what it was asked for afterwards", () =>
    Effect.gen(function* () {
      const listening = yield* listenAt(anyPort)
      const { address } = listening
      assert.deepInclude(address, { _tag: "Tcp", host: "127.0.0.1" })
      assert.isAbove(address._tag === "Tcp" ? address.port : 0, 0)
      yield* close(listening)
      assert.deepStrictEqual(listening.address, anyPort)
    })
  )

  it.effect("a path is the address that it was", () =>
    Effect.gen(function* () {
      const path = yield* unixPath
      const listening = yield* listenAt(path)
      assert.deepStrictEqual(listening.address, path)
      yield* close(listening)
      assert.deepStrictEqual(listening.address, path)
    })
  )
})
