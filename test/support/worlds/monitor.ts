/**
 * A monitor that answers as a test wants it to, on a network in memory.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Scope from "effect/Scope"
import type { Connection } from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as ExactJson from "../../../src/qemu/internal/exactJson.ts"

/** A command as it arrived. */
export interface Request {
  readonly execute: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly id: number
}

/** The test's end of a monitor's connection. */
export interface Monitor {
  /** Waits for the next command. */
  readonly next: Effect.Effect<Request>
  /** Sends anything: text as it is, values as a line of JSON. */
  readonly say: (message: unknown) => Effect.Effect<void>
  readonly answer: (request: Request, value: unknown) => Effect.Effect<void>
  readonly refuse: (request: Request, description: string, name?: string) => Effect.Effect<void>
  readonly tell: (event: string, data?: unknown) => Effect.Effect<void>
  /** Greets, and accepts the negotiation. */
  readonly greet: Effect.Effect<void>
}

export const address: SocketAddress.SocketAddress = SocketAddress.unix("/run/qmp")

export const greeting = {
  QMP: { version: { qemu: { major: 10, minor: 0, micro: 2 }, package: "Debian" }, capabilities: ["oob"] }
}

export const timestamp = { seconds: 1_795_272_036, microseconds: 642_827 }

const readerOf = (connection: Connection): Effect.Effect<Request> => {
  const buffer = new Uint8Array(4096)
  let text = ""
  const next: Effect.Effect<Request> = Effect.suspend(() => {
    const end = text.indexOf("\n")
    if (end >= 0) {
      const line = text.slice(0, end)
      text = text.slice(end + 1)
      return Effect.succeed(JSON.parse(line) as Request)
    }
    return Effect.flatMap(Effect.orDie(connection.readSome(buffer)), (length) => {
      if (length === 0) return Effect.never
      text += new TextDecoder().decode(buffer.subarray(0, length))
      return next
    })
  })
  return next
}

const over = (connection: Connection): Monitor => {
  const turn = Semaphore.makeUnsafe(1)
  const say: Monitor["say"] = (message) => {
    const text = typeof message === "string" ? message : `${ExactJson.stringify(message)}\r\n`
    // An interrupted write closes the connection, and a migration that is called off is interrupted as it tells of itself.
    return turn.withPermit(Effect.uninterruptible(Effect.orDie(connection.write([new TextEncoder().encode(text)]))))
  }
  const next = readerOf(connection)
  const answer: Monitor["answer"] = ({ id }, value) => say({ return: value, id })
  return {
    next,
    say,
    answer,
    refuse: ({ id }, desc, name = "GenericError") => say({ error: { class: name, desc }, id }),
    tell: (event, data) => say({ timestamp, event, ...(data === undefined ? {} : { data }) }),
    greet: Effect.gen(function* () {
      yield* say(greeting)
      yield* answer(yield* next, {})
    })
  }
}

/** Listens until its scope ends; the inner effect waits for a client, and the connection belongs to its own scope. */
export const listen: Effect.Effect<Effect.Effect<Monitor, never, Scope.Scope>, never, Scope.Scope> = Effect.map(
  Effect.orDie(Listener.make({ address })),
  (listener) => Effect.map(Effect.orDie(listener.accept), over)
)
