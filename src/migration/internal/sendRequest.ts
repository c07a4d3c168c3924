import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Invariant from "../../ram/Invariant.ts"
import { Codecs } from "../../compression/Codecs.ts"
import type { Codec, Method } from "../../compression/Compression.ts"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import { isAtMost } from "../../format/stream/MachineType.ts"
import * as MultifdInit from "../../format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../format/multifd/MultifdPacket.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { AnnouncedBlock } from "../../format/stream/SocketStream.ts"
import * as PeerLimits from "../../multifd/PeerLimits.ts"
import type { Marks } from "../../multifd/MainChannel.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as Options from "../../ram/Options.ts"
import * as Problem from "../../ram/Problem.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import type * as Live from "../../snapshot/Live.ts"
import * as MachineState from "../../snapshot/MachineState.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import type { MachineSource } from "../../snapshot/SnapshotSource.ts"
import type { MigrationRequestError } from "../../snapshot/MigrationRequestError.ts"
import type { SendOptions, ZeroPageDetection } from "../SendOptions.ts"
import * as Convergence from "./convergence.ts"
import { checkBlocks, DEFAULT_SOCKET_CHANNELS, methodProblems, optionProblems, refuse } from "./request.ts"

/**
 * The validated request, with defaults filled in.
 *
 * @internal
 */
export interface SendPlan<out E> {
  readonly source: Source<E>
  /** 0: no multifd. */
  readonly channels: number
  readonly queueDepth: number
  readonly pageSize: number
  readonly batchSize: number
  readonly compression: { readonly codec: Codec; readonly level: number | undefined } | undefined
  readonly zeroPages: ZeroPageDetection
  readonly marks: Marks
  /** 16 bytes. */
  readonly uuid: Uint8Array
  readonly rateLimit: RateLimit.RateLimit
  readonly limits: PeerLimits.Limits
}

/**
 * A machine, from an image or elsewhere.
 *
 * @internal
 */
export interface Source<out E> {
  /** The blocks whose pages are sent. */
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  /** All blocks: an image can have blocks without pages, which the destination already has. */
  readonly announced: ReadonlyArray<AnnouncedBlock>
  readonly machine: MachineState.MachineState<E>
  readonly live: Live.Options<E> | undefined
  /** The guest's UUID, if an image has it. */
  readonly uuid: Uint8Array | undefined
}

const sourceOf = <E>(source: MachineSource<E>): Source<E> => {
  const blocks = SnapshotSource.blocksWithPages(source)
  const announced = source.blocks.map(({ address, idstr, usedLength }) =>
    address === undefined ? { idstr, usedLength } : { idstr, usedLength, address }
  )
  const uuid = source.notes?.uuid
  return {
    blocks,
    announced,
    machine: source.machineState ?? MachineState.empty({ pageSize: blocks[0]?.pageSize }),
    live: source.live,
    uuid: uuid === undefined ? undefined : Uuid.parse(uuid)
  }
}

/**
 * The machine as it is sent. A sender leaves the page size out if its machine type allows only one; we do not know
 * those types, and QEMU accepts the size that it already knows.
 */
const statingPageSize = <E>(machine: MachineState.MachineState<E>, pageSize: number): MachineState.MachineState<E> => {
  const { configuration } = machine
  if (configuration === undefined || pageSize === RamBlock.defaultPageSize) return machine
  return { ...machine, configuration: { targetPageBits: Math.log2(pageSize), ...configuration } }
}

const levelProblems = (method: Method, codec: Codec | undefined, level: unknown): ReadonlyArray<Problem.Problem> => {
  if (level === undefined) return []
  if (method === "none") {
    return [Problem.make(`level is ${String(level)}, and there is no compression`, "leave it out, or choose a method")]
  }
  if (codec === undefined) return []
  const { max: maximum, min: minimum } = codec.levels
  return Options.problems(Schema.Struct({ level: Options.wholeNumber({ minimum, maximum }, ` (${method})`) }))({
    level
  })
}

const problemsOf = (options: SendOptions<unknown>, pageSize: number): ReadonlyArray<Problem.Problem> => {
  const { allowLost, channels, source } = options
  const isTooLarge = channels !== 0 && MultifdPacket.pageCapacity(pageSize) === 0
  return [
    ...(isTooLarge
      ? [
          Problem.make(
            `pages of ${pageSize} bytes do not fit a packet`,
            `use pages of at most ${MultifdPacket.MAX_DATA_BYTES} bytes, or channels 0`
          )
        ]
      : []),
    ...optionProblems(options),
    ...(allowLost === true || source.notes === undefined
      ? []
      : ImageNotes.lossProblems(source.notes, source.name ?? "the source")),
    ...Convergence.problems(source.live)
  ]
}

const marksOf = ({ marks, source }: SendOptions<unknown>, channels: number, machine: string | undefined): Marks => {
  if (channels === 0) return "none"
  return marks ?? source.notes?.marks ?? (isAtMost(machine, 8, 0) ? "each-section" : "each-round")
}

/** Four packets: batches then take half as much processor time as with 1 MiB, which is best for files. */
const DEFAULT_BATCH_SIZE = 2 * 1024 * 1024

/**
 * Checks everything that can be checked before anything is opened.
 *
 * @internal
 */
export const planSend = Effect.fnUntraced(function* <E>(
  options: SendOptions<E>
): Effect.fn.Return<
  SendPlan<E>,
  MigrationRequestError | RamBlock.RamBlockError | PipelineOptions.PipelineOptionsError | PeerLimits.LimitsError
> {
  const { channels = DEFAULT_SOCKET_CHANNELS, compression = "none", level, maxBandwidth } = options
  const source = sourceOf(options.source)
  const { batchSize, queueDepth } = yield* PipelineOptions.make({
    ...options,
    batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
    channels: channels || 1
  })
  const limits = yield* PeerLimits.make(options.limits ?? {})
  const codec = compression === "none" ? undefined : (yield* Codecs).get(compression)
  yield* checkBlocks("send", source.blocks)
  const { pageSize } = Invariant.defined(source.blocks[0], "a request without blocks was refused")
  yield* refuse("send", [
    ...methodProblems(compression, codec, channels),
    ...levelProblems(compression, codec, level),
    ...problemsOf(options, pageSize)
  ])
  const machine = statingPageSize(source.machine, pageSize)
  const { configuration } = machine
  return {
    source: { ...source, machine },
    pageSize,
    channels,
    queueDepth,
    batchSize: SnapshotSource.wholeUnits(batchSize, options.source),
    compression: codec === undefined ? undefined : { codec, level },
    zeroPages: options.zeroPageDetection ?? (isAtMost(configuration?.machine, 8, 2) ? "legacy" : "multifd"),
    marks: marksOf(options, channels, configuration?.machine),
    uuid: options.uuid ?? source.uuid ?? configuration?.uuid ?? MultifdInit.noUuid(),
    rateLimit: yield* RateLimit.of(maxBandwidth),
    limits
  }
})
