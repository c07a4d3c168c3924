import * as Effect from "effect/Effect"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"

/**
 * What a QEMU does not know, a monitor does not permit, or comes in a form of its own, is not known here either.
 *
 * @internal
 */
export const ifAnswered = <A>(question: Effect.Effect<A, QmpError>): Effect.Effect<A | undefined, QmpError> =>
  Effect.catchTags(question, {
    QmpCommandError: () => Effect.succeed(undefined),
    QmpProtocolError: () => Effect.succeed(undefined)
  })

/**
 * The machine's uuid, 16 bytes, zeros where it was given none; `undefined`: QEMU does not say.
 *
 * @internal
 */
export const uuidOf = (qmp: Client): Effect.Effect<Uint8Array | undefined, QmpError> =>
  Effect.map(ifAnswered(QmpCommands.queryUuid(qmp)), (text = "") => Uuid.parse(text))

/**
 * What an image of the machine says of whose it is.
 *
 * @internal
 */
export const notesOf = (qmp: Client): Effect.Effect<ImageNotes, QmpError> =>
  Effect.map(uuidOf(qmp), (uuid) => (uuid === undefined || Uuid.isNone(uuid) ? {} : { uuid: Uuid.format(uuid) }))
