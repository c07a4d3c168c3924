/**
 * RAM blocks as a target: pages go to their blocks, and everything else is kept in memory.
 *
 * @since 0.1.0
 */
import * as Bytes from "effect/Bytes"
import * as Effect from "effect/Effect"
import * as Finding from "../format/Finding.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import * as PageSink from "../transfer/PageSink.ts"
import * as BlocksApart from "./BlocksApart.ts"
import * as ByteSource from "./ByteSource.ts"
import type { MachineState } from "./MachineState.ts"
import type { MigrationRequestError } from "./MigrationRequestError.ts"
import type { MachineHeader, Place, RamEnd, RamWriter, SnapshotTarget, StateWriter } from "./SnapshotTarget.ts"

/**
 * A block that takes pages. A block that can also be read can take changes of pages (XBZRLE, without multifd).
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type TargetBlock<E = never> = RamBlock.Writable<E> & Partial<RamBlock.Readable<E>>

/**
 * All blocks of the machine, with their lengths, or a function that makes them from the machine's shapes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Blocks<E = never> =
  | ReadonlyArray<TargetBlock<E>>
  | ((shapes: ReadonlyArray<RamBlock.Shape>) => Effect.Effect<ReadonlyArray<TargetBlock<E>>, E>)

/**
 * Makes a target of blocks. `commit` returns everything that is not RAM.
 *
 * **Failure effect**: each page of the blocks may have its old content or the machine's. Blocks that do not match the
 * machine's are refused with the finding `block-list-mismatch` before any is touched.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = <E = never>(blocks: Blocks<E>): SnapshotTarget<MachineState, E | MigrationRequestError> => ({
  name: "memory",
  holdsState: true,
  places: typeof blocks === "function" ? [] : blocks.flatMap(placeOf),
  problems: () => (typeof blocks === "function" ? [] : BlocksApart.problems(blocks)),
  begin: Effect.fnUntraced(function* (machine, transfer) {
    const given = typeof blocks === "function" ? yield* blocks(machine.blocks) : blocks
    yield* checkMatch(machine.blocks, given)
    yield* BlocksApart.check("receive", given)
    const sinks = given.map((block) => PageSink.toBlock(block, transfer))
    return ramWriter(machine, sinks)
  })
})

/** Writes to a block take effect at once. */
const placeOf = ({ storage }: RamBlock.Stored): ReadonlyArray<Place> =>
  storage === undefined ? [] : [{ ...storage, inPlace: true }]

const ramWriter = <E>(
  machine: MachineHeader,
  sinks: ReadonlyArray<PageSink.BlockSink<E>>
): RamWriter<MachineState, E> => ({
  openSinks: Effect.sync(() => new Map(sinks.map((sink) => [sink.idstr, sink]))),
  during: (ram) => ram,
  endRam: (end) => Effect.sync(() => stateWriter(machine, end, sinks))
})

const stateWriter = <E>(
  { configuration, prelude, ramSectionId }: MachineHeader,
  end: RamEnd,
  sinks: ReadonlyArray<PageSink.BlockSink<E>>
): StateWriter<MachineState, E> => {
  const pieces: Array<Uint8Array> = []
  const all = (): Uint8Array => Bytes.concat(pieces)
  return {
    write: (bytes) => Effect.sync(() => void pieces.push(bytes.slice())),
    written: Effect.sync(() => ByteSource.fromBytes(all())),
    finish: ({ description, deviceState }) =>
      Effect.sync(() => {
        const bytes = all()
        const part = ({ length, position }: typeof description) =>
          ByteSource.fromBytes(bytes.subarray(position, position + length))
        const { early, footers, switchoverStart } = end
        const state: MachineState = {
          configuration,
          prelude,
          early,
          switchoverStart,
          footers,
          ramSectionId,
          deviceState: part(deviceState),
          description: part(description),
          origin: undefined
        }
        const finishAll = Effect.forEach(sinks, (sink) => sink.finish, { discard: true })
        return { sync: Effect.as(finishAll, { commit: Effect.succeed(state) }) }
      })
  }
}

const checkMatch = (
  machine: ReadonlyArray<RamBlock.Shape>,
  given: ReadonlyArray<RamBlock.Shape>
): Effect.Effect<void, Finding.Finding> => {
  const [found, expected] = [describe(machine), describe(given)]
  return found === expected
    ? Effect.void
    : Effect.fail(Finding.make({ code: "block-list-mismatch", offset: 0, expected, found }))
}

const describe = (blocks: ReadonlyArray<RamBlock.Shape>): string =>
  blocks
    .map(({ idstr, pageSize, usedLength }) => `"${idstr}" of ${usedLength} bytes in pages of ${pageSize}`)
    .toSorted()
    .join(", ")
