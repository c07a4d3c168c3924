import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Recover from "../../migration/Recover.ts"
import { damageLine } from "./damageLine.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import * as Text from "./text.ts"

const toJson = ({ lost, machineState, partial, summary }: Recover.Report) => ({ partial, machineState, lost, summary })

const toText = ({ lost, machineState, partial, summary }: Recover.Report): string =>
  [
    `${Text.counted(summary.normalPages, "page")} recovered`,
    ...(partial ? ["the save was never finished: pages that it had not come to are zero"] : []),
    ...(machineState ? [] : ["the device state is lost: the new image holds RAM only"]),
    ...lost.map((damage) => `lost ${damageLine(damage)}`)
  ].join("\n")

/**
 * `multifd recover PARTIAL OUT`
 *
 * @internal
 */
export const recoverCommand = Command.make(
  "recover",
  {
    source: Parameters.image("PARTIAL", "A damaged image with checksums, or what --keep-partial has kept"),
    target: Parameters.image("OUT", "The image to write"),
    keyFile: SealParameters.keyFile,
    channels: Parameters.transfer.channels,
    json: Parameters.json
  },
  Effect.fnUntraced(function* (options) {
    const { channels, source, target } = options
    const key = yield* SealParameters.readKey(options)
    const report = yield* Recover.run({ source, target, key, channels, seal: { key } }).pipe(
      whenInterrupted("nothing was written")
    )
    yield* Console.log(options.json ? JSON.stringify(toJson(report), null, 2) : toText(report))
  })
).pipe(
  Command.withDescription("Write a new image of what has its checksums, and list what has not"),
  Command.withExamples([
    {
      command: "multifd recover .vm.img.3f09a1b2c4d5.part vm.img",
      description: "What a save had written when it failed"
    }
  ])
)
