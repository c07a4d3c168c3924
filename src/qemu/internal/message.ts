/**
 * QEMU's messages, one object each.
 *
 *     { "QMP": { "version": …, "capabilities": [ … ] } }                     once, first
 *     { "return": …, "id": N }    { "error": { "class", "desc" }, "id": N }  answers, in the order of the commands
 *     { "event": NAME, "data": { … }, "timestamp": { … } }                   at any time after the negotiation
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ExactJson from "./exactJson.ts"
import { AnyNumber, lenient } from "./lenient.ts"
import type { Problem } from "./objectSplitter.ts"

/** The parts of a version; `package` is the distribution's suffix. */
const Version = Schema.Struct({
  qemu: Schema.Struct({ major: AnyNumber, minor: AnyNumber, micro: AnyNumber }),
  package: lenient(Schema.String)
})

/**
 * @internal
 */
export const Greeting = Schema.Struct({
  QMP: Schema.Struct({ version: Version, capabilities: lenient(Schema.Array(Schema.String)) })
})

/**
 * @internal
 */
export type Greeting = typeof Greeting.Type

const id = Schema.Number

/**
 * @internal
 */
export const Return = Schema.Struct({ return: Schema.Unknown, id })

/**
 * @internal
 */
export type Return = typeof Return.Type

/**
 * Without an `id` it is about data that QEMU could not parse.
 *
 * @internal
 */
export const Failure = Schema.Struct({
  error: Schema.Struct({ class: Schema.String, desc: Schema.String }),
  id: Schema.optionalKey(id)
})

/**
 * @internal
 */
export type Failure = typeof Failure.Type

/**
 * @internal
 */
export const Event = Schema.Struct({
  event: Schema.String,
  data: lenient(Schema.Record(Schema.String, Schema.Unknown)),
  timestamp: lenient(Schema.Struct({ seconds: AnyNumber, microseconds: AnyNumber }))
})

/**
 * @internal
 */
export type Event = typeof Event.Type

const Message = Schema.Union([Greeting, Return, Failure, Event])

/**
 * @internal
 */
export type Message = typeof Message.Type

const decodeMessage = Schema.decodeUnknownResult(Message)

/** Enough of a message to recognise it. */
const EXCERPT_CHARACTERS = 80

/**
 * Decodes the bytes of one object.
 *
 * @internal
 */
export const decode = (bytes: Uint8Array): Result.Result<Message, Problem> => {
  const text = new TextDecoder().decode(bytes)
  const found = JSON.stringify(text.slice(0, EXCERPT_CHARACTERS))
  return ExactJson.parse(text).pipe(
    Result.mapError((error) => ({ expected: "valid JSON", found: `${found} (${error})` })),
    Result.flatMap((value) =>
      Result.mapError(decodeMessage(value), () => ({ expected: "a greeting, an answer or an event of QEMU", found }))
    )
  )
}
