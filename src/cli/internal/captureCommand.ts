import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Capture from "../../qmp/Capture.ts"
import * as QmpClient from "../../qmp/QmpClient.ts"
import { type Audience, follow } from "./follow.ts"
import { capturedGuest } from "./guestState.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import * as QmpParameters from "./qmpParameters.ts"
import * as SealParameters from "./sealParameters.ts"
import * as SocketParameters from "./socketParameters.ts"

const live = Flag.Boolean("live").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Keep the guest running while it is saved; it is stopped for the last pages only"),
  Flag.withDefault(false)
)

const leave = Flag.Literals("leave", ["paused", "running", "quit"]).pipe(
  Flag.withDescription("What becomes of the machine (default: it runs if it ran before)"),
  Flag.optional
)

/**
 * `multifd capture --qmp SOCKET OUT`
 *
 * @internal
 */
export const captureCommand = Command.make(
  "capture",
  {
    qmp: QmpParameters.qmp,
    target: Parameters.image("OUT", "The image to write"),
    live,
    ...QmpParameters.transfer,
    ...SealParameters.sealing,
    keepPartial: SealParameters.keepPartial,
    maxBandwidth: SocketParameters.maxBandwidth,
    leave,
    ...Parameters.following
  },
  Effect.fnUntraced(function* (options) {
    const { channels, compression, keepPartial, maxBandwidth, target } = options
    const capture = Effect.fnUntraced(function* ({ leaves, otherSide, progress, warn }: Audience) {
      yield* checkApart("capture", [target.path], options)
      const qmp = yield* QmpClient.make({ address: options.qmp })
      return yield* Capture.run({
        qmp,
        target,
        listen: Option.getOrUndefined(options.listen),
        live: options.live,
        channels,
        compression,
        maxBandwidth,
        seal: yield* SealParameters.readSeal(options),
        keepPartial,
        leave: Option.getOrUndefined(options.leave),
        progress,
        onStatistics: otherSide,
        onProblem: warn
      }).pipe(Effect.onInterrupt(() => Effect.flatMap(capturedGuest(qmp, options.live), leaves)))
    }, Effect.scoped)
    yield* follow(options, { image: target, isWritten: true, keepPartial, role: "destination" }, capture)
  })
).pipe(
  Command.withDescription("Capture a running virtual machine into an image, over its monitor; it goes on afterwards"),
  Command.withExamples([
    { command: "multifd capture --qmp /run/vm/qmp --live vm.img", description: "A snapshot of a guest that goes on" },
    { command: "multifd capture --qmp /run/vm/qmp vm.img --leave quit", description: "Put a machine away" }
  ])
)
