/**
 * Generators of RAM for property tests: names, page sizes, runs of pages, and blocks with typical content.
 *
 * **Details**
 *
 * A block is generated as a small description; {@link contents} makes its bytes, always the same. So a failing property
 * prints and shrinks a few numbers instead of megabytes, and may write to the memory that it made.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { PageRuns } from "../ram/PageRuns.ts"
import { maxIdstrLength } from "../ram/RamBlock.ts"

/**
 * The content of a block's pages.
 *
 * **Details**
 *
 * - `zero`: only zeros
 * - `random`: no page is zero
 * - `half`: the first half is random
 * - `alternating`: every other page is random
 * - `sparse`: about one page in 16 is random
 * - `mixed`: each page is random or zero, by chance
 * - `first-byte`, `last-byte`: every third page, by chance, is zero except for that byte
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Pattern = "zero" | "random" | "half" | "alternating" | "sparse" | "mixed" | "first-byte" | "last-byte"

/**
 * All patterns, the simplest one first.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const patterns: readonly [Pattern, ...ReadonlyArray<Pattern>] = [
  "zero",
  "random",
  "half",
  "alternating",
  "sparse",
  "mixed",
  "first-byte",
  "last-byte"
]

/**
 * The description of a RAM block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Block {
  readonly idstr: string
  readonly pageSize: number
  readonly pages: number
  readonly pattern: Pattern
  /** Equal seeds give equal random bytes. */
  readonly seed: number
}

/**
 * Limits of the generated values.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Most pages in a block; 300 by default, more than the 256 of a default batch. */
  readonly maxPages?: number | undefined
  /** Most blocks; 4 by default. */
  readonly maxBlocks?: number | undefined
  /** The generator of page sizes; 1, 4 and 16 KiB by default. */
  readonly pageSize?: Arbitrary.Arbitrary<number> | undefined
}

const between = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/**
 * Typical page sizes: x86's, the smallest one, and that of a machine with larger pages.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const pageSize: Arbitrary.Arbitrary<number> = Arbitrary.schema(Schema.Literals([4096, 1024, 16384]))

/**
 * Valid names of blocks: QEMU's own, and any others of up to 255 bytes.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const idstr: Arbitrary.Arbitrary<string> = Arbitrary.schema(
  Schema.Union([
    Schema.Literals(["pc.ram", "vga.vram", "/rom@etc/acpi/tables", "0000:00:02.0/vga.vram"]),
    // A UTF-16 unit takes at most three bytes of UTF-8.
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxIdstrLength / 3)).check(
      Schema.makeFilter((name) => name.isWellFormed() && !name.includes("\0"))
    )
  ])
)

/**
 * Patterns of content.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const pattern: Arbitrary.Arbitrary<Pattern> = Arbitrary.schema(Schema.Literals(patterns))

/**
 * Runs among the first `count` pages: none, few or many.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const pageRuns = (count: number): Arbitrary.Arbitrary<PageRuns> =>
  Arbitrary.map(
    Arbitrary.all([between(0, 1), Arbitrary.array(Arbitrary.all([between(1, 40), between(1, 40)]), { maxLength: 40 })]),
    ([lead, steps]) => runsOf(steps, 1 - lead, count)
  )

const runsOf = (steps: ReadonlyArray<readonly [gap: number, count: number]>, lead: number, end: number): PageRuns => {
  const runs: Array<number> = []
  let next = -lead
  for (const [gap, count] of steps) {
    const first = next + gap
    if (first >= end) break
    next = Math.min(first + count, end)
    runs.push(first, next - first)
  }
  return runs
}

/**
 * One block with content.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const block = (options: Options = {}): Arbitrary.Arbitrary<Block> =>
  Arbitrary.all({
    idstr,
    pageSize: options.pageSize ?? pageSize,
    pages: between(1, options.maxPages ?? 300),
    pattern,
    seed: between(1, 0xffff)
  })

/**
 * Blocks with different names: at least one.
 *
 * @stability unstable
 * @category arbitraries
 * @since 0.1.0
 */
export const blocks = (options: Options = {}): Arbitrary.Arbitrary<ReadonlyArray<Block>> =>
  Arbitrary.map(
    Arbitrary.array(block(options), { minLength: 1, maxLength: options.maxBlocks ?? 4 }),
    // The first block of each name is kept, so there is always one.
    (some) => [...new Map(some.toReversed().map((one) => [one.idstr, one])).values()].toReversed()
  )

/**
 * The bytes of a block, in new memory each time.
 *
 * **Example** (Memory that survives a round trip)
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { MemoryPages } from "effect-multifd"
 * import { RamArbitraries } from "effect-multifd/testing"
 *
 * it.effect.prop("is saved and restored", { block: RamArbitraries.block() }, ({ block }) =>
 *   MemoryPages.make({ ...block, memory: RamArbitraries.contents(block) })
 * )
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const contents = (block: Block): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(block.pages * block.pageSize)
  const random = xorshift(block.seed)
  for (let page = 0; page < block.pages; page++) {
    const start = page * block.pageSize
    fillers[block.pattern](bytes.subarray(start, start + block.pageSize), page, block.pages, random)
  }
  return bytes
}

/** Numbers of 32 bits, reproducible by seed. */
type Random = () => number

type Filler = (page: Uint8Array, index: number, pages: number, random: Random) => void

/** Marsaglia's generator: fast, and good enough that no page is zero by chance. */
const xorshift = (seed: number): Random => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const randomize = (page: Uint8Array, random: Random): void => {
  const words = new DataView(page.buffer, page.byteOffset, page.byteLength)
  for (let at = 0; at < page.length; at += 4) words.setUint32(at, random(), true)
}

const fillers: Record<Pattern, Filler> = {
  zero: () => undefined,
  random: (page, _index, _pages, random) => randomize(page, random),
  half: (page, index, pages, random) => {
    if (2 * index < pages) randomize(page, random)
  },
  alternating: (page, index, _pages, random) => {
    if (index % 2 === 1) randomize(page, random)
  },
  sparse: (page, _index, _pages, random) => {
    if (random() % 16 === 0) randomize(page, random)
  },
  mixed: (page, _index, _pages, random) => {
    if (random() % 2 === 0) randomize(page, random)
  },
  "first-byte": (page, _index, _pages, random) => {
    if (random() % 3 === 0) page[0] = 1
  },
  "last-byte": (page, _index, _pages, random) => {
    if (random() % 3 === 0) page[page.length - 1] = 1
  }
}
