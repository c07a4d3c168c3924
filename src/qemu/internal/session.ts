/**
 * The working connection to a monitor.
 *
 *     execute ──▶ outgoing ──▶ writer ──▶ connection ──▶ reader ──┬─▶ the greeting
 *        ▲                                                        ├─▶ callers, by id
 *        └──────────────────────── answer ◀───────────────────────┤
 *     subscribe ◀────────────────────────────────── events ◀──────┘
 *
 * Writer and reader belong to the scope. The first failure of either ends the session, and all waiting callers get the
 * reason.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Connection } from "../../io/sockets/Connection.ts"
import * as QmpError from "../QmpError.ts"
import * as Callers from "./callers.ts"
import * as ExactJson from "./exactJson.ts"
import * as Message from "./message.ts"
import * as ObjectSplitter from "./objectSplitter.ts"
import * as Subscribers from "./subscribers.ts"

type EndedError = QmpError.QmpDisconnectedError | QmpError.QmpProtocolError
type CommandFailure = EndedError | QmpError.QmpCommandError

/** The reason of the session's end, for a caller that waits for the answer to `command` or for something else. */
type Ending = (command?: string) => EndedError

/** A command to be sent. */
interface Outgoing {
  readonly caller: Callers.Caller<CommandFailure>
  readonly text: string
}

/**
 * @internal
 */
export interface Session {
  /** QEMU's first message. */
  readonly greeting: Effect.Effect<Message.Greeting, EndedError>
  readonly execute: (command: string, args: Readonly<Record<string, unknown>>) => Effect.Effect<unknown, CommandFailure>
  readonly subscribe: Subscribers.Subscribers<Message.Event, QmpError.QmpEventsError>["subscribe"]
  readonly ended: Effect.Effect<void>
}

/**
 * @internal
 */
export interface Options {
  readonly maxMessageBytes: number
  readonly maxWaitingEvents: number
}

/** Longer than most messages of QEMU. */
const READ_BYTES = 64 * 1024

/** The state of a session, and its transitions; nothing here waits. */
const makeState = (peer: string, { maxMessageBytes, maxWaitingEvents }: Options) => {
  const greeting = Deferred.makeUnsafe<Message.Greeting, EndedError>()
  const ended = Deferred.makeUnsafe<void>()
  const callers = Callers.make<CommandFailure>()
  const subscribers = Subscribers.make<Message.Event, QmpError.QmpEventsError>(
    maxWaitingEvents,
    () => new QmpError.QmpEventsLostError({ peer, limit: maxWaitingEvents })
  )
  const splitter = ObjectSplitter.make(maxMessageBytes)
  let ending: Ending | undefined

  const end = (reason: Ending): void => {
    if (ending !== undefined) return
    ending = reason
    Deferred.doneUnsafe(greeting, Effect.fail(reason()))
    callers.end(reason)
    subscribers.end(reason())
    Deferred.doneUnsafe(ended, Effect.void)
  }
  const disconnect = (cause?: unknown): void =>
    end((command) => new QmpError.QmpDisconnectedError({ peer, command, cause }))
  const misunderstand = (expected: string, found: string): void =>
    end((command) => new QmpError.QmpProtocolError({ peer, command, expected, found }))

  const answer = (id: number, result: (command: string) => Effect.Effect<unknown, CommandFailure>): void => {
    if (callers.isKnown(id)) callers.answer(id, ({ command }) => result(command))
    else misunderstand("an answer to a command that was sent", `one with the id ${id}`)
  }
  const handle = (message: Message.Message): void => {
    if ("QMP" in message) Deferred.doneUnsafe(greeting, Effect.succeed(message))
    else if ("event" in message) subscribers.publish(message)
    else if ("return" in message) answer(message.id, () => Effect.succeed(message.return))
    else {
      const { class: name, desc: description } = message.error
      if (message.id === undefined) misunderstand("QEMU to accept our data", JSON.stringify(description))
      else {
        answer(message.id, (command) =>
          Effect.fail(new QmpError.QmpCommandError({ peer, command, class: name, description }))
        )
      }
    }
  }
  const handleObject = (object: Uint8Array): void => {
    const message = Message.decode(object)
    if (Result.isSuccess(message)) handle(message.success)
    else misunderstand(message.failure.expected, message.failure.found)
  }
  const receive = (bytes: Uint8Array): void => {
    const problem = splitter.push(bytes, handleObject)
    if (problem !== undefined) misunderstand(problem.expected, problem.found)
  }
  return { greeting, ended, callers, subscribers, disconnect, receive, ending: () => ending }
}

/**
 * Reads and writes until the scope ends.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (
  connection: Connection,
  options: Options
): Effect.fn.Return<Session, never, Scope.Scope> {
  const state = makeState(connection.peer, options)
  const outgoing = yield* Queue.unbounded<Outgoing>()
  const buffer = new Uint8Array(READ_BYTES)

  const read = Effect.map(
    Effect.suspend(() => connection.readSome(buffer)),
    (length) => (length === 0 ? state.disconnect() : state.receive(buffer.subarray(0, length)))
  )
  const write = Effect.flatMap(Queue.take(outgoing), ({ caller, text }) =>
    state.callers.isWaiting(caller) ? connection.write([new TextEncoder().encode(`${text}\n`)]) : Effect.void
  )
  const untilTheEnd = <E>(self: Effect.Effect<void, E>) =>
    self.pipe(
      Effect.repeat({ while: () => state.ending() === undefined }),
      Effect.catch((cause) => Effect.sync(() => state.disconnect(cause))),
      Effect.forkScoped
    )
  yield* Effect.addFinalizer(() => Effect.sync(() => state.disconnect()))
  yield* untilTheEnd(read)
  yield* untilTheEnd(write)

  const execute: Session["execute"] = (command, args) =>
    Effect.suspend(() => {
      const ending = state.ending()
      if (ending !== undefined) return Effect.fail(ending(command))
      const caller = state.callers.add(command)
      const text = ExactJson.stringify({ execute: command, arguments: args, id: caller.id })
      Queue.offerUnsafe(outgoing, { caller, text })
      return Effect.ensuring(
        Deferred.await(caller.answer),
        Effect.sync(() => state.callers.remove(caller))
      )
    })
  return {
    greeting: Deferred.await(state.greeting),
    execute,
    subscribe: state.subscribers.subscribe,
    ended: Deferred.await(state.ended)
  }
})
