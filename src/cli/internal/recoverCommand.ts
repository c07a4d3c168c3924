import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Recover from "../../migration/Recover.ts"
import { damageLine } from "./damageLine.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import { ReportedError } from "./report.ts"
import * as Text from "./text.ts"

/** Recovered, but not all of it. */
const EXIT_LOST = 12

const toJson = ({ lost, machineState, neverSaved, partial, summary }: Recover.Report) => ({
  partial,
  machineState,
  lost,
  neverSaved,
  summary
})

const isLossy = ({ lost, machineState, neverSaved }: Recover.Report): boolean =>
  !machineState || lost.length > 0 || neverSaved.length > 0

const neverSavedLine = ({ idstr, pages }: Recover.Report["neverSaved"][number]): string =>
  `${Text.counted(pages, "page")} of "${Text.printable(idstr)}" the save had not come to, or they were zero: they are zero now`

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
    yield* checkApart("recover", [target.path], options)
    const report = yield* Recover.run({ source, target, key, channels, seal: { key } }).pipe(
      whenInterrupted("nothing was written")
    )
    yield* Console.log(options.json ? JSON.stringify(toJson(report), null, 2) : toText(report))
    if (isLossy(report)) return yield* new ReportedError({ exitCode: EXIT_LOST })
  })
).pipe(
  Command.withDescription(
    "Write a new image of what has its checksums, and list what has not; 12 is the exit code where something is lost"
  ),
  Command.withExamples([
    {
      command: "multifd recover .vm.img.3f09a1b2c4d5.part vm.img",
      description: "What a save had written when it failed"
    }
  ])
)
