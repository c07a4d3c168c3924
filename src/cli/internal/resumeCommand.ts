import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Image from "../../image/Image.ts"
import * as QmpClient from "../../qemu/QmpClient.ts"
import * as Resume from "../../qemu/Resume.ts"
import { define } from "./define.ts"
import * as InstantParameters from "./instantParameters.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { resumedGuest } from "./guestState.ts"
import * as Parameters from "./parameters.ts"
import * as QmpParameters from "./qmpParameters.ts"
import * as SealParameters from "./sealParameters.ts"
import { refuse } from "./usage.ts"

const paused = Flag.Boolean("paused").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Load the guest without running it"),
  Flag.withDefault(false)
)

const newIdentity = Flag.Boolean("new-identity").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Clone: allow a machine with another uuid"),
  Flag.withDefault(false)
)

/**
 * `multifd resume --qmp SOCKET IMAGE`
 *
 * @internal
 */
export const resumeCommand = define({
  name: "resume",
  group: "Machines",
  description: "Resume a virtual machine from an image, in a QEMU started with -incoming defer",
  examples: [
    { command: "multifd resume --qmp /run/vm/qmp vm.img", description: "Continue the guest where it was captured" },
    { command: "multifd resume --qmp /run/vm/qmp vm.img --paused", description: "Load the guest without running it" },
    { command: "multifd resume --qmp /run/vm/qmp vm.img --instant", description: "Run the guest within milliseconds" }
  ],
  parameters: {
    qmp: QmpParameters.qmp,
    image: Parameters.image("IMAGE", "The image to resume from"),
    ...QmpParameters.transfer,
    ...SealParameters.verification,
    paused,
    newIdentity,
    allowLost: SealParameters.allowLost,
    ...InstantParameters.parameters,
    ...Parameters.following
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const { allowLost, channels, compression, newIdentity, paused } = options
    yield* refuse("resume", InstantParameters.conflictsOf(options))
    const resume = Effect.fnUntraced(function* (audience: Audience) {
      const { leaves, otherSide, progress, warn } = audience
      const image = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
      const { client, timeout } = QmpParameters.timeouts(options.timeout)
      const qmp = yield* QmpClient.make({ address: options.qmp, ...client })
      const resumed = {
        qmp,
        source: image,
        channels,
        compression,
        timeout,
        listen: Option.getOrUndefined(options.listen),
        paused,
        newIdentity,
        allowLost,
        progress,
        onStatistics: otherSide,
        onProblem: warn
      }
      const ordinary = Resume.run(resumed)
      const way = InstantParameters.wayOf(options, audience)
      return yield* (way?.(resumed, ordinary) ?? ordinary).pipe(
        Effect.onInterrupt(() => Effect.flatMap(resumedGuest(qmp, options.image.path), leaves))
      )
    }, Effect.scoped)
    return yield* follow(options, { image: options.image }, resume)
  })
})
