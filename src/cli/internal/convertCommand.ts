import * as Effect from "effect/Effect"
import * as Image from "../../image/Image.ts"
import { Migration } from "../../migration/Migration.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"

/**
 * `multifd convert IN OUT`
 *
 * @internal
 */
export const convertCommand = define({
  name: "convert",
  group: "Images",
  description: "Rewrite an image, or a sparse libvirt save, as a plain mapped-ram file that QEMU loads",
  examples: [
    { command: "multifd convert vm.img vm-new.img", description: "Rewrite an image without its stale pages" },
    {
      command: "multifd convert /var/lib/libvirt/qemu/save/vm.save vm.img",
      description: "Convert a libvirt save for QEMU"
    }
  ],
  parameters: {
    source: Parameters.image("IN", "The image to read, libvirt's sparse saves included"),
    target: Parameters.image("OUT", "The image to write"),
    ...SealParameters.sealing,
    keepPartial: SealParameters.keepPartial,
    ...SealParameters.sourceVerification,
    ...Parameters.transfer
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const migration = yield* Migration
    const { channels, directIo, keepPartial, source, target } = options
    const convert = Effect.fnUntraced(function* ({ progress }: Audience) {
      const image = yield* Image.open(source, yield* SealParameters.readSourceVerification(options))
      const seal = yield* SealParameters.readSeal(options)
      yield* checkApart("convert", [target.path], options)
      return yield* migration.convert({ source: image, target, channels, directIo, seal, keepPartial, progress })
    }, Effect.scoped)
    return yield* follow(options, { image: target, isWritten: true, keepPartial }, convert)
  })
})
