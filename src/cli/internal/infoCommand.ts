import * as Effect from "effect/Effect"
import * as Image from "../../image/Image.ts"
import { define } from "./define.ts"
import * as ImageReport from "./imageReport.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"

/**
 * `multifd info IMAGE`
 *
 * @internal
 */
export const infoCommand = define({
  name: "info",
  group: "Images",
  description: "Show the RAM blocks, device sections, machine type and capabilities of an image",
  examples: [{ command: "multifd info --json vm.img", description: "As a JSON document" }],
  parameters: {
    image: Parameters.image("IMAGE", "The image to look at"),
    ...SealParameters.verification
  },
  result: ImageReport.ImageJson,
  toJson: ImageReport.toJson,
  toText: ImageReport.toText,
  run: Effect.fnUntraced(function* (options) {
    return yield* Image.open(options.image, yield* SealParameters.readVerification(options))
  }, Effect.scoped)
})
