import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Codecs } from "../../compression/Codecs.ts"
import type { Codec } from "../../compression/Compression.ts"
import * as AddressWarnings from "../../io/sockets/AddressWarnings.ts"
import * as Listener from "../../io/sockets/Listener.ts"
import * as PeerLimits from "../../multifd/PeerLimits.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as Receiver from "../../multifd/Receiver.ts"
import type { Progress } from "../Progress.ts"
import type { ReceiveError, ReceiveOptions } from "../ReceiveOptions.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { LastStep, SnapshotTarget } from "../../snapshot/SnapshotTarget.ts"
import { checkSocket, DEFAULT_SOCKET_CHANNELS, methodProblems, optionProblems, refuse } from "./request.ts"
import { openTarget } from "./target.ts"

/** Connections of others that may be open besides those of the sender, until they have been identified. */
const SPARE_CONNECTIONS = 8

/** The validated request, with defaults filled in. */
interface Plan {
  /** 0: no multifd. */
  readonly channels: number
  readonly codec: Codec | undefined
  readonly settings: PipelineOptions.PipelineOptions
  readonly limits: PeerLimits.Limits
}

const plan = Effect.fnUntraced(function* (
  options: ReceiveOptions<unknown, unknown>
): Effect.fn.Return<Plan, ReceiveError> {
  const { channels = DEFAULT_SOCKET_CHANNELS, coalescePages, compression = "none" } = options
  const settings = yield* PipelineOptions.make({ channels: channels || 1, coalescePages })
  const limits = yield* PeerLimits.make(options.limits ?? {})
  const codec = compression === "none" ? undefined : (yield* Codecs).get(compression)
  yield* refuse("receive", [...methodProblems(compression, codec, channels), ...optionProblems(options)])
  return { channels, codec, settings, limits }
})

/** A target that keeps the state in memory is limited by `maxHeld`. */
const limitsFor = (limits: PeerLimits.Limits, { holdsState = false }: SnapshotTarget<unknown, unknown>) =>
  holdsState ? { ...limits, maxDeviceState: Math.min(limits.maxDeviceState, limits.maxHeld) } : limits

/**
 * Receives a machine from one sender into a target.
 *
 * @internal
 */
export const receive = Effect.fnUntraced(function* <A, E>(
  options: ReceiveOptions<A, E>,
  progress: Progress,
  last: LastStep<A>
): Effect.fn.Return<A, ReceiveError | E, Scope.Scope> {
  yield* progress.enter("setup")
  const { channels, codec, limits, settings } = yield* plan(options)
  const target = yield* openTarget("receive", options, undefined)
  yield* checkSocket(target, options.listen)
  const { onDevicePacket, onListening, onReceived, pageSize, switchoverAck, tls, uuid } = options
  const listener = yield* Listener.make({
    address: options.listen,
    tls,
    maxConnections: channels + 1 + SPARE_CONNECTIONS,
    handshakeTimeout: limits.handshakeTimeout
  })
  if (onListening !== undefined) yield* onListening(listener.address)
  const { onProblem = Effect.logWarning } = options
  for (const problem of AddressWarnings.ofListener(listener.address, tls)) yield* onProblem(problem)
  return yield* Receiver.run<A, E | FileError>({
    ...{ listener, channels, codec, uuid, pageSize, switchoverAck, target, onDevicePacket },
    mayLeave: onReceived !== undefined,
    limits: limitsFor(limits, target),
    rateLimit: yield* RateLimit.of(options.maxBandwidth),
    transfer: { counters: progress.counters, coalescePages: settings.coalescePages },
    hooks: {
      enter: (step, { blocks }) =>
        step === "ram" ? Effect.andThen(progress.begin(blocks), progress.enter(step)) : progress.enter(step),
      last,
      onReceived
    }
  })
})
