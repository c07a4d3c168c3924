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
  /** `true` if the command writes it. Default `false`: it reads it. */
  readonly isWritten?: boolean | undefined
  /** `true` if the written part is kept under another name, which a warning reports. */
  readonly keepPartial?: boolean | undefined
  /** The state left by an interruption, besides that of a written image. */
  readonly left?: string | undefined
}

/**
 * The result of a command, and its image.
 *
 * @internal
 */
export interface Outcome {
  readonly summary: Summary & { readonly downtimeMillis?: number | undefined; readonly runState?: string | undefined }
  readonly path: string
  /** Size on disk of a written image's file; `undefined` if that has no meaning, as for a device. */
  readonly bytesOnDisk: number | undefined
}

const PhaseMillis = Schema.Struct({
  setup: Schema.Finite,
  ram: Schema.Finite,
  device: Schema.Finite,
  sync: Schema.Finite
}).annotate({ description: "Milliseconds spent in each phase" })

/**
 * The moved data, as JSON.
 *
 * @internal
 */
export const MovedJson = Schema.Struct({
  bytesTotal: Count.annotate(describe("Bytes of RAM covered, including zero pages")),
  pages: Count.annotate(describe("Pages covered: normalPages + zeroPages")),
  normalPages: Count.annotate(describe("Pages moved as data")),
  zeroPages: Count.annotate(describe("Pages found to be all zeros")),
  bytesTransferred: Count.annotate(describe("Bytes read, written or sent, after any compression")),
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
  bytesOnDisk: Schema.optional(Count.annotate(describe("Size on disk of a written image's file"))),
  machine: Schema.optional(Schema.String.annotate(describe("capture: the machine type with its version"))),
  runState: Schema.optional(Schema.String.annotate(describe("capture, resume: the guest's final run state"))),
  downtimeMillis: Schema.optional(Schema.Finite.annotate(describe("capture: milliseconds the guest was stopped"))),
  statistics: Schema.optional(
    Schema.Record(Schema.String, Schema.Unknown).annotate(describe("capture: QEMU's final query-migrate"))
  )
})

/** @internal */
export const toJson = ({ bytesOnDisk, path, summary }: Outcome): typeof OutcomeJson.Type => ({
  path,
  ...summary,
  bytesOnDisk
})

const BYTES_OF_BLOCK = 512

/** The file at a path, as far as it can be examined. */
const statOf = (path: string): Effect.Effect<Stat | undefined> =>
  Effect.flatMap(FileCalls, (calls) =>
    Effect.callback<Stat | undefined>((resume) => {
      calls.stat(path, (error, stat) => resume(Effect.succeed(error === null ? stat : undefined)))
    })
  )

/**
 * Examines the image at the end of the operation.
 *
 * @internal
 */
export const outcomeOf = Effect.fnUntraced(function* (
  summary: Summary,
  { image, isWritten = false }: Subject
): Effect.fn.Return<Outcome> {
  const stat = isWritten ? yield* statOf(image.path) : undefined
  const bytes = stat === undefined ? 0 : stat.blocks * BYTES_OF_BLOCK
  return { summary, path: image.path, bytesOnDisk: bytes > 0 ? bytes : undefined }
})

/**
 * The state of the image after an interruption.
 *
 * @internal
 */
export const interruptedText = Effect.fnUntraced(function* (
  { image, isWritten = false, keepPartial = false, left }: Subject,
  isComplete = false
): Effect.fn.Return<string> {
  if (!isWritten && left !== undefined) return left
  const stat = isWritten ? yield* statOf(image.path) : undefined
  const path = Text.printable(image.path)
  const untouched = keepPartial ? `${path} was not written` : "nothing was written"
  const isInPlace = stat !== undefined && AtomicFile.isInPlace(image, stat)
  if (isComplete) return [...(left === undefined ? [] : [left]), `${path} is complete`].join(", ")
  const written = isInPlace ? `${path} holds no image, its old content may be lost` : untouched
  return left === undefined ? written : `${left}, ${written}`
})

/**
 * The final summary line.
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
