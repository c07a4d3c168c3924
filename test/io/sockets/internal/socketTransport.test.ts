import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { duplexPair } from "node:stream"
import { setOnread } from "../../../../src/io/sockets/internal/onread.ts"
import { SocketConnection } from "../../../../src/io/sockets/internal/socketConnection.ts"
import { SocketTransport } from "../../../../src/io/sockets/internal/socketTransport.ts"
import { bytes, readToEnd } from "../../../support/worlds/networks.ts"

/** A socket that has none of what Node's own sockets keep inside. */
const foreign = () => {
  const [near, far] = duplexPair({ allowHalfOpen: true })
  const transport = new SocketTransport("foreign", { tls: false })
  transport.attach(near as Net.Socket, { onread: false })
  return { near, far, connection: new SocketConnection(transport) }
}

describe("SocketTransport", () => {
  it("Node's sockets have what onread needs", () => {
    const socket = new Net.Socket()
    const onread = { buffer: () => new Uint8Array(1), callback: () => true }
    // Not connected, it has no handle.
    assert.isFalse(setOnread(socket, onread))
    const server = Net.createServer()
    assert.isFalse(setOnread(foreign().near as Net.Socket, onread))
    server.close()
  })

  const inside = ["kBuffer", "kBufferGen", "kBufferCb", "_handle"] as const

  /** A socket that keeps inside all of it but one thing. */
  const without = (missing?: (typeof inside)[number]) => {
    const begun: Array<Uint8Array> = []
    const socket: Record<string | symbol, unknown> = {}
    for (const name of inside.slice(0, 3)) if (name !== missing) socket[Symbol(name)] = undefined
    if (missing !== "_handle") socket["_handle"] = { useUserBuffer: (memory: Uint8Array) => begun.push(memory) }
    return { socket: socket as unknown as Net.Socket, begun }
  }

  it("onread takes all of what it needs, or nothing", () => {
    const place = new Uint8Array(1)
    const onread = { buffer: () => place, callback: () => true }
    const whole = without()
    assert.isTrue(setOnread(whole.socket, onread))
    assert.deepStrictEqual(whole.begun, [place])
    const kept = Object.getOwnPropertySymbols(whole.socket).map((symbol) => Reflect.get(whole.socket, symbol))
    assert.deepStrictEqual(kept, [place, onread.buffer, onread.callback])
    for (const missing of inside) {
      const { begun, socket } = without(missing)
      assert.isFalse(setOnread(socket, onread))
      assert.deepStrictEqual(begun, [])
      const symbols = Object.getOwnPropertySymbols(socket).map((symbol) => Reflect.get(socket, symbol))
      assert.isTrue(symbols.every((value) => value === undefined))
    }
    for (const handle of [null, undefined, {}, { useUserBuffer: 5 }]) {
      const { socket } = without()
      Reflect.set(socket, "_handle", handle)
      assert.isFalse(setOnread(socket, onread))
    }
  })

  it.effect("Node's accepted sockets take onread", () =>
    Effect.gen(function* () {
      const server = Net.createServer({ pauseOnConnect: true })
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const accepted = yield* Effect.callback<Net.Socket>((resume) => {
        server.once("connection", (socket) => resume(Effect.succeed(socket)))
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          Net.connect(port, "127.0.0.1").end("hello")
        })
      })
      const target = new Uint8Array(5)
      const length = yield* Effect.callback<number>((resume) => {
        const taken = setOnread(accepted, {
          buffer: () => target,
          callback: (bytes) => (resume(Effect.succeed(bytes)), false)
        })
        assert.isTrue(taken)
        accepted.resume()
      })
      assert.strictEqual(Buffer.from(target.subarray(0, length)).toString(), "hello")
      accepted.destroy()
    })
  )

  it("does nothing before it has a socket, and fails to write", () => {
    const transport = new SocketTransport("nobody", { tls: false })
    const told: Array<unknown> = []
    transport.read(new Uint8Array(1), () => told.push("read"))
    transport.cancelRead()
    transport.write([new Uint8Array(1)], (error) => told.push(error instanceof Error))
    transport.end((error) => told.push(error instanceof Error))
    transport.destroy()
    assert.deepStrictEqual(told, [true, true])
  })

  it.effect("without onread, data events do the same", () =>
    Effect.gen(function* () {
      const { connection, far } = foreign()
      const sent = bytes(1_000_000)
      far.end(sent)
      const head = new Uint8Array(12)
      const body = new Uint8Array(300_000)
      yield* connection.read([head, body])
      const rest = yield* readToEnd(connection, 7777)
      assert.deepStrictEqual(Buffer.concat([head, body, rest]), Buffer.from(sent))
      const back: Array<Buffer> = []
      far.on("data", (chunk: Buffer) => back.push(chunk))
      yield* connection.write([bytes(10), bytes(20)])
      yield* connection.end
      assert.deepStrictEqual(Buffer.concat(back), Buffer.concat([bytes(10), bytes(20)]))
    })
  )

  it.effect("without onread, a reader that does not read holds the writer up", () =>
    Effect.gen(function* () {
      const { connection, far } = foreign()
      let written = 0
      const write = (): void => {
        far.write(new Uint8Array(65_536), () => {
          written++
          if (written < 100) write()
        })
      }
      write()
      yield* connection.read([new Uint8Array(10)])
      for (let i = 0; i < 100; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.isBelow(written, 10)
      yield* connection.read([new Uint8Array(50 * 65_536)])
      assert.isAtLeast(written, 48)
    })
  )
})
