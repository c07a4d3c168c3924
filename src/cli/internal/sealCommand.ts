import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Seal from "../../image/Seal.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import { refuse } from "./usage.ts"

/**
 * `multifd seal IMAGE`
 *
 * @internal
 */
export const sealCommand = Command.make(
  "seal",
  {
    image: Parameters.image("IMAGE", "The image to seal, in place"),
    ...SealParameters.sealing,
    channels: Parameters.transfer.channels
  },
  Effect.fnUntraced(function* (options) {
    const seal = yield* SealParameters.readSeal(options)
    yield* checkApart("seal", [options.image.path], options)
    if (seal === false) return yield* refuse("seal", ["--seal: expected checksums to add, found none"])
    yield* Seal.run(options.image, { ...seal, channels: options.channels }).pipe(
      whenInterrupted("the image loads as before")
    )
  })
).pipe(
  Command.withDescription(
    "Add checksums to an image in place, where QEMU does not look; an image of ours has them already"
  ),
  Command.withExamples([
    { command: "multifd seal vm.img", description: "What QEMU saved, from now on safe against rotting bits" },
    { command: "multifd seal --key-file /etc/multifd.key vm.img", description: "And against being replaced" }
  ])
)
