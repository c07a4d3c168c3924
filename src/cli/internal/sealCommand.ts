import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Integrity from "../../image/Integrity.ts"
import * as Seal from "../../image/Seal.ts"
import { checkApart } from "./apart.ts"
import { define } from "./define.ts"
import { describe } from "./jsonFields.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import { refusal } from "./usage.ts"

const SealedJson = Schema.Struct({
  path: Schema.String.annotate(describe("The image")),
  algorithm: Schema.String.annotate(describe("crc32, sha256 or hmac-sha256"))
})

/**
 * `multifd seal IMAGE`
 *
 * @internal
 */
export const sealCommand = define({
  name: "seal",
  group: "Images",
  description: "Add checksums to an image in place; QEMU ignores them",
  examples: [
    { command: "multifd seal vm.img", description: "Protect an image that QEMU saved against bit rot" },
    { command: "multifd seal --key-file /etc/multifd.key vm.img", description: "Protect it against tampering as well" }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to seal, in place"),
    ...SealParameters.sealing,
    channels: Parameters.transfer.channels
  },
  result: SealedJson,
  toJson: (sealed: typeof SealedJson.Type) => sealed,
  run: Effect.fnUntraced(function* (options) {
    const seal = yield* SealParameters.readSeal(options)
    yield* checkApart("seal", [options.image.path], options)
    if (seal === false)
      return yield* refusal("seal", ["--seal is none, and there is nothing to add; use crc32, sha256 or hmac-sha256"])
    yield* Seal.run(options.image, { ...seal, channels: options.channels }).pipe(
      whenInterrupted("the image loads as before")
    )
    return { path: options.image.path, algorithm: Integrity.settings(seal).algorithm }
  })
})
