import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Finding from "../../format/Finding.ts"
import * as Integrity from "../../image/Integrity.ts"
import * as Verify from "../../image/Verify.ts"
import { ImageNotes } from "../../format/seal/ImageNotes.ts"
import * as Failure from "./failure.ts"
import { damageLine } from "./damageLine.ts"
import { define } from "./define.ts"
import { SealJson } from "./imageReport.ts"
import type { Paint } from "./paint.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import { Count, describe } from "./jsonFields.ts"
import * as Text from "./text.ts"

const sealOf = ({ inspection: { seal } }: Verify.Report) =>
  seal === undefined ? null : { algorithm: seal.algorithm, extentSize: seal.extentSize }

/** The reason why the image is not OK, with or without findings. */
const reasonOf = ({ error }: Verify.Report) =>
  error === undefined
    ? null
    : {
        error: error._tag,
        ...(error._tag === "SealKeyError" ? { problem: error.problem } : {}),
        message: error.message
      }

const FindingJson = Schema.Struct({
  code: Schema.String,
  severity: Finding.Severity,
  category: Finding.Category,
  offset: Count.annotate(describe("Absolute offset of the bytes in the file")),
  block: Schema.optionalKey(Schema.String),
  expected: Schema.String,
  found: Schema.String,
  message: Schema.String
})

const ReasonJson = Schema.Struct({
  error: Schema.String,
  problem: Schema.optionalKey(Schema.String),
  message: Schema.String
}).annotate(describe("The failure in short; error has the details"))

const VerifyJson = Schema.Struct({
  path: Schema.String,
  ok: Schema.Boolean,
  reason: Schema.NullOr(ReasonJson),
  seal: Schema.NullOr(SealJson),
  notes: ImageNotes,
  damage: Schema.Array(Integrity.Damage),
  findings: Schema.Array(FindingJson)
})

const toJson = (report: Verify.Report): typeof VerifyJson.Type => ({
  path: report.inspection.path,
  ok: report.error === undefined,
  reason: reasonOf(report),
  seal: sealOf(report),
  notes: report.inspection.notes,
  damage: report.damage,
  findings: report.inspection.findings.map(({ code, severity, category, offset, block, expected, found, message }) => ({
    code,
    severity,
    category,
    offset,
    ...(block === undefined ? {} : { block }),
    expected,
    found,
    message
  }))
})

/** Without checksums, the pages of an image cannot be known to be right. */
const verdictOf = ({ inspection: { seal } }: Verify.Report): string =>
  seal === undefined
    ? "the structure is valid; without checksums, its pages cannot be checked"
    : `every page matches its checksum (${Text.algorithm(seal.algorithm)})`

/** Pages that differ from the seal are damaged only if the seal belongs to this image. */
const lineOf = ({ error }: Verify.Report, damage: Integrity.Damage, paint: Paint): string =>
  error?._tag === "SealMismatchError"
    ? `differs from the sealed image: ${damageLine(damage)}`
    : `${paint.bad("error")} pages-checksum-wrong: ${damageLine(damage)}`

/** Failures without a finding. */
const otherLines = ({ error }: Verify.Report, paint: Paint): ReadonlyArray<string> =>
  error?._tag === "SealKeyError" || error?._tag === "LostPagesError"
    ? [`${paint.bad("error")}: ${Text.oneLine(error.message)}`]
    : []

const toText = (report: Verify.Report, paint: Paint): string => {
  const { damage, error, inspection } = report
  const path = Text.printable(inspection.path)
  const severityOf = ({ severity }: Finding.Finding) => paint[severity === "error" ? "bad" : "warning"](severity)
  const lines = [
    ...inspection.findings.map((finding) => `${severityOf(finding)} ${finding.code}: ${Text.oneLine(finding.message)}`),
    ...damage.map((one) => lineOf(report, one, paint)),
    ...otherLines(report, paint)
  ]
  if (error === undefined) return [...lines, `${path}: ${paint.good("OK")}: ${verdictOf(report)}`].join("\n")
  return [...lines, ...(error._tag === "LostPagesError" ? [`${path}: ${verdictOf(report)}`] : [])].join("\n")
}

/**
 * `multifd verify IMAGE`
 *
 * @internal
 */
export const verifyCommand = define({
  name: "verify",
  group: "Images",
  description: "Check the structure of an image and the checksums of its pages, and list all findings",
  examples: [
    {
      command: "multifd verify vm.img && rm old.img",
      description: "Delete the old image only if the new one is intact"
    }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to check"),
    keyFile: SealParameters.keyFile,
    channels: Parameters.transfer.channels
  },
  result: VerifyJson,
  toJson,
  toText,
  // The result has already reported each problem once.
  toFailure: ({ error }) => (error === undefined ? undefined : Failure.fromError(error)),
  run: Effect.fnUntraced(function* (options) {
    const key = yield* SealParameters.readKey(options)
    return yield* Verify.run(options.image, { channels: options.channels, key }).pipe(
      whenInterrupted("nothing was written, and nothing is known yet")
    )
  }, Effect.scoped)
})
