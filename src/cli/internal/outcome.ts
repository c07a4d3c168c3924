import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AtomicFile from "../../io/files/AtomicFile.ts"
import { FileCalls, type Stat } from "../../io/files/FileCalls.ts"
import type { Location } from "../../image/Location.ts"
import type { Summary } from "../../migration/Migration.ts"
import { Count, describe } from "./jsonFields.ts"
import * as Text from "./text.ts"

/**
 * The image of a command.
 *
 * @internal
 */
export interface Subject {
  readonly image: Location
  /** Whether the command writes it. Default `false`: it reads it. */
  readonly isWritten?: boolean | undefined
  /** Whether what was written of it stays under another name, which a warning tells. */
  readonly keepPartial?: boolean | undefined
  /** What an interruption leaves, besides what is known of an image that is written. */
  readonly left?: string | undefined
}

/**
 * What a command has done, and to which image.
 *
 * @internal
 */
export interface Outcome {
  readonly summary: Summary & { readonly downtimeMillis?: number | undefined; readonly runState?: string | undefined }
  readonly path: string
  /** Bytes that the file of an image takes that was written; `undefined` where that says nothing: of a device, for example. */
  readonly bytesOnDisk: number | undefined
}

const PhaseMillis = Schema.Struct({
  setup: Schema.Finite,
  ram: Schema.Finite,
  device: Schema.Finite,
  sync: Schema.Finite
}).annotate({ description: "Milliseconds that were spent in each phase" })

/**
 * What was moved, as JSON.
 *
 * @internal
 */
export const MovedJson = Schema.Struct({
  bytesTotal: Count.annotate(describe("Bytes of RAM covered, zero pages included")),
  pages: Count.annotate(describe("Pages covered: normalPages + zeroPages")),
  normalPages: Count.annotate(describe("Pages moved as data")),
  zeroPages: Count.annotate(describe("Pages found to be all zeros")),
  bytesTransferred: Count.annotate(describe("Bytes read, written or sent, compressed where they are")),
  phaseMillis: PhaseMillis
})

/**
 * The result of a command that moves pages, as JSON.
 *
 * @internal
 */
export const OutcomeJson = Schema.Struct({
  path: Schema.String.annotate(describe("The image")),
  ...MovedJson.fields,
  bytesOnDisk: Schema.optional(Count.annotate(describe("Bytes that the file of a written image takes"))),
  machine: Schema.optional(Schema.String.annotate(describe("capture: the machine type with its version"))),
  runState: Schema.optional(Schema.String.annotate(describe("capture, resume: the guest's run state in the end"))),
  downtimeMillis: Schema.optional(Schema.Finite.annotate(describe("capture: milliseconds the guest was stopped"))),
  statistics: Schema.optional(
    Schema.Record(Schema.String, Schema.Unknown).annotate(describe("capture: QEMU's query-migrate in the end"))
  )
})

/** @internal */
export const toJson = ({ bytesOnDisk, path, summary }: Outcome): typeof OutcomeJson.Type => ({
  path,
  ...summary,
  bytesOnDisk
})

const BYTES_OF_BLOCK = 512

/** What is there, as far as it can be seen. */
const look = (path: string): Effect.Effect<Stat | undefined> =>
  Effect.flatMap(FileCalls, (calls) =>
    Effect.callback<Stat | undefined>((resume) => {
      calls.stat(path, (error, stat) => resume(Effect.succeed(error === null ? stat : undefined)))
    })
  )

/**
 * Looks at the image when everything is done.
 *
 * @internal
 */
export const outcomeOf = Effect.fnUntraced(function* (
  summary: Summary,
  { image, isWritten = false }: Subject
): Effect.fn.Return<Outcome> {
  const stat = isWritten ? yield* look(image.path) : undefined
  const bytes = stat === undefined ? 0 : stat.blocks * BYTES_OF_BLOCK
  return { summary, path: image.path, bytesOnDisk: bytes > 0 ? bytes : undefined }
})

/**
 * What an interruption leaves of the image.
 *
 * @internal
 */
export const interruptedText = Effect.fnUntraced(function* (
  { image, isWritten = false, keepPartial = false, left }: Subject,
  isComplete = false
): Effect.fn.Return<string> {
  if (!isWritten && left !== undefined) return left
  const stat = isWritten ? yield* look(image.path) : undefined
  const path = Text.printable(image.path)
  const untouched = keepPartial ? `${path} was not written` : "nothing was written"
  const isInPlace = stat !== undefined && AtomicFile.isInPlace(image, stat)
  if (isComplete) return [...(left === undefined ? [] : [left]), `${path} is complete`].join(", ")
  const written = isInPlace ? `${path} holds no image, what was there may be lost` : untouched
  return left === undefined ? written : `${left}, ${written}`
})

/**
 * The line that stays when everything is done.
 *
 * @internal
 */
export const summaryLine = ({ bytesOnDisk, path, summary }: Outcome): string => {
  const { device, ram, setup, sync } = summary.phaseMillis
  const total = setup + ram + device + sync
  const rate = total > 0 ? [`${Text.bytes((summary.bytesTotal * 1000) / total)}/s`] : []
  const disk = bytesOnDisk === undefined ? [] : [`${Text.bytes(bytesOnDisk)} on disk`]
  const downtime = summary.downtimeMillis === undefined ? [] : [`downtime ${Math.round(summary.downtimeMillis)} ms`]
  const guest = summary.runState === undefined ? [] : [`the guest is ${Text.printable(summary.runState)}`]
  const pages = `${summary.pages} pages, ${summary.zeroPages} zero`
  const done = `${Text.bytes(summary.bytesTotal)} (${pages}) in ${Text.duration(total)}`
  return `${Text.printable(path)}: ${[done, ...rate, ...disk, ...downtime, ...guest].join(", ")}`
}
