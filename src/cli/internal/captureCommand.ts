import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Capture from "../../qemu/Capture.ts"
import * as QmpClient from "../../qemu/QmpClient.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { capturedGuest } from "./guestState.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import * as QmpParameters from "./qmpParameters.ts"
import * as SealParameters from "./sealParameters.ts"
import * as SocketParameters from "./socketParameters.ts"

const live = Flag.Boolean("live").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Capture while the guest runs; it stops only for the last pages"),
  Flag.withDefault(false)
)

const downtimeLimit = Flag.Int("downtime-limit").pipe(
  Flag.withMetavar("MS"),
  Flag.withDescription("With --live: longest downtime in milliseconds (default: QEMU's own setting)"),
  Flag.optional
)

const maxRounds = Flag.Int("max-rounds").pipe(
  Flag.withMetavar("N"),
  Flag.filter(
    (rounds) => rounds >= 1,
    () => "use one round or more"
  ),
  Flag.withDescription("With --live: stop the guest after N rounds and copy the rest"),
  Flag.optional
)

const maxSeconds = Flag.Finite("max-seconds").pipe(
  Flag.withMetavar("S"),
  Flag.filter(
    (seconds) => seconds > 0,
    () => "use more than 0 seconds"
  ),
  Flag.withDescription("With --live: stop the guest after S seconds and copy the rest"),
  Flag.optional
)

const leave = Flag.Literals("leave", ["paused", "running", "quit"]).pipe(
  Flag.withDescription("State of the machine afterwards (default: as before)"),
  Flag.optional
)

/**
 * `multifd capture --qmp SOCKET OUT`
 *
 * @internal
 */
export const captureCommand = define({
  name: "capture",
  group: "Machines",
  description: "Capture a virtual machine into an image through its QMP monitor; the guest continues afterwards",
  examples: [
    { command: "multifd capture --qmp /run/vm/qmp --live vm.img", description: "Take a snapshot while the guest runs" },
    {
      command: "multifd capture --qmp /run/vm/qmp vm.img --leave quit",
      description: "Hibernate a machine: capture it, then quit QEMU"
    }
  ],
  parameters: {
    qmp: QmpParameters.qmp,
    target: Parameters.image("OUT", "The image to write"),
    live,
    downtimeLimit,
    maxRounds,
    maxSeconds,
    ...QmpParameters.transfer,
    ...SealParameters.sealing,
    keepPartial: SealParameters.keepPartial,
    maxBandwidth: SocketParameters.maxBandwidth,
    leave,
    ...Parameters.following
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const { channels, compression, keepPartial, maxBandwidth, target } = options
    const capture = Effect.fnUntraced(function* ({ leaves, otherSide, progress, warn }: Audience) {
      yield* checkApart("capture", [target.path], options)
      const { client, timeout } = QmpParameters.timeouts(options.timeout)
      const qmp = yield* QmpClient.make({ address: options.qmp, ...client })
      return yield* Capture.run({
        qmp,
        target,
        listen: Option.getOrUndefined(options.listen),
        live: options.live,
        downtimeLimit: Option.getOrUndefined(options.downtimeLimit),
        maxRounds: Option.getOrUndefined(options.maxRounds),
        maxTime: Option.getOrUndefined(Option.map(options.maxSeconds, Duration.seconds)),
        timeout,
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
    return yield* follow(options, { image: target, isWritten: true, keepPartial, role: "destination" }, capture)
  })
})
