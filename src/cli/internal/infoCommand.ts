import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Image from "../../image/Image.ts"
import * as ImageReport from "./imageReport.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"

/**
 * `multifd info IMAGE`
 *
 * @internal
 */
export const infoCommand = Command.make(
  "info",
  {
    image: Parameters.image("IMAGE", "The image to look at"),
    ...SealParameters.verification,
    json: Parameters.json
  },
  Effect.fnUntraced(function* (options) {
    const image = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
    yield* Console.log(options.json ? JSON.stringify(ImageReport.toJson(image), null, 2) : ImageReport.toText(image))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show what an image holds: RAM blocks, bitmaps, device sections, machine type, capabilities"),
  Command.withExamples([{ command: "multifd info --json vm.img", description: "One JSON document" }])
)
