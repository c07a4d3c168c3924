/**
 * Finds the pages that have changed since they were last read.
 *
 * ```text
 *   start ──▶ full scan ──▶ collect ──▶ dirty pages ──▶ collect ──▶ … ──▶ writer stopped ──▶ collect ──▶ last pages
 *             of `blocks`               of `blocks`                                                      of `blocks`
 * ```
 *
 * A page is removed from the dirty set before it is read, never after. A write during the read marks the page dirty
 * again, so a torn page is moved once more. After a `collect` with the writer stopped, no change is missing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Invariant from "./Invariant.ts"
import { trackByComparison } from "./internal/comparison.ts"
import * as PageRecords from "./internal/pageRecords.ts"
import * as PageBitmap from "./PageBitmap.ts"
import * as RamBlock from "./RamBlock.ts"
import type { DirtyPages, Tracking } from "./internal/dirtyTrackerModel.ts"

export type { DirtyPages, Tracking } from "./internal/dirtyTrackerModel.ts"

/**
 * No dirty page in any of the blocks.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const none = (blocks: ReadonlyArray<RamBlock.Shape>): DirtyPages =>
  new Map(blocks.map((block) => [block.idstr, PageBitmap.make(RamBlock.pageCount(block))]))

/**
 * Finds dirty pages. One tracker serves any number of migrations, one after another or at the same time.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface DirtyTracker {
  /**
   * Starts tracking, until the scope ends. Read every page once after this call and before the first `collect`. Fails
   * if the tracker does not know the pages of one of the blocks.
   */
  readonly start: <E>(
    blocks: ReadonlyArray<RamBlock.Readable<E>>
  ) => Effect.Effect<Tracking<E>, RamBlock.RamBlockError, Scope.Scope>
}

/**
 * A tracker to which the writer reports every write.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Marking extends DirtyTracker {
  /**
   * Reports a write of `length` bytes at `offset` of a block. Every page that the range touches becomes dirty.
   *
   * **Details**
   *
   * Call this once the bytes are in memory, or just before the write without yielding in between: a page marked too
   * early may be read before the write. Marking a dirty page, or marking while no migration runs, is free.
   *
   * **Gotchas**
   *
   * Throws a `RangeError` for an unknown block, a range outside it, or a range of fractional bytes. These are bugs in
   * the caller: ignoring the mark would lose a page.
   */
  readonly markDirty: (idstr: string, offset: number, length: number) => void
}

/**
 * Tracks memory whose writer reports its writes. Needs one bit per page during a migration and reads no bytes.
 *
 * **Details**
 *
 * Pages in process memory are moved in place, without a copy. They may be torn while the writer runs, and are then
 * moved again.
 *
 * **Example** (A machine that reports its writes)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { DirtyTracker, MemoryPages } from "effect-multifd"
 *
 * export const machine = Effect.gen(function* () {
 *   const memory = new Uint8Array(64 * 1024 * 1024)
 *   const ram = yield* MemoryPages.make({ idstr: "ram", memory })
 *   const tracker = yield* DirtyTracker.marking([ram])
 *   const poke = (address: number, byte: number): void => {
 *     memory[address] = byte
 *     tracker.markDirty("ram", address, 1)
 *   }
 *   return { ram, tracker, poke }
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const marking = (blocks: ReadonlyArray<RamBlock.Shape>): Effect.Effect<Marking> =>
  Effect.sync(() => {
    const shapes = new Map(blocks.map((block) => [block.idstr, block]))
    const running = new Set<DirtyPages>()
    const begin = (blocks: ReadonlyArray<RamBlock.Shape>): DirtyPages => {
      const marks = none(blocks)
      running.add(marks)
      return marks
    }
    return {
      start: (blocks) =>
        Effect.forEach(blocks, (block) => known(shapes, block), { discard: true }).pipe(
          Effect.andThen(
            Effect.acquireRelease(
              Effect.sync(() => begin(blocks)),
              (marks) => Effect.sync(() => running.delete(marks))
            )
          ),
          Effect.map((marks) => ({ blocks, collect: (dirty) => Effect.sync(() => moveInto(dirty, marks)) }))
        ),
      markDirty: (idstr, offset, length) => {
        const shape = shapes.get(idstr)
        if (shape === undefined) throw new RangeError(`no block "${idstr}" is tracked`)
        const isRange = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
        if (!isRange || offset < 0 || length < 0 || offset + length > shape.usedLength) {
          throw new RangeError(
            `expected a range inside the ${shape.usedLength} bytes of "${idstr}", found ${length} from ${offset} on`
          )
        }
        if (length === 0) return
        const first = Math.floor(offset / shape.pageSize)
        const last = Math.floor((offset + length - 1) / shape.pageSize)
        for (const marks of running) marks.get(idstr)?.setRange(first, last - first + 1)
      }
    }
  })

const known = (
  shapes: ReadonlyMap<string, RamBlock.Shape>,
  { idstr, pageSize, usedLength }: RamBlock.Shape
): Effect.Effect<void, RamBlock.RamBlockError> => {
  const shape = shapes.get(idstr)
  if (shape?.usedLength === usedLength && shape.pageSize === pageSize) return Effect.void
  const found = `${usedLength} bytes in pages of ${pageSize}`
  return shape === undefined
    ? new RamBlock.RamBlockError({ idstr, property: "idstr", expected: "a block that the dirty tracker knows", found })
    : new RamBlock.RamBlockError({
        idstr,
        property: "usedLength",
        expected: `${shape.usedLength} bytes in pages of ${shape.pageSize}, as the dirty tracker knows it`,
        found
      })
}

const moveInto = (dirty: DirtyPages, marks: DirtyPages): void => {
  for (const [idstr, bitmap] of marks) {
    Invariant.defined(dirty.get(idstr), "every tracked block has a bitmap").setRuns(0, bitmap.runs(0, bitmap.pages))
    bitmap.clearRange(0, bitmap.pages)
  }
}

/**
 * The record that each page is compared with.
 *
 * - `hash`: 128 bits of each page as it was last moved (MurmurHash3). Needs 0.4 % of the RAM as memory. Every `collect`
 *   reads all RAM, at about 2 GB/s. An accidental collision hides a change once in 2^128; an attacker who knows the
 *   function can craft a page that collides.
 * - `copy`: each page itself as it was last moved. Needs as much memory as the RAM that is not zero. Every `collect`
 *   reads RAM and copy, at about 5 to 10 GB/s.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Comparison = "hash" | "copy"

/**
 * Tracks memory whose writer does not report its writes: another thread, or another process that writes to the file
 * backing the RAM.
 *
 * **Details**
 *
 * A page is dirty if it differs from the page that was last moved. To make that certain, pages in process memory are
 * copied before they are moved. Every `collect` reads all of the RAM, the last one while the writer is stopped. That
 * adds to the downtime, and the estimate of the downtime includes it.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const comparing = (by: Comparison): DirtyTracker => ({
  start: (blocks) => Effect.sync(() => trackByComparison(blocks, PageRecords.makers[by]))
})

/**
 * The tracker of a machine as a service, for the parts of a program that write to its memory.
 *
 * @stability stable
 * @category services
 * @since 0.1.0
 */
export class DirtyMarks extends Context.Service<DirtyMarks, Marking>()("effect-multifd/ram/DirtyMarks") {}

/**
 * Provides `DirtyMarks` for the given blocks.
 *
 * @stability stable
 * @category layers
 * @since 0.1.0
 */
export const layer = (blocks: ReadonlyArray<RamBlock.Shape>): Layer.Layer<DirtyMarks> =>
  Layer.effect(DirtyMarks, marking(blocks))
