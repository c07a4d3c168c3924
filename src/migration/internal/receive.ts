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
import type { MachineState } from "../../snapshot/MachineState.ts"
import type { Progress } from "../Progress.ts"
import type { ReceiveError, ReceiveFrom, ReceiveIntoBlocks, ReceiveIntoImage } from "../ReceiveOptions.ts"
import * as Location from "../../image/Location.ts"
import * as BlocksApart from "../../snapshot/BlocksApart.ts"
import type { LastStep } from "../../snapshot/SnapshotTarget.ts"
import * as BlocksTarget from "../../snapshot/BlocksTarget.ts"
import * as ImageTarget from "../../image/ImageTarget.ts"
import { checkSocket, DEFAULT_SOCKET_CHANNELS, methodProblems, optionProblems, refuse } from "./request.ts"

/** Connections of others that may be open beside those of the sender, until they have been told apart. */
const SPARE_CONNECTIONS = 8

/** What was asked for, checked, with everything filled in that was left out. */
interface Plan {
  /** 0: no multifd. */
  readonly channels: number
  readonly codec: Codec | undefined
  readonly settings: PipelineOptions.PipelineOptions
  readonly limits: PeerLimits.Limits
}

const plan = Effect.fnUntraced(function* (options: ReceiveFrom): Effect.fn.Return<Plan, ReceiveError> {
  const { channels = DEFAULT_SOCKET_CHANNELS, coalescePages, compression = "none" } = options
  const settings = yield* PipelineOptions.make({ channels: channels || 1, coalescePages })
  const limits = yield* PeerLimits.make(options.limits ?? {})
  const codec = compression === "none" ? undefined : (yield* Codecs).get(compression)
  yield* refuse("receive", [...methodProblems(compression, codec, channels), ...optionProblems(options)])
  return { channels, codec, settings, limits }
})

/** Listens for one sender, and receives from it into a target that is ready. */
const receiveInto = Effect.fnUntraced(function* <A, E>(
  options: ReceiveFrom,
  { channels, codec, limits, settings }: Plan,
  into: Pick<Receiver.Options<A, E>, "target" | "onDevicePacket" | "mayLeave"> & Omit<Receiver.Hooks<A>, "enter">,
  progress: Progress
): Effect.fn.Return<A, ReceiveError | E, Scope.Scope> {
  const { onListening, onProblem = Effect.logWarning, pageSize, switchoverAck, tls, uuid } = options
  const listener = yield* Listener.make({
    address: options.listen,
    tls,
    maxConnections: channels + 1 + SPARE_CONNECTIONS,
    handshakeTimeout: limits.handshakeTimeout
  })
  if (onListening !== undefined) yield* onListening(listener.address)
  for (const problem of AddressWarnings.ofListener(listener.address, tls)) yield* onProblem(problem)
  const { last, mayLeave, onCommitted, onDevicePacket, onReceived, target } = into
  return yield* Receiver.run({
    ...{ listener, channels, codec, uuid, pageSize, switchoverAck, mayLeave, limits, target, onDevicePacket },
    rateLimit: yield* RateLimit.of(options.maxBandwidth),
    transfer: { counters: progress.counters, coalescePages: settings.coalescePages },
    hooks: {
      enter: (step, { blocks }) =>
        step === "ram" ? Effect.andThen(progress.begin(blocks), progress.enter(step)) : progress.enter(step),
      last,
      onCommitted,
      onReceived
    }
  })
})

/**
 * Receives a machine into an image.
 *
 * @internal
 */
export const receiveImage = Effect.fnUntraced(function* (
  options: ReceiveIntoImage,
  progress: Progress,
  commit: () => boolean,
  last: LastStep
): Effect.fn.Return<void, ReceiveError, Scope.Scope> {
  yield* progress.enter("setup")
  yield* refuse("receive", ImageTarget.problems(options))
  const planned = yield* plan(options)
  yield* checkSocket(Location.make(options.target), options.listen)
  const target = yield* ImageTarget.make(options.target, options)
  const { onReceived } = options
  const mayLeave = onReceived !== undefined
  yield* receiveInto(options, planned, { target, mayLeave, last, onReceived, onCommitted: commit }, progress)
})

/**
 * Receives a machine's RAM into blocks, and everything else into memory.
 *
 * @internal
 */
export const receiveBlocks = Effect.fnUntraced(function* <E>(
  options: ReceiveIntoBlocks<E>,
  progress: Progress,
  commit: (machine: MachineState) => boolean
): Effect.fn.Return<MachineState, ReceiveError | E, Scope.Scope> {
  yield* progress.enter("setup")
  const planned = yield* plan(options)
  if (typeof options.blocks !== "function") yield* BlocksApart.check("receive", options.blocks)
  const { limits } = planned
  const held = { ...planned, limits: { ...limits, maxDeviceState: Math.min(limits.maxDeviceState, limits.maxHeld) } }
  const { onDevicePacket } = options
  const target = BlocksTarget.make(options.blocks)
  return yield* receiveInto(options, held, { target, onDevicePacket, onCommitted: commit }, progress)
})
