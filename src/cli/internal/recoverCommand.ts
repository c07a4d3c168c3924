import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { LostPages } from "../../format/seal/ImageNotes.ts"
import { Damage } from "../../image/Integrity.ts"
import * as Recover from "../../migration/Recover.ts"
import { damageLine } from "./damageLine.ts"
import { checkApart } from "./apart.ts"
import { define } from "./define.ts"
import type { Failure } from "./failure.ts"
import { MovedJson } from "./outcome.ts"
import { describe } from "./jsonFields.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import * as Text from "./text.ts"

/** Recovered, but not completely. */
const EXIT_LOST = 12

const RecoverJson = Schema.Struct({
  partial: Schema.Boolean.annotate(describe("true if the save was never finished")),
  machineState: Schema.Boolean.annotate(describe("true if the new image has the device state")),
  lost: Schema.Array(Damage),
  neverSaved: Schema.Array(LostPages),
  summary: MovedJson
})

const toJson = ({ lost, machineState, neverSaved, partial, summary }: Recover.Report): typeof RecoverJson.Type => ({
  partial,
  machineState,
  lost,
  neverSaved,
  summary
})

const isLossy = ({ lost, machineState, neverSaved }: Recover.Report): boolean =>
  !machineState || lost.length > 0 || neverSaved.length > 0

const sumOf = (parts: ReadonlyArray<{ readonly pages: number }>): number =>
  parts.reduce((sum, { pages }) => sum + pages, 0)

const toFailure = (report: Recover.Report): Failure | undefined => {
  if (!isLossy(report)) return undefined
  const { lost, machineState, neverSaved } = report
  const pages = sumOf(lost) + sumOf(neverSaved)
  const parts = [...(pages > 0 ? [Text.counted(pages, "page")] : []), ...(machineState ? [] : ["the device state"])]
  return { tag: "IncompleteRecovery", message: `recovered without ${parts.join(" and ")}`, exitCode: EXIT_LOST }
}

const neverSavedLine = ({ idstr, pages }: Recover.Report["neverSaved"][number]): string =>
  `${Text.counted(pages, "page")} of "${Text.printable(idstr)}" had not been saved yet, or were zero: they are zero now`

const toText = ({ lost, machineState, neverSaved, partial, summary }: Recover.Report): string =>
  [
    `${Text.counted(summary.normalPages, "page")} recovered`,
    ...(partial ? ["the save was never finished"] : []),
    ...neverSaved.map(neverSavedLine),
    ...(machineState ? [] : ["the device state is lost: the new image holds RAM only"]),
    ...lost.map((damage) => `lost ${damageLine(damage)}`)
  ].join("\n")

/**
 * `multifd recover PARTIAL OUT`
 *
 * @internal
 */
export const recoverCommand = define({
  name: "recover",
  group: "Images",
  description: "Write a new image from the intact pages of a damaged or unfinished one, and list the losses",
  examples: [
    {
      command: "multifd recover .vm.img.3f09a1b2c4d5.part vm.img",
      description: "Recover the pages of a failed save with --keep-partial"
    }
  ],
  parameters: {
    source: Parameters.image("PARTIAL", "A damaged image with checksums, or the file kept by --keep-partial"),
    target: Parameters.image("OUT", "The image to write"),
    keyFile: SealParameters.keyFile,
    channels: Parameters.transfer.channels
  },
  result: RecoverJson,
  toJson,
  toText,
  toFailure,
  run: Effect.fnUntraced(function* (options) {
    const { channels, source, target } = options
    const key = yield* SealParameters.readKey(options)
    yield* checkApart("recover", [target.path], options)
    return yield* Recover.run({ source, target, key, channels, seal: { key } }).pipe(
      whenInterrupted("nothing was written")
    )
  })
})
