/**
 * Compares the memory of two machines at rest.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as PageBitmap from "../ram/PageBitmap.ts"
import { blocksWithPages, type SnapshotSource } from "../snapshot/SnapshotSource.ts"
import { chunkSize, chunkStarts } from "./internal/chunks.ts"

/**
 * A block that both machines have.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Block {
  readonly idstr: string
  /** Bytes of a page: of two page sizes, the larger one. */
  readonly pageSize: number
  /** Bytes of the block in the first machine. */
  readonly lengthA: number
  /** Bytes of the block in the second machine. */
  readonly lengthB: number
  /** The pages that differ. Of blocks of two lengths, the pages that only one has are among them. */
  readonly changed: PageBitmap.PageBitmap
  /** The number of pages that differ. */
  readonly changedPages: number
}

/**
 * The difference of two machines.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Diff {
  /** The blocks that both have, in the order of the first machine. */
  readonly blocks: ReadonlyArray<Block>
  /** The names of the blocks that only the first machine has. */
  readonly onlyA: ReadonlyArray<string>
  /** The names of the blocks that only the second machine has. */
  readonly onlyB: ReadonlyArray<string>
  /** The number of pages that differ, in all blocks that both have. */
  readonly changedPages: number
}

/**
 * Options of a comparison.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Concurrent reads of each machine. Default 3. */
  readonly channels?: number | undefined
}

/**
 * `true` if both machines have the same blocks with the same memory.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isEqual = ({ blocks, changedPages, onlyA, onlyB }: Diff): boolean =>
  changedPages === 0 &&
  onlyA.length === 0 &&
  onlyB.length === 0 &&
  blocks.every(({ lengthA, lengthB }) => lengthA === lengthB)

type SourceBlock<E> = SnapshotSource<E>["blocks"][number]

/** A pair of blocks of one name. */
interface Pair<E, E2> {
  readonly a: SourceBlock<E>
  readonly b: SourceBlock<E2>
  readonly pageSize: number
  /** Bytes that both have. */
  readonly common: number
  readonly changed: PageBitmap.PageBitmap
}

const pairOf = <E, E2>(a: SourceBlock<E>, b: SourceBlock<E2>): Pair<E, E2> => {
  const pageSize = Math.max(a.pageSize, b.pageSize)
  const common = Math.min(a.usedLength, b.usedLength)
  const changed = PageBitmap.make(Math.ceil(Math.max(a.usedLength, b.usedLength) / pageSize))
  const first = Math.floor(common / pageSize)
  if (a.usedLength !== b.usedLength) changed.setRange(first, changed.pages - first)
  return { a, b, pageSize, common, changed }
}

const compare = <E, E2>({ changed, pageSize }: Pair<E, E2>, offset: number, a: Buffer, b: Buffer): void => {
  if (a.equals(b)) return
  for (let at = 0; at < a.length; at += pageSize) {
    const end = Math.min(at + pageSize, a.length)
    if (a.compare(b, at, end, at, end) !== 0) changed.setRange((offset + at) / pageSize, 1)
  }
}

/** Compares pieces until there are no more; the buffers serve for all of them. */
const worker = <E, E2>(pair: Pair<E, E2>, starts: Generator<number>, size: number): Effect.Effect<void, E | E2> =>
  Effect.suspend(() => {
    const { a, b, common } = pair
    const length = Math.min(size, common)
    const [bytesA, bytesB] = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(length)]
    const next: Effect.Effect<void, E | E2> = Effect.suspend(() => {
      const { done, value: offset } = starts.next()
      if (done === true || offset >= common) return Effect.void
      const targetA = bytesA.subarray(0, common - offset)
      const targetB = bytesB.subarray(0, common - offset)
      return Effect.all([a.reader.readInto(offset, targetA), b.reader.readInto(offset, targetB)], {
        concurrency: 2,
        discard: true
      }).pipe(Effect.andThen(Effect.sync(() => compare(pair, offset, targetA, targetB))), Effect.andThen(next))
    })
    return next
  })

const comparePair = Effect.fnUntraced(function* <E, E2>(pair: Pair<E, E2>, size: number, channels: number) {
  const starts = chunkStarts([pair.a, pair.b], size)
  const workers = Array.from({ length: channels }, () => worker(pair, starts, size))
  yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
  const { a, b, changed, pageSize } = pair
  return {
    idstr: a.idstr,
    pageSize,
    lengthA: a.usedLength,
    lengthB: b.usedLength,
    changed,
    changedPages: changed.count()
  }
})

const missingIn = (
  blocks: ReadonlyArray<{ readonly idstr: string }>,
  others: ReadonlyMap<string, unknown>
): ReadonlyArray<string> => blocks.map(({ idstr }) => idstr).filter((idstr) => !others.has(idstr))

/**
 * Compares two machines, page by page.
 *
 * **Details**
 *
 * Compared are the blocks with pages; devices are not. An absent page equals a page of zeros. Pages that are absent in
 * both are not read. A few MiB for each of the `channels` are in memory at a time, and one bit per page.
 *
 * **Failure effect**
 *
 * A page that cannot be read ends the comparison with the error of its source.
 *
 * **Example** (The pages that changed between two images)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Image } from "effect-multifd"
 * import { Diff } from "effect-multifd/look"
 *
 * export const changedPages = Effect.gen(function* () {
 *   const before = yield* Image.open("monday.img")
 *   const after = yield* Image.open("tuesday.img")
 *   const { blocks } = yield* Diff.run(before, after)
 *   return blocks.map(({ changed, idstr }) => ({ idstr, runs: changed.runs(0, changed.pages) }))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* <E, E2>(
  a: SnapshotSource<E>,
  b: SnapshotSource<E2>,
  { channels = 3 }: Options = {}
): Effect.fn.Return<Diff, E | E2> {
  const blocksA = new Map(blocksWithPages(a).map((block) => [block.idstr, block]))
  const blocksB = new Map(blocksWithPages(b).map((block) => [block.idstr, block]))
  const size = Math.max(chunkSize(a, b), ...[...blocksA.values(), ...blocksB.values()].map(({ pageSize }) => pageSize))
  const pairs = [...blocksA.values()].flatMap((block) => {
    const other = blocksB.get(block.idstr)
    return other === undefined ? [] : [pairOf(block, other)]
  })
  const blocks = yield* Effect.forEach(pairs, (pair) => comparePair(pair, size, channels))
  return {
    blocks,
    onlyA: missingIn([...blocksA.values()], blocksB),
    onlyB: missingIn([...blocksB.values()], blocksA),
    changedPages: blocks.reduce((sum, { changedPages }) => sum + changedPages, 0)
  }
})
