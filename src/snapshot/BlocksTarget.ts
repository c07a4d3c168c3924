import * as Effect from "effect/Effect"
import * as Demand from "../format/Demand.ts"
import * as Finding from "../format/Finding.ts"
import * as StreamTail from "../format/image/StreamTail.ts"
import * as PageSink from "../transfer/PageSink.ts"
import type { PipelineOptions } from "../transfer/PipelineOptions.ts"
import * as ProtocolError from "../multifd/ProtocolError.ts"
import type { Closing, Opening, Target } from "../multifd/Receiver.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import * as Carried from "./Carried.ts"
import type { MachineState } from "./MachineState.ts"
import type { MigrationRequestError } from "./MigrationRequestError.ts"
import type { Progress } from "../migration/Progress.ts"
import type { ReceiveIntoBlocks } from "../migration/ReceiveOptions.ts"
import { checkOpening, checkTail } from "../migration/internal/receiveChecks.ts"
import { checkApart } from "../migration/internal/request.ts"

/**
 * Blocks that take what arrives, and the rest of the machine once it is there.
 *
 * @internal
 */
export interface BlocksTarget<in out E> extends Target<E> {
  readonly machineState: () => MachineState
}

type Refusal = ProtocolError.ProtocolError | MigrationRequestError

/** What has arrived so far. */
interface Draft<E> {
  opening: Opening | undefined
  closing: Closing | undefined
  sinks: ReadonlyArray<PageSink.BlockSink<E>>
  readonly state: Array<Uint8Array>
  machine: MachineState | undefined
}

/**
 * RAM blocks that are filled as pages arrive; everything else is kept in memory.
 *
 * @internal
 */
export const blocksTarget = <E>(
  { blocks }: ReceiveIntoBlocks<E>,
  { coalescePages }: PipelineOptions,
  progress: Progress
): BlocksTarget<E | Refusal> => {
  const { counters } = progress
  const draft: Draft<E> = { opening: undefined, closing: undefined, sinks: [], state: [], machine: undefined }

  const begin: Target<E | Refusal>["begin"] = Effect.fnUntraced(function* (opening) {
    yield* checkOpening(opening)
    const given = typeof blocks === "function" ? yield* blocks(opening.blocks) : blocks
    yield* checkMatch(opening, given)
    yield* checkApart("receive", given)
    draft.opening = opening
    draft.sinks = given.map((block) => PageSink.toBlock(block, { coalescePages, counters }))
    yield* progress.begin(opening.blocks)
    yield* progress.enter("ram")
    return new Map(draft.sinks.map((sink) => [sink.idstr, sink]))
  })
  return {
    begin,
    during: (ram) => ram,
    ramEnd: (closing) => {
      draft.closing = closing
      return progress.enter("device")
    },
    state: (bytes) => Effect.sync(() => void draft.state.push(bytes.slice())),
    complete: Effect.gen(function* () {
      draft.machine = yield* assemble(draft.opening!, draft.closing!, draft.state)
      yield* progress.enter("sync")
      yield* Effect.forEach(draft.sinks, (sink) => sink.finish, { discard: true })
    }),
    machineState: () => draft.machine!
  }
}

const checkMatch = (
  { blocks, peer }: Opening,
  given: ReadonlyArray<RamBlock.Shape>
): Effect.Effect<void, ProtocolError.ProtocolError> => {
  const [announced, expected] = [describe(blocks), describe(given)]
  if (announced === expected) return Effect.void
  const finding = Finding.make({ code: "block-list-mismatch", offset: 0, expected, found: announced })
  return Effect.fail(ProtocolError.fromFinding(peer, "main", finding))
}

const describe = (blocks: ReadonlyArray<RamBlock.Shape>): string =>
  blocks
    .map(({ idstr, pageSize, usedLength }) => `"${idstr}" of ${usedLength} bytes in pages of ${pageSize}`)
    .toSorted()
    .join(", ")

const assemble = Effect.fnUntraced(function* (
  opening: Opening,
  closing: Closing,
  pieces: ReadonlyArray<Uint8Array>
): Effect.fn.Return<MachineState, ProtocolError.ProtocolError> {
  const bytes = new Uint8Array(Buffer.concat(pieces))
  const { early, footers, switchoverStart } = closing
  const tail = Demand.runSync(StreamTail.parse({ from: 0, to: bytes.length, footers }), bytes)
  yield* checkTail(tail, { ...opening, ...closing, from: 0 })
  const carried = ({ length, position }: typeof tail.deviceState) =>
    Carried.fromBytes(bytes.subarray(position, position + length))
  const { configuration, prelude, ramSectionId } = opening
  return {
    configuration,
    prelude,
    early,
    switchoverStart,
    footers,
    ramSectionId,
    deviceState: carried(tail.deviceState),
    description: carried(tail.description),
    origin: undefined
  }
})
