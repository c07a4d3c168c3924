import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Codecs } from "../../compression/Codecs.ts"
import type { Codec } from "../../compression/Compression.ts"
import * as Exposure from "../../io/sockets/Exposure.ts"
import * as Listener from "../../io/sockets/Listener.ts"
import * as Limits from "../../multifd/Limits.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import type { ProtocolError } from "../../multifd/ProtocolError.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as Receiver from "../../multifd/Receiver.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import * as Integrity from "../../image/Integrity.ts"
import type { MachineState } from "../../snapshot/MachineState.ts"
import type { MigrationRequestError } from "../../snapshot/MigrationRequestError.ts"
import type { Progress } from "../Progress.ts"
import type { ReceiveError, ReceiveFrom, ReceiveIntoBlocks, ReceiveIntoImage } from "../ReceiveOptions.ts"
import * as Location from "../../image/Location.ts"
import { blocksTarget } from "../../snapshot/BlocksTarget.ts"
import { imageTarget } from "../../image/ImageTarget.ts"
import type { LastStep } from "./operation.ts"
import { checkApart, checkSocket, DEFAULT_SOCKET_CHANNELS, keepProblems, refuse, uuidProblems } from "./request.ts"

/** Connections of others that may be open beside those of the sender, until they have been told apart. */
const SPARE_CONNECTIONS = 8

/** What was asked for, checked, with everything filled in that was left out. */
interface Plan {
  /** 0: no multifd. */
  readonly channels: number
  readonly codec: Codec | undefined
  readonly settings: PipelineOptions.PipelineOptions
  readonly limits: Limits.Limits
}

const plan = Effect.fnUntraced(function* (options: ReceiveFrom): Effect.fn.Return<Plan, ReceiveError> {
  const { channels = DEFAULT_SOCKET_CHANNELS, coalescePages, compression = "none", pageSize, uuid } = options
  const settings = yield* PipelineOptions.make({ channels: channels || 1, coalescePages })
  const limits = yield* Limits.make(options.limits ?? {})
  const codec = compression === "none" ? undefined : (yield* Codecs).get(compression)
  yield* refuse("receive", [
    ...(compression !== "none" && codec === undefined
      ? [`expected a compression that is registered, found ${compression}`]
      : []),
    ...(compression !== "none" && channels === 0
      ? [`expected at least one channel for ${compression}, found none`]
      : []),
    ...(pageSize === undefined || isPageSize(pageSize)
      ? []
      : [
          `expected pages of a power of two from ${RamBlock.minPageSize} to ${RamBlock.maxPageSize} bytes, found ${pageSize}`
        ]),
    ...uuidProblems(uuid)
  ])
  return { channels, codec, settings, limits }
})

const isPageSize = (size: number): boolean =>
  size >= RamBlock.minPageSize && size <= RamBlock.maxPageSize && Number.isInteger(Math.log2(size))

/** Listens for one sender, and receives from it. Whatever the target needs has been opened before. */
const receiveInto = Effect.fnUntraced(function* <E>(
  options: ReceiveFrom,
  { channels, codec, limits }: Plan,
  hooks: Pick<Receiver.Options<E>, "target" | "onComplete" | "isComplete" | "onDevicePacket" | "mayLeave">
): Effect.fn.Return<void, ReceiveError | E, Scope.Scope> {
  const { onListening, onProblem = Effect.logWarning, pageSize, switchoverAck, tls, uuid } = options
  const listener = yield* Listener.make({
    address: options.listen,
    tls,
    maxConnections: channels + 1 + SPARE_CONNECTIONS,
    handshakeTimeout: limits.handshakeTimeout
  })
  if (onListening !== undefined) yield* onListening(listener.address)
  for (const problem of Exposure.ofListener(listener.address, tls)) yield* onProblem(problem)
  const rateLimit = yield* RateLimit.of(options.maxBandwidth)
  yield* Receiver.run({ listener, channels, codec, uuid, pageSize, switchoverAck, limits, rateLimit, ...hooks })
})

/**
 * Receives a machine into an image.
 *
 * @internal
 */
export const receiveImage = Effect.fnUntraced(function* (
  options: ReceiveIntoImage,
  progress: Progress,
  settle: () => boolean,
  last: LastStep<void, ReceiveError>
): Effect.fn.Return<void, ReceiveError, Scope.Scope> {
  yield* progress.enter("setup")
  yield* refuse("receive", [...Integrity.problems(options.seal), ...keepProblems(options)])
  const planned = yield* plan(options)
  yield* checkSocket(Location.make(options.target), options.listen)
  let isNamed = false
  const target = yield* imageTarget(options, planned.settings, progress, (step) =>
    last(Effect.tap(step, () => Effect.sync(() => void (isNamed = true))))
  )
  yield* receiveInto(options, planned, {
    target,
    onComplete: settle,
    isComplete: () => isNamed,
    mayLeave: options.onReceived !== undefined
  })
})

/**
 * Receives a machine's RAM into blocks, and everything else into memory.
 *
 * @internal
 */
export const receiveBlocks = Effect.fnUntraced(function* <E>(
  options: ReceiveIntoBlocks<E>,
  progress: Progress,
  settle: (machine: MachineState) => boolean
): Effect.fn.Return<MachineState, ReceiveError | E, Scope.Scope> {
  yield* progress.enter("setup")
  const planned = yield* plan(options)
  if (typeof options.blocks !== "function") yield* checkApart("receive", options.blocks)
  const { limits } = planned
  const held = { ...limits, maxDeviceState: Math.min(limits.maxDeviceState, limits.maxHeld) }
  const target = blocksTarget(options, planned.settings, progress)
  const { onDevicePacket } = options
  const onComplete = (): boolean => settle(target.machineState())
  yield* receiveInto<E | ProtocolError | MigrationRequestError>(
    options,
    { ...planned, limits: held },
    { target, onComplete, onDevicePacket }
  )
  return target.machineState()
})
