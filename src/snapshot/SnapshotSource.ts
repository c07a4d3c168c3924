/**
 * The origin of a machine: an image file, memory of this process, or anything else that can provide its blocks and its
 * state.
 *
 * ```text
 *   MachineSource                           SnapshotSource, a machine at rest
 *     blocks        read once, in order       every page can be read at any time, until the scope ends
 *     machineState  optional                  always there
 *     live          rounds, if it changes     never
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DeviceSection } from "../format/devices/DeviceState.ts"
import type { ImageNotes } from "../format/seal/ImageNotes.ts"
import type { PageBitmap } from "../ram/PageBitmap.ts"
import * as Problem from "../ram/Problem.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import type { Channel } from "../transfer/Channel.ts"
import type { TransferCounters } from "../transfer/TransferCounters.ts"
import type * as Live from "./Live.ts"
import type { MachineState } from "./MachineState.ts"
import { MigrationRequestError } from "./MigrationRequestError.ts"
import { forEachRange } from "./ReadRanges.ts"

/**
 * A RAM block of a machine.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SourceBlock<out E = never> extends RamBlock.Readable<E> {
  /** Offset in the parent region; present only in a save with `x-ignore-shared`. */
  readonly address?: number | undefined
  /** `true`: announced to the target and never read, because the target already shares this memory. Default `false`. */
  readonly ignored?: boolean | undefined
}

/**
 * A machine to save or to send.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MachineSource<out E = never> {
  /** The name in errors: a path, or the address of a store. */
  readonly name?: string | undefined
  /**
   * At least one block with pages, unique names, one page size. Without `live` the memory must not change during the
   * save: the checksum of a page is that of the bytes read for it.
   */
  readonly blocks: ReadonlyArray<SourceBlock<E>>
  /** Everything that is not RAM. Default: a machine `none` without devices. */
  readonly machineState?: MachineState<E> | undefined
  /** Rounds over changing memory, so that the result is the memory of one moment. Default: one round. */
  readonly live?: Live.Options<E> | undefined
  /** Further facts about the machine: its UUID, sync marks, lost pages. Default: none. */
  readonly notes?: ImageNotes | undefined
  /** The unit of reading or verifying, in bytes; batches are multiples of it. Default: a page. */
  readonly readUnit?: number | undefined
  /** The part of a file that it is read from, which must not be written to during that. Default: none. */
  readonly storage?: RamBlock.Storage | undefined
}

/**
 * Options of a channel that restores pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RestoreChannelOptions<out E = never> {
  /** The blocks to fill, by `idstr`. */
  readonly blocks: ReadonlyMap<string, RamBlock.Writable<E>>
  /** Bypasses the page cache. Default `false`. */
  readonly directIo?: boolean | undefined
  /** Largest gap of absent pages between two runs that is read rather than skipped. */
  readonly coalescePages: number
  readonly counters: TransferCounters
}

/**
 * A machine at rest: every page can be read at any time, until its scope ends.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SnapshotSource<out E = never> extends MachineSource<E> {
  /** The location for errors and spans: a path, or the address of a store. */
  readonly name: string
  readonly blocks: ReadonlyArray<
    SourceBlock<E> & { readonly reader: RamBlock.Readable<E>["reader"] & { readonly present: PageBitmap } }
  >
  /** The versioned machine type, if known. */
  readonly machine: string | undefined
  readonly machineState: MachineState<E>
  readonly live?: undefined
  /** The device sections, if they can be split. Default: unknown. */
  readonly deviceSections?: ReadonlyArray<DeviceSection> | undefined
  /** The guest's run state when it was saved, QEMU's `RunState`. Default: unknown. */
  readonly runState?: string | undefined
  readonly readUnit: number
  /** Opens channel `id` of a restore. Absent: pages go through the blocks' readers and writers. */
  readonly restoreChannel?:
    (<E2>(id: number, options: RestoreChannelOptions<E2>) => Effect.Effect<Channel<E | E2>, E, Scope.Scope>) | undefined
}

