import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Worker } from "node:worker_threads"
import * as Connection from "../../../../src/io/sockets/Connection.ts"
import * as SocketAddress from "../../../../src/io/sockets/SocketAddress.ts"

/** Answers, and breaks the connection, while the thread of the test is asleep and cannot notice. */
const peer = `
  const { parentPort, workerData } = require("node:worker_threads")
  const wake = () => { Atomics.store(workerData, 0, 2); Atomics.notify(workerData, 0) }
  require("node:net").createServer({ pauseOnConnect: true }, (socket) => {
    Atomics.wait(workerData, 0, 0)
    socket.write("answer!!", () => { socket.resetAndDestroy(); setTimeout(wake, 50) })
  }).listen(0, "127.0.0.1", function () { parentPort.postMessage(this.address().port) })
`

const startPeer: Effect.Effect<{ readonly port: number; readonly flag: Int32Array }, never, Scope.Scope> = Effect.gen(
  function* () {
    const flag = new Int32Array(new SharedArrayBuffer(4))
    const worker = yield* Effect.acquireRelease(
      Effect.sync(() => new Worker(peer, { eval: true, workerData: flag })),
      (worker) => Effect.promise(() => worker.terminate())
    )
    const port = yield* Effect.callback<number>((resume) => {
      worker.once("message", (port: number) => resume(Effect.succeed(port)))
    })
    return { port, flag }
  }
)

describe("keepReadable", () => {
  it.live("what a peer said before it broke the connection is read, though a write has failed first", () =>
    Effect.gen(function* () {
      const { flag, port } = yield* startPeer
      const connection = yield* Connection.connect({ address: SocketAddress.tcp("127.0.0.1", port) })
      yield* connection.write([new Uint8Array(100_000)])
      const answer = new Uint8Array(8)
      const reader = yield* Effect.forkChild(connection.read([answer]), { startImmediately: true })
      Atomics.store(flag, 0, 1)
      Atomics.notify(flag, 0)
      Atomics.wait(flag, 0, 1)
      const written = yield* Effect.flip(connection.write([new Uint8Array(5)]))
      assert.strictEqual(written._tag, "ConnectionLostError")
      yield* Fiber.join(reader)
      assert.strictEqual(Buffer.from(answer).toString(), "answer!!")
      const after = yield* Effect.flip(connection.readSome(answer))
      assert.strictEqual(after._tag, "ConnectionLostError")
    })
  )
})
