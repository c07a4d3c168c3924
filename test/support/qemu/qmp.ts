/**
 * Just enough of QEMU's monitor protocol to drive guests in tests: commands one by one, events in order.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Net from "node:net"

/** QEMU refused a command, or closed the monitor. */
export class QmpError extends Schema.TaggedError<QmpError>()("QmpError", {
  /** What was asked or awaited. */
  command: Schema.String,
  /** QEMU's own words. */
  description: Schema.String
}) {
  override get message() {
    return `${this.command}: ${this.description}`
  }
}

/** Something that happened in the guest or to its migration. */
export interface Event {
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
}

/** One monitor connection. */
export interface Qmp {
  readonly execute: (command: string, args?: Readonly<Record<string, unknown>>) => Effect.Effect<unknown, QmpError>
  /** Takes events in the order in which they came until the predicate holds for one; that one is returned. */
  readonly waitFor: (what: string, predicate: (event: Event) => boolean) => Effect.Effect<Event, QmpError>
}

const Message = Schema.Struct({
  id: Schema.optionalKey(Schema.Number),
  return: Schema.optionalKey(Schema.Unknown),
  error: Schema.optionalKey(Schema.Struct({ desc: Schema.String })),
  event: Schema.optionalKey(Schema.String),
  data: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})

const decodeMessage = Schema.decodeUnknownSync(Schema.fromJsonString(Message))

/** The description of everything that QEMU did not answer any more. */
export const CLOSED = "the monitor was closed"

/** A request that has been sent and not been answered. */
interface Request {
  readonly command: string
  readonly answer: Deferred.Deferred<unknown, QmpError>
}

/** Calls `handle` with every complete line that arrives. */
const onLines = (socket: Net.Socket, handle: (line: string) => void): void => {
  let rest = ""
  socket.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    lines.filter((line) => line.trim() !== "").forEach(handle)
  })
}

const overSocket = (socket: Net.Socket): Effect.Effect<Qmp> =>
  Effect.gen(function* () {
    const events = yield* Queue.unbounded<Event, QmpError>()
    const requests = new Map<number, Request>()
    let lastId = 0

    const answer = (id: number, result: Effect.Effect<unknown, QmpError>): void => {
      const request = requests.get(id)
      requests.delete(id)
      if (request !== undefined) Deferred.doneUnsafe(request.answer, result)
    }
    onLines(socket, (line) => {
      const { data, error, event, id, return: value } = decodeMessage(line)
      if (event !== undefined) Queue.offerUnsafe(events, { name: event, data: data ?? {} })
      else if (id !== undefined && error === undefined) answer(id, Effect.succeed(value))
      else if (id !== undefined) {
        const command = requests.get(id)?.command ?? ""
        answer(id, Effect.fail(new QmpError({ command, description: error!.desc })))
      }
    })
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      for (const [id, { command }] of requests) {
        answer(id, Effect.fail(new QmpError({ command, description: CLOSED })))
      }
      Effect.runFork(Queue.fail(events, new QmpError({ command: "event", description: CLOSED })))
    })

    return {
      execute: (command, args = {}) =>
        Effect.suspend(() => {
          if (socket.destroyed) return Effect.fail(new QmpError({ command, description: CLOSED }))
          const request = { command, answer: Deferred.makeUnsafe<unknown, QmpError>() }
          requests.set(++lastId, request)
          socket.write(JSON.stringify({ execute: command, arguments: args, id: lastId }))
          return Deferred.await(request.answer)
        }),
      waitFor: (what, predicate) => {
        const next: Effect.Effect<Event, QmpError> = Effect.flatMap(Queue.take(events), (event) =>
          predicate(event) ? Effect.succeed(event) : next
        )
        return Effect.mapError(next, ({ description }) => new QmpError({ command: what, description }))
      }
    }
  })

/**
 * Listens at a Unix socket for a QEMU that connects to it, so that nobody has to guess when QEMU is ready. The inner
 * effect waits for the connection and negotiates; both belong to the scope.
 */
export const listen = (path: string): Effect.Effect<Effect.Effect<Qmp, QmpError>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const arrived = yield* Deferred.make<Net.Socket>()
    const server = Net.createServer((socket) => void Deferred.doneUnsafe(arrived, Effect.succeed(socket)))
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void))),
      () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    return Effect.gen(function* () {
      const socket = yield* Deferred.await(arrived)
      yield* Scope.addFinalizer(
        scope,
        Effect.sync(() => socket.destroy())
      )
      const qmp = yield* overSocket(socket)
      yield* qmp.execute("qmp_capabilities")
      return qmp
    })
  })