/**
 * The blocks whose pages are moved; the others are only announced.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const blocksWithPages = <B extends { readonly ignored?: boolean | undefined }>({
  blocks
}: {
  readonly blocks: ReadonlyArray<B>
}): ReadonlyArray<B> => blocks.filter(({ ignored }) => ignored !== true)

/**
 * A batch size in bytes, rounded up to whole units of the source.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const wholeUnits = (batchSize: number, { readUnit = 1 }: Pick<MachineSource<unknown>, "readUnit">): number =>
  Math.ceil(batchSize / readUnit) * readUnit

/**
 * A block of a source. Fails with `MigrationRequestError` if the source has no such block, or if `range` is not inside
 * it.
 *
 * @internal
 */
export const findBlock = <B extends SourceBlock<unknown>>(
  source: { readonly blocks: ReadonlyArray<B> },
  idstr: string,
  range?: { readonly offset: number; readonly length: number }
): Effect.Effect<B, MigrationRequestError> => {
  const blocks = blocksWithPages(source)
  const block = blocks.find((block) => block.idstr === idstr)
  if (block === undefined) {
    const names = blocks.map((one) => one.idstr).join(", ")
    return refuseRead(`the image has no pages of a block "${idstr}"`, `use one of its blocks: ${names}`)
  }
  const { length = 0, offset = 0 } = range ?? {}
  const isRange = [offset, length].every((value) => Number.isSafeInteger(value) && value >= 0)
  if (!isRange || offset + length > block.usedLength) {
    return refuseRead(
      `${length} bytes from ${offset} on are not in the block "${idstr}"`,
      `use a range inside its ${block.usedLength} bytes`
    )
  }
  return Effect.succeed(block)
}

const refuseRead = (reason: string, remedy: string) =>
  Effect.fail(new MigrationRequestError({ operation: "read", problems: [Problem.make(reason, remedy)] }))

/**
 * `length` bytes at `offset` of a block. Only these are read, or the units around them that are verified as one. Fails
 * with `MigrationRequestError` for a range that the source does not have.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const readPages = <E>(
  source: Pick<MachineSource<E>, "blocks">,
  idstr: string,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, E | MigrationRequestError> => {
  return Effect.flatMap(findBlock(source, idstr, { offset, length }), (block) => {
    const bytes = new Uint8Array(length)
    return Effect.as(block.reader.readInto(offset, bytes), bytes)
  })
}

/**
 * An unreadable unit of a source, and the reason.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Unreadable<out E> {
  /** The name of the block. */
  readonly block: string
  /** Bytes from the start of the block. */
  readonly offset: number
  readonly length: number
  readonly error: E
}

/**
 * Reads every page of a source, and returns all unreadable units, in order. This verifies a source that checks its
 * reads.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const verify = Effect.fnUntraced(function* <E>(
  source: Pick<SnapshotSource<E>, "blocks" | "readUnit">,
  options: {
    /** Concurrent reads. Default 3. */
    readonly channels?: number | undefined
  } = {}
): Effect.fn.Return<ReadonlyArray<Unreadable<E>>> {
  const unreadable: Array<Unreadable<E>> = []
  const { channels = 3 } = options
  const { readUnit: unit } = source
  const blocks = blocksWithPages(source)
  const record = (block: string, offset: number, length: number) => (error: E) =>
    Effect.sync(() => void unreadable.push({ block, offset, length, error }))
  yield* forEachRange(blocks, { unit, channels }, ({ block, length, offset }, read) => {
    const { idstr, reader } = block
    const readUnits = Effect.gen(function* () {
      const bytes = new Uint8Array(unit)
      for (let at = offset; at < offset + length; at += unit) {
        const data = bytes.subarray(0, offset + length - at)
        yield* Effect.catch(reader.readInto(at, data), record(idstr, at, data.length))
      }
    })
    return Effect.catch(Effect.asVoid(read), () => readUnits)
  })
  const order = new Map(blocks.map(({ idstr }, index) => [idstr, index]))
  const placeOf = ({ block }: Unreadable<E>) => order.get(block) ?? 0
  return unreadable.toSorted((a, b) => placeOf(a) - placeOf(b) || a.offset - b.offset)
})
