import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Image from "../../migration/Image.ts"
import * as ImageError from "../../migration/ImageError.ts"
import * as Parameters from "./parameters.ts"
import * as Text from "./text.ts"

const toJson = ({ findings, path }: Image.Inspection) => ({
  path,
  ok: ImageError.fromFindings(path, findings) === undefined,
  findings: findings.map(({ code, severity, category, offset, block, expected, found, message }) => ({
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

const toText = ({ findings, path }: Image.Inspection): string =>
  findings.length === 0
    ? `${Text.printable(path)}: nothing is wrong with it`
    : findings.map(({ code, message, severity }) => `${severity} ${code}: ${Text.oneLine(message)}`).join("\n")

/**
 * `multifd verify IMAGE`
 *
 * @internal
 */
export const verifyCommand = Command.make(
  "verify",
  { image: Parameters.image("IMAGE", "The image to check"), json: Parameters.json },
  Effect.fnUntraced(function* (options) {
    const inspection = yield* Image.inspect(options.image)
    yield* Console.log(options.json ? JSON.stringify(toJson(inspection), null, 2) : toText(inspection))
    const error = ImageError.fromFindings(inspection.path, inspection.findings)
    if (error !== undefined) return yield* Effect.fail(error)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Check everything about an image that can be wrong, and list all findings"),
  Command.withExamples([
    { command: "multifd verify vm.img && rm old.img", description: "The exit code says what is wrong" }
  ])
)
