/**
 * The main channel of a sender: the migration stream around the pages, and the marks that tell the peer that all
 * channels have synced.
 *
 * ```text
 *   main channel                                        channels
 *     begin      header, configuration, prelude           init
 *                                                         SYNC          ┐ barrier
 *     mark       START: list of blocks [FLUSH] EOS     ◀────────────────┘
 *     records    PART: ZERO …                             packets
 *                                                         SYNC          ┐ barrier
 *     mark       (PART …) [FLUSH] EOS                  ◀────────────────┘   a round, any number of them
 *                                                         SYNC          ┐ barrier
 *     endRam     early sections, END: [FLUSH] EOS      ◀────────────────┘
 *     write      device state, end of stream, description
 *
 *   marks:   each-round     FLUSH, once for each barrier      (machine types 8.1 and later)
 *            each-section   EOS of every section of RAM       (machine types 8.0 and older)
 *            none           no channels: pages are records
 * ```
 *
 * A real destination stores pages only after it has passed the first mark, which follows the list of blocks. Without
 * that mark its channels would write into RAM that is not set up, and it would crash.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as MigrationStream from "../format/stream/MigrationStream.ts"
import * as RamRecords from "../format/stream/RamRecords.ts"
import * as SocketSections from "../format/stream/SocketSections.ts"
import type { AnnouncedBlock, Extent, ZeroExtent } from "../format/stream/SocketStream.ts"
import type { Connection, TransferError } from "../io/sockets/Connection.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { LoadedBatch, PageBatch } from "../ram/PageBatch.ts"
import { type Flow, makeOutlet } from "./internal/outlet.ts"

/**
 * The kind of mark for a sync of all channels. Both sides derive it from the machine type; see the diagram above.
 *
 * @category models
 * @since 0.1.0
 */
export type Marks = "each-round" | "each-section" | "none"

/**
 * The machine's data in the stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Machine {
  /** `undefined` leaves the section out. `mapped-ram` is removed from its capabilities. */
  readonly configuration: MigrationStream.Configuration | undefined
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: Uint8Array
  /** Sections between RAM's START and END that are not RAM's. */
  readonly early: Uint8Array
  /** `true` to write SWITCHOVER_START before RAM's END. */
  readonly switchoverStart: boolean
  /** `true` if sections end with a footer. */
  readonly footers: boolean
  readonly ramSectionId: number
}

/**
 * Options of a main channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Flow {
  /** A connection to which nothing has been written. Its opener closes it. */
  readonly connection: Connection
  readonly machine: Machine
  /** All blocks, those without pages included, in the order of the list. */
  readonly blocks: ReadonlyArray<AnnouncedBlock>
  readonly marks: Marks
}

/**
 * Writes the stream in the order of the diagram above. For one fiber at a time; a call out of order is a bug in the
 * caller, and produces a stream that no peer can read.
 *
 * @category models
 * @since 0.1.0
 */
export interface MainChannel {
  /** Writes everything before RAM's START. */
  readonly begin: Effect.Effect<void, TransferError>
  /**
   * Writes the mark after a barrier: the first one in RAM's START, each further one in the PART that `zeros` and
   * `pages` have begun, or in an empty one.
   */
  readonly mark: Effect.Effect<void, TransferError>
  /** Writes records for zero pages, in a PART. Succeeds with their bytes. */
  readonly zeros: (batch: PageBatch<unknown>, zero: PageRuns.PageRuns) => Effect.Effect<number, TransferError>
  /** Writes records for the normal pages of a batch, in a PART. Succeeds with their bytes. */
  readonly pages: (batch: LoadedBatch<unknown>) => Effect.Effect<number, TransferError>
  /** Writes RAM's END with the last mark, after the last barrier, and the data that precedes it. */
  readonly endRam: Effect.Effect<void, TransferError>
  /** Writes data after RAM's END. */
  readonly write: (parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransferError>
}

/**
 * Makes the main channel of a sender.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): MainChannel => {
  const { blocks, connection, machine, marks } = options
  const { configuration, early, footers, prelude, ramSectionId: sectionId, switchoverStart } = machine
  const write = makeOutlet(connection, "main", options)
  const records = RamRecords.make()
  const ending = { sectionId, footers, flush: marks === "each-round" }
  const addresses = configuration?.capabilities.includes("x-ignore-shared")
  let started = false
  let inPart = false

  const start = () => {
    started = true
    return [SocketSections.encodeStart({ ...ending, blocks, addresses })]
  }
  const openPart = (): ReadonlyArray<Uint8Array> => {
    if (inPart) return []
    inPart = true
    return [SocketSections.encodeOpen("part", sectionId)]
  }
  const closePart = (flush: boolean): ReadonlyArray<Uint8Array> => {
    const opening = openPart()
    inPart = false
    return [...opening, SocketSections.encodeClose({ ...ending, flush })]
  }
  const writeRecords = (parts: ReadonlyArray<Uint8Array>): Effect.Effect<number, TransferError> => {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    return bytes === 0 ? Effect.succeed(0) : Effect.as(write([...openPart(), ...parts]), bytes)
  }
  return {
    begin: Effect.suspend(() => write([SocketSections.encodeHead({ configuration, prelude })])),
    mark: Effect.suspend(() => write(started ? closePart(ending.flush) : start())),
    zeros: (batch, zero) => Effect.suspend(() => writeRecords([records.zeros(batch.block, zeroExtents(batch, zero))])),
    pages: (batch) => Effect.suspend(() => writeRecords(records.pages(batch.block, extents(batch)))),
    endRam: Effect.suspend(() => {
      const switchover = switchoverStart ? [MigrationStream.encodeCommand(MigrationStream.Command.switchoverStart)] : []
      const end = [SocketSections.encodeOpen("end", sectionId), SocketSections.encodeClose(ending)]
      return write([early, ...switchover, ...end])
    }),
    write
  }
}

const zeroExtents = ({ block, offset }: PageBatch<unknown>, zero: PageRuns.PageRuns): ReadonlyArray<ZeroExtent> => {
  const all: Array<ZeroExtent> = []
  const { pageSize } = block
  PageRuns.forEach(zero, (first, count) => all.push({ offset: offset + first * pageSize, length: count * pageSize }))
  return all
}

const extents = ({ block, data, normal, offset }: LoadedBatch<unknown>): ReadonlyArray<Extent> => {
  const all: Array<Extent> = []
  PageRuns.forEach(normal, (first, count) => {
    const start = first * block.pageSize
    all.push({ offset: offset + start, bytes: data.subarray(start, start + count * block.pageSize) })
  })
  return all
}
