/**
 * Which pages have changed since they were last read.
 *
 * ```text
 *   start ──▶ full scan ──▶ collect ──▶ dirty pages ──▶ collect ──▶ … ──▶ writer stopped ──▶ collect ──▶ last pages
 *             of `blocks`               of `blocks`                                                      of `blocks`
 * ```
 *
 * A page is taken out of the dirty ones before it is read, never after: what is written to it while it is being read makes
 * it dirty again, so a torn page is moved once more. After a `collect` with the writer stopped nothing is missing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
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
 * A way to find dirty pages. It serves any number of migrations, one after the other and at the same time.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface DirtyTracker {
  /**
   * Begins to track, until the scope ends. Every page has to be read once, behind this, before the first `collect`. Fails
   * where the tracker cannot know the pages of one of the blocks.
   */
  readonly start: <E>(
    blocks: ReadonlyArray<RamBlock.Readable<E>>
  ) => Effect.Effect<Tracking<E>, RamBlock.RamBlockError, Scope.Scope>
}

/**
 * A tracker that is told of every write.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Marking extends DirtyTracker {
  /**
   * Says that bytes of a block were written: `length` bytes from `offset` on. Every page that they touch is dirty.
   *
   * **Details**
   *
   * Mark when the bytes are in memory, or in front of it with nothing in between that waits: a page that is marked first
   * may be read before the write. Marks of pages that are dirty already, and marks while nothing is migrated, are free.
   *
   * **Gotchas**
   *
   * An unknown block, a range outside of it, and a range that is not of whole bytes are mistakes of the caller, and throw a
   * `RangeError`: a mark that is lost would be a page that is lost.
   */
  readonly markDirty: (idstr: string, offset: number, length: number) => void
}

/**
 * For memory whose writer tells. Costs one bit a page while a migration is running, and no look at any byte.
 *
 * **Details**
 *
 * Pages in process memory are moved from where they are, without a copy; they may be torn while the writer is running, and
 * are moved again.
 *
 * **Example** (A machine that says what it writes)
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
    dirty.get(idstr)!.setRuns(0, bitmap.runs(0, bitmap.pages))
    bitmap.clearRange(0, bitmap.pages)
  }
}

/**
 * What a page is compared with.
 *
 * - `hash`: 128 bits of each page as it was last moved (MurmurHash3). 0.4 % of the RAM in memory; every `collect` reads all
 *   RAM, at some 2 GB/s. Changes are missed by accident once in 2^128; who knows the function can make a page that is.
 * - `copy`: each page itself as it was last moved. As much memory as the RAM that is not zero; every `collect` reads RAM and
 *   copy, at some 5 to 10 GB/s.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Comparison = "hash" | "copy"

/**
 * For memory whose writer does not tell: another thread, or another process that writes to the file which backs the RAM.
 *
 * **Details**
 *
 * A page is dirty when it is not what was last moved. To know that for certain, pages in process memory are copied before
 * they are moved. Every `collect` has to read all of the RAM, the last one while the writer is stopped: the downtime grows
 * by that, which is counted in where it is foretold.
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
