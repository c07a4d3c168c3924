/**
 * The destination of the pages of one RAM block as they arrive from a peer.
 *
 * ```text
 * packet      page 3 │ page 1 │ page 2 │ page 6      in any order
 * extents     [1 2 3]  [6]                           ascending; in memory each page is read straight to its place
 * zero        4, 5                                   [1 2 3 4 5 6] where a file is better off with one large write
 * ```
 *
 * Later rounds bring pages again: the latest content of a page counts.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../format/stream/SocketStream.ts"
import * as PageBitmap from "../ram/PageBitmap.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import * as RamBlock from "../ram/RamBlock.ts"
import * as TransferCounters from "./TransferCounters.ts"

/**
 * Pages of one block that arrived together. Runs are page numbers in the block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Pages {
  /**
   * Bytes of the normal pages and of the `gaps` between them, ascending and disjoint, valid until they are stored. If
   * the sink has a `view`, they are already in place.
   */
  readonly extents: ReadonlyArray<Extent>
  /** Pages with data. */
  readonly normal: PageRuns.PageRuns
  /** Zero pages, none of them among the normal ones. */
  readonly zero: PageRuns.PageRuns
  /** Zero pages inside an extent, as zeros. */
  readonly gaps: PageRuns.PageRuns
}

/**
 * Takes the pages of one block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PageSink<out E = never> extends RamBlock.Shape {
  /** The bytes `[offset, offset + length)` in process memory: reading into the view is part of storing pages. */
  readonly view: ((offset: number, length: number) => Uint8Array) | undefined
  /** Largest gap of zero pages between two runs that is stored as bytes to make one larger call. */
  readonly coalescePages: number
  /** `true` if pages may have any alignment in memory when they are stored. */
  readonly takesUnaligned: boolean
  /** Stores pages, possibly those of an earlier round again. Stores of different pages may run concurrently. */
  readonly store: (pages: Pages) => Effect.Effect<void, E>
  /**
   * Fills `target` with the stored bytes at `offset`, zeros if nothing was stored; `undefined`: it cannot be read back.
   */
  readonly read: ((offset: number, target: Uint8Array) => Effect.Effect<void, E>) | undefined
}

/**
 * Takes pages into a RAM block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface BlockSink<out E = never> extends PageSink<E> {
  /** Zeroes the pages that the peer never mentioned, and makes the block durable. Call it once, after the last page. */
  readonly finish: Effect.Effect<void, E>
}

/** One effect per run, so runs must not be single pages: short gaps have been joined by now. */
const forEachRun = <E>(
  runs: PageRuns.PageRuns,
  f: (first: number, count: number) => Effect.Effect<void, E>
): Effect.Effect<void, E> => {
  if (runs.length === 0) return Effect.void
  const effects: Array<Effect.Effect<void, E>> = []
  PageRuns.forEach(runs, (first, count) => effects.push(f(first, count)))
  return Effect.all(effects, { discard: true })
}

/** The pages that are in a bitmap, or those that are not. */
const among = (bitmap: PageBitmap.PageBitmap, runs: PageRuns.PageRuns): PageRuns.PageRuns => {
  const all: Array<number> = []
  PageRuns.forEach(runs, (first, count) =>
    PageRuns.forEach(bitmap.runs(first, count), (from, length) => all.push(first + from, length))
  )
  return all
}

/**
 * Takes pages into a RAM block in memory, in a file or on a device.
 *
 * **Details**
 *
 * A page of zeros is zeroed, unless the block is `fresh` and nothing was written there. `finish` also zeroes pages that
 * were never mentioned (memory that the guest had freed), so that no stale data remains.
 *
 * **Failure effect**: any page may be old, new, or a mix of both.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const toBlock = <E = never>(
  block: RamBlock.Writable<E> & Partial<RamBlock.Readable<E>>,
  options: { readonly coalescePages: number; readonly counters?: TransferCounters.TransferCounters | undefined }
): BlockSink<E> => {
  const { idstr, pageSize, reader, usedLength, writer } = block
  const pages = RamBlock.pageCount(block)
  /** Fresh: the pages with nonzero content. Otherwise: the pages that were mentioned. */
  const seen = PageBitmap.make(pages)
  const write = writer.view === undefined ? writer.write : () => Effect.void
  const zero = (first: number, count: number) => writer.zero(first * pageSize, count * pageSize)

  const toClear = (zeros: PageRuns.PageRuns) => (writer.fresh ? among(seen, zeros) : zeros)
  const recordStored = (stored: Pages): void => {
    seen.setRuns(0, stored.normal)
    if (writer.fresh) seen.clearRuns(0, stored.zero)
    else seen.setRuns(0, stored.zero)
    if (options.counters !== undefined) TransferCounters.add(options.counters, { block, ...stored }, bytesOf(stored))
  }
  return {
    idstr,
    usedLength,
    pageSize,
    view: writer.view,
    coalescePages: writer.view === undefined ? options.coalescePages : 0,
    takesUnaligned: false,
    store: (stored) =>
      Effect.forEach(stored.extents, ({ bytes, offset }) => write(offset, bytes), { discard: true }).pipe(
        Effect.andThen(Effect.suspend(() => forEachRun(toClear(PageRuns.difference(stored.zero, stored.gaps)), zero))),
        Effect.andThen(Effect.sync(() => recordStored(stored)))
      ),
    read: reader?.readInto ?? readView(writer.view),
    finish: Effect.andThen(
      Effect.suspend(() =>
        writer.fresh ? Effect.void : forEachRun(PageRuns.complement(seen.runs(0, pages), pages), zero)
      ),
      writer.sync
    )
  }
}

const readView = (view: PageSink["view"]): PageSink["read"] =>
  view === undefined ? undefined : (offset, target) => Effect.sync(() => target.set(view(offset, target.length)))

/**
 * Bytes of the pages, and of the gaps between them.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const bytesOf = ({ extents }: Pages): number => extents.reduce((sum, { bytes }) => sum + bytes.length, 0)
