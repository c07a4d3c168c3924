import * as Effect from "effect/Effect"
import * as Image from "../../image/Image.ts"
import { Migration } from "../../migration/Migration.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import { restoreInto } from "./restoreTargets.ts"
import * as SealParameters from "./sealParameters.ts"

/**
 * `multifd restore IMAGE --block ID=PATH [--block …]`
 *
 * @internal
 */
export const restoreCommand = define({
  name: "restore",
  group: "Images",
  description: "Restore RAM blocks of an image into files; existing files are overwritten in place",
  examples: [
    {
      command: "multifd restore vm.img --block pc.ram=/dev/shm/guest-ram",
      description: "Restore the RAM of a sandbox"
    },
    {
      command: "multifd restore vm.img --block pc.ram=dump.bin --block pc.bios=dump.bin,offset=4G",
      description: "Two blocks in one file"
    }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to read"),
    blocks: Parameters.blocks("A RAM block of the image and the file or device for its pages; may be repeated"),
    ...SealParameters.verification,
    ...Parameters.transfer
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const migration = yield* Migration
    const { channels, directIo } = options
    const restore = Effect.fnUntraced(function* ({ progress }: Audience) {
      const image = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
      const paths = options.blocks.map(({ path }) => path)
      yield* checkApart("restore", paths, options)
      return yield* restoreInto(image, options.blocks, (blocks) =>
        migration.restore({ source: image, blocks, channels, directIo, progress })
      )
    }, Effect.scoped)
    return yield* follow(
      options,
      { image: options.image, role: "destination", left: "existing files may hold pages of the image" },
      restore
    )
  })
})
