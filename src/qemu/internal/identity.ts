import * as Effect from "effect/Effect"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"

/**
 * A query that QEMU does not know, that a monitor does not permit, or whose result has an unknown form gives
 * `undefined`.
 *
 * @internal
 */
export const ifAnswered = <A>(question: Effect.Effect<A, QmpError>): Effect.Effect<A | undefined, QmpError> =>
  Effect.catchTags(question, {
    QmpCommandError: () => Effect.succeed(undefined),
    QmpProtocolError: () => Effect.succeed(undefined)
  })

/**
 * The machine's UUID, 16 bytes, zeros if it was given none; `undefined`: QEMU does not answer the query.
 *
 * @internal
 */
export const uuidOf = (qmp: Client): Effect.Effect<Uint8Array | undefined, QmpError> =>
  Effect.map(ifAnswered(QmpCommands.queryUuid(qmp)), (text = "") => Uuid.parse(text))

/**
 * The notes for an image of the machine, with its identity.
 *
 * @internal
 */
export const notesOf = (qmp: Client): Effect.Effect<ImageNotes, QmpError> =>
  Effect.map(uuidOf(qmp), (uuid) => (uuid === undefined || Uuid.isNone(uuid) ? {} : { uuid: Uuid.format(uuid) }))
